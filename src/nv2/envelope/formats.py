"""The formats of signature envelopes, by media type: parsed strictly, built exactly. Pure.

Bytes become an `Envelope` (well-formed, believed in nothing), and with the public key of the signing
certificate `SignedContent` (proven integrity). What this room does not do: look at certificates, or decide.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from nv2.envelope import cose, jws
from nv2.envelope.algorithms import Algorithm
from nv2.envelope.envelope import Draft, Envelope, SignedContent
from nv2.envelope.payload import build_payload
from nv2.errors import MalformedEnvelope, UsageError
from nv2.oci import media_types as mt
from nv2.oci.manifest import MAX_ENVELOPE
from nv2.plain_text import quoted

__all__ = (
    "FORMATS",
    "MAX_ENVELOPE",
    "Draft",
    "Envelope",
    "SignedContent",
    "build_payload",
    "parse",
    "seal",
    "with_timestamp",
)


class Format(Protocol):
    """What a module of this room offers for its media type."""

    def parse(self, data: bytes, /) -> Envelope:
        """Read the structure, or raise `MalformedEnvelope`."""

    def seal(
        self,
        draft: Draft,
        chain: Iterable[bytes],
        algorithm: Algorithm,
        sign: Callable[[bytes], bytes],
        /,
    ) -> bytes:
        """Sign and build."""

    def with_timestamp(self, data: bytes, token: bytes, /) -> bytes:
        """Add a timestamp token to a well-formed envelope."""


FORMATS: dict[str, Format] = {mt.JWS: jws, mt.COSE: cose}


def parse(media_type: str, data: bytes) -> Envelope:
    """Read an envelope of `media_type`: everything that needs no key is checked.

    Raises `MalformedEnvelope`, which names the place inside the envelope.
    """
    if media_type not in FORMATS:
        raise MalformedEnvelope(
            f"envelopes of media type {quoted(media_type)} are not supported",
            hint=f"supported: {', '.join(FORMATS)}",
        )
    if len(data) > MAX_ENVELOPE:
        raise MalformedEnvelope(f"an envelope of more than {MAX_ENVELOPE} bytes")
    return FORMATS[media_type].parse(data)


def seal(
    media_type: str,
    draft: Draft,
    chain: Iterable[bytes],
    algorithm: Algorithm,
    sign: Callable[[bytes], bytes],
) -> Envelope:
    """Sign `draft` and build its envelope, read again as a check; times are cut to whole seconds.

    `chain` is DER, signing certificate first, and is read after `sign` has signed; `sign` makes the raw signature of bytes with `algorithm`. The
    result is well-formed; that chain and key belong together is the caller's to prove, by `Envelope.open`.
    Raises `UsageError` for what cannot be sealed, and whatever `sign` raises.
    """
    if media_type not in FORMATS:
        raise UsageError(f"envelopes of media type {media_type!r} are not supported")
    sealed = FORMATS[media_type].seal(draft, chain, algorithm, sign)
    try:
        return parse(media_type, sealed)
    except MalformedEnvelope as e:
        raise UsageError(f"this cannot be signed: {e}") from e


def with_timestamp(envelope: Envelope, token: bytes) -> Envelope:
    """`envelope` with the timestamp `token` as its unsigned attribute, in the place of one it may have.

    Raises `UsageError` for a token that does not fit in.
    """
    stamped = FORMATS[envelope.media_type].with_timestamp(envelope.raw, token)
    try:
        return parse(envelope.media_type, stamped)
    except MalformedEnvelope as e:
        raise UsageError(f"this timestamp cannot be added: {e}") from e
