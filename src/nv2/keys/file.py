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
from nv2.errors import InvalidCertificate, SigningKeyError
from nv2.files import read_file
from nv2.keys.interface import MAX_KEY_FILE
from nv2.keys.private_keys import Passphrase, public_key_of, read_private_key
from nv2.pki.certificate import Certificate, parse_certificate
from nv2.pki.chain import Chain, check_validity, parse_chain
from nv2.pki.pem import certificates_from
from nv2.pki.public_keys import spki_of

__all__ = ["MAX_KEY_FILE", "FileSigner", "load_key", "public_key_of"]

SIBLINGS = (".crt", ".pem")
"""Endings under which the certificates of `name.key` are looked for."""

WHAT_SIGNS = "'nv2 key generate NAME --subject ...' makes a pair that can sign"


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
        certificates = _read_certificates(place)
    chain = _checked_chain(certificates, spki_of(held.key.public_key()), path, place, now)
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


def _read_certificates(path: Path) -> tuple[Certificate, ...]:
    data = read_file(path, MAX_KEY_FILE, "certificates", error=SigningKeyError)
    try:
        return certificates_from(data, str(path), mixed=True)
    except InvalidCertificate as e:
        raise SigningKeyError(e.message, at=e.at or str(path), hint=e.hint) from None


def _checked_chain(
    certificates: tuple[Certificate, ...], spki: bytes, key: Path, place: Path, now: datetime | None
) -> tuple[bytes, ...]:
    """The DER chain of the key `spki`, good to sign with."""
    try:
        leaf = next((found for found in certificates if found.spki == spki), None)
        if leaf is None:
            raise _no_match(certificates[0], key, place)
        ordered = _ordered(leaf, certificates)
        _check_end(ordered[-1], place)
        chain = parse_chain(tuple(certificate.der for certificate in ordered))
    except InvalidCertificate as e:
        where = f"{place}: {e.at}" if e.at and e.at != str(place) else str(place)
        raise SigningKeyError(
            f"cannot be signed with: {e.message}", at=where, hint=e.hint or WHAT_SIGNS
        ) from None
    if now is not None:
        _check_now(chain, now, place)
    return tuple(certificate.der for certificate in chain.certificates)


def _no_match(certificate: Certificate, key: Path, place: Path) -> SigningKeyError:
    return SigningKeyError(
        f"the certificate of {certificate.subject} does not match the key {key}",
        at=str(place),
        hint="name the file of the key's own certificate (--cert; of 'nv2 key add', --cert-file)",
    )


def _ordered(leaf: Certificate, certificates: tuple[Certificate, ...]) -> list[Certificate]:
    """`leaf`, its issuer, and so on: files and PKCS#12 archives have them in any order."""
    chain = [leaf]
    while not chain[-1].is_self_issued:
        issuer = next((found for found in certificates if _issued(found, chain[-1])), None)
        if issuer is None or issuer in chain:
            break
        chain.append(issuer)
    return chain


def _issued(issuer: Certificate, child: Certificate) -> bool:
    return issuer.subject_der == child.issuer_der and issuer.has_signed(child)


def _check_end(last: Certificate, place: Path) -> None:
    if not last.is_self_issued:
        raise SigningKeyError(
            f"the chain ends with {last.subject}, and the certificate of its issuer {last.issuer} is missing",
            at=str(place),
            hint="append the certificates of the issuers, the root's included",
        )


def _check_now(chain: Chain, now: datetime, place: Path) -> None:
    try:
        check_validity(chain, now)
    except InvalidCertificate as e:
        raise SigningKeyError(
            f"cannot sign now: {e.message}",
            at=f"{place}: {e.at}" if e.at else str(place),
            hint="sign with a certificate that is valid, and look at the clock of this machine",
        ) from None


def _warnings(path: Path) -> tuple[str, ...]:
    if os.name == "nt":
        return ()
    mode = path.stat().st_mode
    if stat.S_ISREG(mode) and mode & stat.S_IROTH:
        return (f"every user of this machine can read the private key {path}; run 'chmod 600' on it",)
    return ()
