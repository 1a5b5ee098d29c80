"""How OCSP names a certificate and who answers for it (RFC 6960, 4.1.1 and 4.2.1): by hashes of names and keys.

Written and compared, never believed: a name that fits says whom an answer is about, not that it is true.
"""

from __future__ import annotations

import hashlib

from nv2.pki import der
from nv2.pki.certificate import Certificate

_NULL = b"\x05\x00"
_OIDS = {
    "sha1": bytes.fromhex("06052b0e03021a"),
    "sha256": bytes.fromhex("0609608648016503040201"),
    "sha384": bytes.fromhex("0609608648016503040202"),
    "sha512": bytes.fromhex("0609608648016503040203"),
}
_NAMES = {oid: name for name, oid in _OIDS.items()}
_KEY_FIELD = 5
"""Where SubjectPublicKeyInfo stands in TBSCertificate, counted without the version."""
_VERSION = 0xA0


def cert_id(certificate: Certificate, issuer: Certificate, hash_name: str) -> bytes:
    """CertID, DER, of `certificate`. Raises `ValueError` for a hash that has no name here."""
    if hash_name not in _OIDS:
        raise ValueError(f"hash {hash_name!r} cannot name a certificate: {', '.join(_OIDS)}")
    parts = (
        der.write(der.SEQUENCE, _OIDS[hash_name] + _NULL),
        der.write(der.OCTET_STRING, _hash(hash_name, certificate.issuer_der)),
        der.write(der.OCTET_STRING, _hash(hash_name, key_bits(issuer))),
        _serial(certificate),
    )
    return der.write(der.SEQUENCE, b"".join(parts))


def names(identifier: der.Element, certificate: Certificate, issuer: Certificate) -> bool:
    """Whether the CertID `identifier` is one of `certificate`, by whatever hash it uses.

    Every hash is recomputed; a hash that is not known names nobody. Raises `NotDer`.
    """
    algorithm, name_hash, key_hash, serial = der.items(identifier)
    kind, *parameters = der.items(algorithm)
    hash_name = _NAMES.get(kind.raw)
    if hash_name is None or [element.raw for element in parameters] not in ([], [_NULL]):
        return False
    return (
        der.integer(serial) == certificate.serial
        and der.expect(name_hash, der.OCTET_STRING) == _hash(hash_name, certificate.issuer_der)
        and der.expect(key_hash, der.OCTET_STRING) == _hash(hash_name, key_bits(issuer))
    )


def key_bits(certificate: Certificate) -> bytes:
    """The public key as the certificate writes it, without tag, length and unused bits: what key hashes are made of."""
    body = der.children(der.single(certificate.der, der.SEQUENCE))[0]
    fields = [field for field in der.items(body) if field.tag != _VERSION]
    _algorithm, key = der.items(fields[_KEY_FIELD])
    return der.expect(key, der.BIT_STRING)[1:]


def _serial(certificate: Certificate) -> bytes:
    size = certificate.serial.bit_length() // 8 + 1
    return der.write(der.INTEGER, certificate.serial.to_bytes(size, "big"))


def _hash(name: str, data: bytes) -> bytes:
    # SHA-1 serves as a short name here. Whoever finds two issuers of one name still has to sign as the right one.
    return hashlib.new(name, data, usedforsecurity=False).digest()
