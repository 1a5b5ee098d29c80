"""Private keys as bytes: PEM and DER (PKCS#8, PKCS#1, SEC1, encrypted or not) and PKCS#12.

What this module does not do: ask for files, or say whether a key and a certificate belong together.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from nv2.envelope.algorithms import PrivateKey, algorithm_of
from nv2.errors import InvalidCertificate, SigningKeyError
from nv2.pki.pem import blocks_of, certificates_from, is_pem

Passphrase = Callable[[str], bytes]
"""Asked with the key's name, and only for a key that is encrypted."""

_PRIVATE = frozenset({"PRIVATE KEY", "ENCRYPTED PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY"})
_SSH = "convert a copy of it with 'ssh-keygen -p -m PKCS8 -f FILE'"
_ELSE: tuple[tuple[str, str, str | None], ...] = (
    ("OPENSSH PRIVATE KEY", "a key in OpenSSH's own format", _SSH),
    ("PGP PRIVATE KEY BLOCK", "an OpenPGP key, which cannot sign with a certificate", None),
    ("DSA PRIVATE KEY", "a DSA key, which cannot sign", None),
    ("CERTIFICATE", "a certificate, not a private key", "name the key here, and the certificate with --cert"),
    ("PUBLIC KEY", "a public key; signing needs the private one", None),
    ("CERTIFICATE REQUEST", "a certificate request, not a private key", None),
)
"""What people have in the file instead: label, what to call it, what to do."""

_FORMATS = "private keys are read as PEM (PKCS#8, PKCS#1, SEC1) or PKCS#12"


class Held(NamedTuple):
    """What was found: one private key, and the certificates that came with it (DER, unordered)."""

    key: PrivateKey
    certificates: tuple[bytes, ...] = ()


def read_private_key(data: bytes, at: str, passphrase: Passphrase) -> Held:
    """The one private key in `data`. Raises `SigningKeyError` at `at`."""
    if is_pem(data):
        return _from_pem(data, at, passphrase)
    if _is_pkcs12(data):
        return _from_pkcs12(data, at, passphrase)
    from cryptography.hazmat.primitives.serialization import load_der_private_key

    return Held(_load(load_der_private_key, data, at, passphrase))


def public_key_of(data: bytes, at: str, passphrase: Passphrase | None = None) -> bytes:
    """SubjectPublicKeyInfo (DER) of the private key in `data`. Raises `SigningKeyError`."""
    from nv2.pki.public_keys import spki_of

    return spki_of(read_private_key(data, at, passphrase or _nobody_to_ask).key.public_key())


def _nobody_to_ask(at: str) -> bytes:
    raise SigningKeyError(
        "the key is encrypted", at=at, hint="name its certificate or its public key instead"
    )


def _from_pem(data: bytes, at: str, passphrase: Passphrase) -> Held:
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    blocks = list(blocks_of(data, at, SigningKeyError))
    keys = [block.text for block in blocks if block.label in _PRIVATE]
    if not keys:
        raise _something_else({block.label for block in blocks}, at)
    if len(keys) > 1:
        raise SigningKeyError(
            f"holds {len(keys)} private keys, and it is not clear which shall sign",
            at=at,
            hint="keep one key in a file",
        )
    held = any(block.label == "CERTIFICATE" for block in blocks)
    key = _load(load_pem_private_key, keys[0], at, passphrase)
    return Held(key, _certificates(data, at) if held else ())


def _certificates(data: bytes, at: str) -> tuple[bytes, ...]:
    try:
        return tuple(certificate.der for certificate in certificates_from(data, at, mixed=True))
    except InvalidCertificate as e:
        raise SigningKeyError(e.message, at=e.at or at, hint=e.hint) from None


def _something_else(labels: set[str], at: str) -> SigningKeyError:
    for label, what, hint in _ELSE:
        if label in labels:
            return SigningKeyError(f"is {what}", at=at, hint=hint or _FORMATS)
    return SigningKeyError("holds no private key", at=at, hint=_FORMATS)


def _is_pkcs12(data: bytes) -> bool:
    """Whether `data` begins as a PFX does: a sequence whose first element is the version, 3 (RFC 7292, 4)."""
    if data[:1] != b"\x30" or len(data) < 2:
        return False
    start = 2 + (data[1] & 0x7F if data[1] & 0x80 else 0)
    return data[start : start + 3] == b"\x02\x01\x03"


def _from_pkcs12(data: bytes, at: str, passphrase: Passphrase) -> Held:
    from cryptography.hazmat.primitives.serialization import Encoding, pkcs12

    found = _load_pkcs12(pkcs12.load_pkcs12, data, at, passphrase)
    if found.key is None:
        raise SigningKeyError("holds no private key", at=at, hint="export it together with its certificates")
    held = ([found.cert] if found.cert else []) + list(found.additional_certs)
    ders = tuple(item.certificate.public_bytes(Encoding.DER) for item in held)
    return Held(_fit(found.key, at), ders)


def _load_pkcs12(load: Callable[..., Any], data: bytes, at: str, passphrase: Passphrase) -> Any:
    try:
        # An archive without a password; whether it has one, only trying tells.
        return load(data, None)
    except (ValueError, TypeError):
        return _unlock(load, data, at, passphrase)


def _load(load: Callable[..., Any], data: bytes, at: str, passphrase: Passphrase) -> PrivateKey:
    from cryptography.exceptions import UnsupportedAlgorithm

    try:
        return _fit(load(data, None), at)
    except TypeError:
        return _fit(_unlock(load, data, at, passphrase), at)
    except (ValueError, UnsupportedAlgorithm):
        raise SigningKeyError("is not a private key that can be read", at=at, hint=_FORMATS) from None


def _unlock(load: Callable[..., Any], data: bytes, at: str, passphrase: Passphrase) -> Any:
    from cryptography.exceptions import UnsupportedAlgorithm

    word = passphrase(at)
    try:
        return load(data, word)
    except UnsupportedAlgorithm:
        raise SigningKeyError("is encrypted in a way that is not supported", at=at, hint=_FORMATS) from None
    except (ValueError, TypeError):
        raise SigningKeyError("the passphrase is wrong, or the file is damaged", at=at) from None


def _fit(key: object, at: str) -> PrivateKey:
    """`key`, if it is of a kind and size that can sign."""
    try:
        algorithm_of(key)
    except InvalidCertificate as e:
        raise SigningKeyError(e.message, at=at, hint=e.hint) from None
    return key  # type: ignore[return-value]  # the table of algorithms has no other kinds
