"""Signature algorithms (signature-specification, "Signature Algorithm Requirements").

The signing certificate's key prescribes the algorithm; an envelope that names another one is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from cryptography.exceptions import InvalidSignature as _BadSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from nv2.errors import InvalidCertificate, InvalidSignature, SigningKeyError

PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey
PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


class Algorithm(NamedTuple):
    """One row of the specification's table."""

    name: str
    """As plugins and `inspect` name it."""
    jws: str
    """RFC 7518 name."""
    cose: int
    """RFC 9053 identifier."""
    key: str
    """Kind and size in bits of the key: `RSA-2048`, `EC-256`."""
    hash: str
    """hashlib's name."""
    signature_size: int
    """Bytes of a raw signature."""


# fmt: off
ALGORITHMS = (
    Algorithm("RSASSA-PSS-SHA-256", "PS256", -37, "RSA-2048", "sha256", 256),
    Algorithm("RSASSA-PSS-SHA-384", "PS384", -38, "RSA-3072", "sha384", 384),
    Algorithm("RSASSA-PSS-SHA-512", "PS512", -39, "RSA-4096", "sha512", 512),
    Algorithm("ECDSA-SHA-256",      "ES256",  -7, "EC-256",   "sha256",  64),
    Algorithm("ECDSA-SHA-384",      "ES384", -35, "EC-384",   "sha384",  96),
    Algorithm("ECDSA-SHA-512",      "ES512", -36, "EC-521",   "sha512", 132),
)
# fmt: on

BY_KEY = {algorithm.key: algorithm for algorithm in ALGORITHMS}
BY_JWS = {algorithm.jws: algorithm for algorithm in ALGORITHMS}
BY_COSE = {algorithm.cose: algorithm for algorithm in ALGORITHMS}

HASHES: Mapping[str, hashes.SHA256 | hashes.SHA384 | hashes.SHA512] = {
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}
_PSS = {name: padding.PSS(padding.MGF1(hash_), hash_.digest_size) for name, hash_ in HASHES.items()}


def algorithm_of(key: object) -> Algorithm:
    """The algorithm that a key (public or private) prescribes.

    Raises `InvalidCertificate` for kinds and sizes that the specification does not list.
    """
    kind = _kind(key)
    if kind not in BY_KEY:
        raise InvalidCertificate(
            f"the signing key is {kind}, which cannot sign", hint=f"possible keys: {', '.join(BY_KEY)}"
        )
    return BY_KEY[kind]


def _kind(key: object) -> str:
    match key:
        case rsa.RSAPublicKey() | rsa.RSAPrivateKey():
            return f"RSA-{key.key_size}"
        case ec.EllipticCurvePublicKey() | ec.EllipticCurvePrivateKey():
            nist = {"secp256r1": "EC-256", "secp384r1": "EC-384", "secp521r1": "EC-521"}
            return nist.get(key.curve.name, f"EC {key.curve.name}")
        case _:
            return type(key).__name__.removeprefix("_")


def verify(algorithm: Algorithm, key: object, signature: bytes, data: bytes) -> None:
    """Raise `InvalidSignature` unless `signature` (raw) is that of `data` under the public `key`.

    Raises `InvalidCertificate` for a key of a kind that cannot sign.
    """
    if algorithm_of(key) != algorithm or len(signature) != algorithm.signature_size:
        raise InvalidSignature(f"the signature is not one of {algorithm.name} with the signing key")
    hash_ = HASHES[algorithm.hash]
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, data, _PSS[algorithm.hash], hash_)
        elif isinstance(key, ec.EllipticCurvePublicKey):
            half = len(signature) // 2
            r, s = (int.from_bytes(part, "big") for part in (signature[:half], signature[half:]))
            key.verify(encode_dss_signature(r, s), data, ec.ECDSA(hash_))
        else:
            raise TypeError("a private key verifies nothing")
    except _BadSignature:
        raise InvalidSignature("the signature does not fit the signed content") from None


def sign(algorithm: Algorithm, key: PrivateKey, data: bytes) -> bytes:
    """The raw signature of `data`: RSASSA-PSS, or r and s concatenated (RFC 7518, 3.4)."""
    if algorithm_of(key) != algorithm:
        raise SigningKeyError(f"the key cannot sign with {algorithm.name}")
    hash_ = HASHES[algorithm.hash]
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(data, _PSS[algorithm.hash], hash_)
    r, s = decode_dss_signature(key.sign(data, ec.ECDSA(hash_)))
    half = algorithm.signature_size // 2
    return r.to_bytes(half, "big") + s.to_bytes(half, "big")
