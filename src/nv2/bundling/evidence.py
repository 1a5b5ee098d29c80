"""Evidence about revocation that is carried: CRLs, OCSP answers and the certificates that they are about.

A set of it is an OCI artifact: a manifest with a layer for each piece, whose annotations say where it was published and
who issued it, and a configuration that says when it was gathered and what could not be had. What this module does not
do: believe any of it. Whoever uses a piece judges it as if it had just been fetched.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from enum import Enum
from typing import NamedTuple

from nv2.oci.descriptor import Descriptor
from nv2.pki.certificate import Certificate
from nv2.plain_text import one_line

ARTIFACT_TYPE = "application/vnd.nv2.revocation-evidence.v1"
CONFIG = "application/vnd.nv2.revocation-evidence.config.v1+json"
CRL, OCSP_RESPONSE, CERTIFICATE = (
    "application/pkix-crl",
    "application/ocsp-response",
    "application/pkix-cert",
)
"""Media types of layers (RFC 2585, RFC 6960)."""

MAX_PIECES = 5_000
"""CRLs, answers and certificates in one set; an image with ten signers has about a hundred."""

MAX_EVIDENCE = 256 * 1024 * 1024
"""Bytes of a whole set, which is held in memory: four CRLs of the largest size."""

MAX_REASON = 400
"""Characters of why a piece could not be had."""


class Kind(Enum):
    """What a piece is."""

    CRL = "crl"
    DELTA = "delta"
    """A delta CRL, kept under the address of the complete one that it belongs to."""
    OCSP = "ocsp"

    @property
    def media_type(self) -> str:
        """Of its layer."""
        return OCSP_RESPONSE if self is Kind.OCSP else CRL


class Piece(NamedTuple):
    """One CRL, or one OCSP answer."""

    kind: Kind
    address: str
    """Where the certificate says it is published: the name under which caches keep it."""
    issuer: str
    """SHA-256 of the certificate of who issued the certificates that it is about, lower-case hexadecimal."""
    certificate: str
    """SHA-256 of the one certificate that an OCSP answer is about; empty for CRLs."""
    this_update: datetime
    next_update: datetime | None
    data: bytes
    """DER, as it came."""


class Gap(NamedTuple):
    """A piece that could not be had, and why."""

    kind: Kind
    address: str
    certificate: str
    """SHA-256 of the certificate that names it."""
    subject: str
    reason: str

    def __str__(self) -> str:
        what = f"{self.kind.value} of {one_line(self.subject, MAX_REASON)} at {one_line(self.address, MAX_REASON)}"
        return f"{what}: {one_line(self.reason, MAX_REASON)}"


class Evidence(NamedTuple):
    """A set of evidence."""

    gathered_at: datetime
    certificates: tuple[Certificate, ...] = ()
    """Of every chain, in any order; none is trusted for being here."""
    pieces: tuple[Piece, ...] = ()
    gaps: tuple[Gap, ...] = ()
    """What its maker could not get."""


class Packed(NamedTuple):
    """A set as content of a layout: `manifest` is an image manifest of `ARTIFACT_TYPE`, all else are blobs."""

    manifest: bytes
    blobs: tuple[tuple[Descriptor, bytes], ...]
    """Configuration and layers."""


Fetch = Callable[[Descriptor], bytes]
"""The content of a descriptor, whose size and digest were checked."""
