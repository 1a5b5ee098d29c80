"""What is to be signed, what claims to be, and what is: the values of this room (signature-specification).

What this module does not do: read or write bytes; that is `formats`.
"""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from nv2.envelope.algorithms import Algorithm
    from nv2.oci.descriptor import Descriptor

VERIFICATION_PLUGIN = "io.cncf.notary.verificationPlugin"
VERIFICATION_PLUGIN_MIN_VERSION = "io.cncf.notary.verificationPluginMinVersion"
"""Extended attributes of notation's plugins; both must be critical strings."""


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


class Draft(NamedTuple):
    """What is to be sealed."""

    payload: bytes
    """As `build_payload` makes it."""
    attributes: SignedAttributes
    """Fractions of seconds are cut off when sealing."""
    signing_agent: str


class Envelope(NamedTuple):
    """A well-formed envelope. Nothing in it is believed before `open`."""

    media_type: str
    algorithm: Algorithm
    attributes: SignedAttributes
    unsigned: UnsignedAttributes
    payload: bytes
    claimed: Descriptor
    """What the payload says it signs."""
    signature: bytes
    """Raw: RSASSA-PSS, or r and s concatenated."""
    signed_bytes: bytes
    """What the signature was made of: payload and signed attributes, as the format joins them."""
    raw: bytes

    def open(self, public_key: object) -> SignedContent:
        """Prove that the holder of `public_key`, the signing certificate's, signed payload and attributes.

        Raises `InvalidSignature`; `InvalidCertificate` for a key of a kind that cannot sign.
        """
        from nv2.envelope import (
            algorithms,  # and all of cryptography, which those who have no envelope yet need not load
        )

        algorithms.verify(self.algorithm, public_key, self.signature, self.signed_bytes)
        return SignedContent(self, self.claimed)


class SignedContent(NamedTuple):
    """An envelope with proven integrity, and what it is about. Only `Envelope.open` makes one.

    Who holds the key, and whether anyone trusts them, is not known yet.
    """

    envelope: Envelope
    target: Descriptor
