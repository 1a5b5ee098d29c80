"""The key port: something that signs bytes and has a certificate chain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from nv2.envelope.algorithms import Algorithm

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
