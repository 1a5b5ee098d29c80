"""Signing keys in files: a private key, its certificate chain beside it or in it, and a check of both.

Nothing here is lenient about what is signed with: a chain that a verifier would refuse is refused now.
What this module does not do: look up names; that is `home.signing_keys`.
"""

from __future__ import annotations

import os
import stat
from datetime import datetime
from pathlib import Path

from nv2.envelope import algorithms
from nv2.envelope.algorithms import Algorithm, PrivateKey
from nv2.errors import SigningKeyError
from nv2.files import read_file
from nv2.keys.chains import read_certificates, signing_chain
from nv2.keys.interface import MAX_KEY_FILE
from nv2.keys.private_keys import Passphrase, public_key_of, read_private_key
from nv2.pki.certificate import parse_certificate
from nv2.pki.public_keys import spki_of

__all__ = ["MAX_KEY_FILE", "FileSigner", "load_key", "public_key_of"]

SIBLINGS = (".crt", ".pem")
"""Endings under which the certificates of `name.key` are looked for."""


class FileSigner:
    """A key that was read from a file, with its chain (`keys.interface.Signer`)."""

    __slots__ = ("_key", "algorithm", "chain", "chain_path", "warnings")

    def __init__(
        self, key: PrivateKey, chain: tuple[bytes, ...], chain_path: Path, warnings: tuple[str, ...] = ()
    ) -> None:
        self._key = key
        self.chain = chain
        self.chain_path = chain_path
        """The file that the chain was read from."""
        self.algorithm: Algorithm = algorithms.algorithm_of(key)
        self.warnings = warnings
        """What the owner of the key should hear; no reason not to sign."""

    def sign(self, data: bytes) -> bytes:
        """The raw signature of `data` (`keys.interface.Signer.sign`)."""
        return algorithms.sign(self.algorithm, self._key, data)


def load_key(
    path: Path,
    *,
    cert_path: Path | None = None,
    passphrase: Passphrase,
    now: datetime | None = None,
) -> FileSigner:
    """The private key in the file `path`, with its chain: of `cert_path`, else of the same file, else beside.

    `passphrase` is asked, with the path as text, only if the key is encrypted. With `now`, every
    certificate must be valid then. Raises `SigningKeyError`.
    """
    data = read_file(path, MAX_KEY_FILE, "a private key", error=SigningKeyError)
    held = read_private_key(data, str(path), passphrase)
    if held.certificates and cert_path in (None, path):
        place, certificates = path, tuple(parse_certificate(der, str(path)) for der in held.certificates)
    else:
        place = cert_path or _sibling(path)
        certificates = read_certificates(place)
    spki = spki_of(held.key.public_key())
    chain = signing_chain(certificates, spki, key=str(path), place=str(place), now=now)
    return FileSigner(held.key, chain, place, _warnings(path))


def _sibling(path: Path) -> Path:
    """The file beside `path` that should hold its certificates."""
    beside = [found for ending in SIBLINGS if (found := path.with_suffix(ending)) != path]
    for candidate in beside:
        if os.path.lexists(candidate):
            return candidate
    names = " or ".join(candidate.name for candidate in beside)
    raise SigningKeyError(
        "the key has no certificate, in this file or beside it",
        at=str(path),
        hint=f"name its certificate with --cert, or put it beside the key as {names}",
    )


def _warnings(path: Path) -> tuple[str, ...]:
    if os.name == "nt":
        return ()
    mode = path.stat().st_mode
    if stat.S_ISREG(mode) and mode & stat.S_IROTH:
        return (f"every user of this machine can read the private key {path}; run 'chmod 600' on it",)
    return ()
