"""What an OCSP answer says about a certificate, decided from bytes (RFC 6960, 8954; trust-store-trust-policy,
"Revocation Checking with OCSP").

What this module does not do: ask, keep answers, or know the time.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from nv2.pki.certificate import Certificate
from nv2.pki.certificate_status import CertificateStatus, Status

MAX_RESPONSE = 64 * 1024
"""Bytes of an answer. One with a chain of certificates for the responder has 5 kB."""


class OcspAnswer(NamedTuple):
    """The status, and whose own revocation it still hangs on."""

    status: CertificateStatus
    responder: Certificate | None = None
    """A delegated responder's certificate that must be checked by CRL before the status counts: issued by the
    issuer of the certificate in question, and without `id-pkix-ocsp-nocheck` (step 4). None: nothing is left to check.
    """


def build_request(
    certificate: Certificate, issuer: Certificate, nonce: bytes | None, hash_name: str
) -> bytes:
    """An OCSPRequest, DER, about `certificate`, which `issuer` issued.

    `nonce` has 1 to 32 bytes (RFC 8954, 2.1); None leaves it out. `hash_name` is `sha1`, which every responder knows, or
    `sha256`; it only names the issuer, and nothing hangs on nobody finding a second name. Raises `ValueError`.
    """
    raise NotImplementedError


def request_path(request: bytes) -> str | None:
    """What follows the responder's URL and a slash when `request` is sent by GET (RFC 5019, 5).

    None if it is too long for that (255 bytes) and must be sent by POST.
    """
    raise NotImplementedError


def cache_key(url: str, certificate: Certificate, issuer: Certificate) -> str:
    """What an answer is kept under: lower-case hexadecimal, of the responder's URL, the issuer's key and the serial number."""
    raise NotImplementedError


def status_by_ocsp(
    response: bytes,
    certificate: Certificate,
    issuer: Certificate,
    now: datetime,
    nonce: bytes | None = None,
    signed_at: datetime | None = None,
) -> OcspAnswer:
    """What the OCSPResponse `response`, DER, says about `certificate`, which `issuer` issued.

    `nonce` is the one of the request, None if it had none or the answer comes from a cache. `signed_at` is the authentic
    signing time: a key that became bad after it does no harm. Whatever makes the answer not count is UNKNOWN with its
    reason. Raises `InvalidRevocationData` if it cannot be read at all.
    """
    del response, certificate, issuer, now, nonce, signed_at
    return OcspAnswer(CertificateStatus(Status.UNKNOWN, "OCSP answers are not read yet"))
