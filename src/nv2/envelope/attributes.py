"""What an envelope says beside its payload (signature-specification, "Signed Attributes")."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import Any, NamedTuple


class Scheme(Enum):
    """Signing schemes (signing-scheme.md)."""

    X509 = "notary.x509"
    SIGNING_AUTHORITY = "notary.x509.signingAuthority"


class ExtendedAttribute(NamedTuple):
    """A signed attribute that the specification does not define."""

    key: str | int
    """Integers occur in COSE only."""
    value: Any
    critical: bool


class SignedAttributes(NamedTuple):
    """The signed attributes. Times are aware; nv2 signs whole seconds, others may have signed fractions."""

    content_type: str
    scheme: Scheme
    signing_time: datetime
    """Claimed by the signer under `notary.x509`, authentic under `notary.x509.signingAuthority`."""
    expiry: datetime | None = None
    extended: tuple[ExtendedAttribute, ...] = ()


class UnsignedAttributes(NamedTuple):
    """The unsigned attributes, as they came; none of them is believed."""

    certificates: tuple[bytes, ...]
    """DER, signing certificate first."""
    signing_agent: str | None = None
    timestamp: bytes | None = None
    """RFC 3161 token, CMS."""


VERIFICATION_PLUGIN = "io.cncf.notary.verificationPlugin"
VERIFICATION_PLUGIN_MIN_VERSION = "io.cncf.notary.verificationPluginMinVersion"
"""Extended attributes of notation's plugins; both must be critical strings."""
