"""The values of this room: what is to be signed, what claims to be, and what is."""

from __future__ import annotations

from typing import NamedTuple

from nv2.envelope import algorithms
from nv2.envelope.algorithms import Algorithm
from nv2.envelope.attributes import SignedAttributes, UnsignedAttributes
from nv2.oci.descriptor import Descriptor


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
        algorithms.verify(self.algorithm, public_key, self.signature, self.signed_bytes)
        return SignedContent(self, self.claimed)


class SignedContent(NamedTuple):
    """An envelope with proven integrity, and what it is about. Only `Envelope.open` makes one.

    Who holds the key, and whether anyone trusts them, is not known yet.
    """

    envelope: Envelope
    target: Descriptor
