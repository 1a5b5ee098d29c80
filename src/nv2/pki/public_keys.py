"""Public keys of certificates: what kind they are, how they are written, and what they have signed (RFC 5280, 4.1.1.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from nv2.errors import InvalidCertificate
from nv2.pki import der

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes

# Kind of the key and padding. MD5 and SHA-1 are not here: whatever is not here is refused.
_ALGORITHMS = {
    "1.2.840.113549.1.1.11": "RSA",
    "1.2.840.113549.1.1.12": "RSA",
    "1.2.840.113549.1.1.13": "RSA",
    "1.2.840.113549.1.1.10": "RSA-PSS",
    "1.2.840.10045.4.3.2": "EC",
    "1.2.840.10045.4.3.3": "EC",
    "1.2.840.10045.4.3.4": "EC",
    "1.3.101.112": "Ed25519",
}
_WEAK = {
    "1.2.840.113549.1.1.2": "MD2",
    "1.2.840.113549.1.1.4": "MD5",
    "1.2.840.113549.1.1.5": "SHA-1",
    "1.2.840.10045.4.1": "SHA-1",
    "1.2.840.10040.4.3": "SHA-1",
}
USUAL_SIGNATURES = {
    bytes.fromhex("300d06092a864886f70d01010b0500"): ("1.2.840.113549.1.1.11", "sha256"),
    bytes.fromhex("300d06092a864886f70d01010c0500"): ("1.2.840.113549.1.1.12", "sha384"),
    bytes.fromhex("300d06092a864886f70d01010d0500"): ("1.2.840.113549.1.1.13", "sha512"),
    bytes.fromhex("300a06082a8648ce3d040302"): ("1.2.840.10045.4.3.2", "sha256"),
    bytes.fromhex("300a06082a8648ce3d040303"): ("1.2.840.10045.4.3.3", "sha384"),
    bytes.fromhex("300a06082a8648ce3d040304"): ("1.2.840.10045.4.3.4", "sha512"),
    bytes.fromhex("300506032b6570"): ("1.3.101.112", None),
}
"""AlgorithmIdentifier, whole, to its object identifier and the name of its hash."""

_PSS, _EXPLICIT_0 = "1.2.840.113549.1.1.10", 0xA0
_PSS_HASHES = {
    bytes.fromhex("608648016503040201"): "sha256",
    bytes.fromhex("608648016503040202"): "sha384",
    bytes.fromhex("608648016503040203"): "sha512",
}
_HASHES: dict[str | None, type[hashes.HashAlgorithm]] = {
    "sha256": hashes.SHA256,
    "sha384": hashes.SHA384,
    "sha512": hashes.SHA512,
}


def kind_of(key: object) -> str:
    """Kind and size in bits of a public key: `RSA-2048`, `EC-256`, `Ed25519`."""
    match key:
        case rsa.RSAPublicKey():
            return f"RSA-{key.key_size}"
        case ec.EllipticCurvePublicKey():
            nist = {"secp256r1": "EC-256", "secp384r1": "EC-384", "secp521r1": "EC-521"}
            return nist.get(key.curve.name, f"EC-{key.curve.name}")
        case ed25519.Ed25519PublicKey():
            return "Ed25519"
        case _:
            return type(key).__name__.removesuffix("PublicKey")


def spki_of(key: CertificatePublicKeyTypes) -> bytes:
    """SubjectPublicKeyInfo of a public key, DER."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def signature_algorithm(identifier: der.Element) -> tuple[str, str | None]:
    """What an AlgorithmIdentifier means, as `check_signature` wants it: dotted object identifier and name of the hash.

    An algorithm that is not acceptable has no hash; `check_signature` says so. Raises `NotDer`.
    """
    if identifier.raw in USUAL_SIGNATURES:
        return USUAL_SIGNATURES[identifier.raw]
    kind, *parameters = der.items(identifier)
    oid = der.object_identifier(kind)
    if oid != _PSS or not parameters:
        return oid, None
    return oid, _pss_hash(der.items(parameters[0])[:1])


def _pss_hash(fields: list[der.Element]) -> str | None:
    """Only the hash is read: mask and salt must be of the same one, or the signature does not fit (`_verify`)."""
    for field in (field for field in fields if field.tag == _EXPLICIT_0):
        for algorithm in der.children(field.content):
            for kind in der.items(algorithm)[:1]:
                return _PSS_HASHES.get(kind.content)
    return None


def check_signature(
    key: CertificatePublicKeyTypes, algorithm: str, hash_name: str | None, signature: bytes, data: bytes
) -> None:
    """Raise `InvalidCertificate` unless `key` made `signature` of `data`.

    `algorithm` is the dotted object identifier that the certificate gives, `hash_name` the hash that it means.
    """
    if algorithm not in _ALGORITHMS:
        weak = _WEAK.get(algorithm, algorithm)
        raise InvalidCertificate(f"its signature uses {weak}, which is not acceptable")
    kind = _ALGORITHMS[algorithm]
    if kind.partition("-")[0] != kind_of(key).partition("-")[0]:
        raise InvalidCertificate("its signature is of another kind than the issuer's key")
    try:
        _verify(key, kind, _HASHES.get(hash_name), signature, data)
    except (InvalidSignature, ValueError, UnsupportedAlgorithm):
        raise InvalidCertificate("its signature was not made by the issuer's key") from None


def _verify(
    key: object, kind: str, hash_type: type[hashes.HashAlgorithm] | None, signature: bytes, data: bytes
) -> None:
    match key:
        case rsa.RSAPublicKey() if hash_type and kind == "RSA":
            key.verify(signature, data, padding.PKCS1v15(), hash_type())
        case rsa.RSAPublicKey() if hash_type:
            # The parameters must be these, or the signature does not fit: salt as long as the hash, one hash.
            hash_ = hash_type()
            key.verify(signature, data, padding.PSS(padding.MGF1(hash_), hash_.digest_size), hash_)
        case ec.EllipticCurvePublicKey() if hash_type:
            key.verify(signature, data, ec.ECDSA(hash_type()))
        case ed25519.Ed25519PublicKey():
            key.verify(signature, data)
        case _:
            raise InvalidSignature
