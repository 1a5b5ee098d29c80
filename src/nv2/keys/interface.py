"""The key port: something that signs bytes and has a certificate chain, or that makes whole envelopes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeGuard

if TYPE_CHECKING:
    from nv2.envelope.algorithms import Algorithm
    from nv2.envelope.envelope import Draft

MAX_KEY_FILE = 1024 * 1024
"""Bytes of a file with a key, certificates, or both: a chain of 100 certificates fits."""


class Signer(Protocol):
    """Whoever holds a private key. Its bytes never leave it."""

    @property
    def chain(self) -> tuple[bytes, ...]:
        """DER certificates, signing certificate first, root last."""

    @property
    def algorithm(self) -> Algorithm:
        """The algorithm that the signing certificate's key prescribes."""

    def sign(self, data: bytes) -> bytes:
        """The raw signature of `data`: RSASSA-PSS, or r and s concatenated for ECDSA (RFC 7518 3.4).

        Raises `SigningKeyError`.
        """


class Made(NamedTuple):
    """An envelope that somebody else made. Nothing of it has been checked."""

    data: bytes
    annotations: Mapping[str, str]
    """For the signature manifest, beside its own."""
    maker: str | None = None
    """Who made it: the place of whatever is wrong with it."""


class EnvelopeMaker(Protocol):
    """Whoever makes envelopes with a key whose chain is known only once it has signed: a plugin."""

    @property
    def algorithm(self) -> Algorithm:
        """The algorithm that the key prescribes.

        Raises `SigningKeyError` where that cannot be known before it signs: blobs cannot be signed with it.
        """

    def make(self, media_type: str, draft: Draft) -> Made:
        """An envelope around the payload of `draft`. Raises `SigningKeyError`, `PluginError`, `EnvironmentFailure`."""


def makes_envelopes(key: Signer | EnvelopeMaker) -> TypeGuard[EnvelopeMaker]:
    """Whether `key` makes whole envelopes instead of signing bytes."""
    return hasattr(key, "make")
