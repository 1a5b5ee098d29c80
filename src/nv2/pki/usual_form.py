"""Certificates of the usual form, read without `cryptography.x509`, whose loading takes a fifth of a short command.

Version 3, signed with RSA (PKCS #1), ECDSA or Ed25519 and SHA-2, with a key of those kinds, names of plain strings,
and every field in the one encoding that DER allows. For anything else `usual_form` has no answer, and
`cryptography` decides. Whatever has an answer here, `cryptography` reads too, and in the same way: the tests and
`make fuzz` hold the one against the other. (RFC 5280, 4.1.)
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from nv2.pki import der
from nv2.pki.essentials import Essentials
from nv2.pki.public_keys import USUAL_SIGNATURES

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes

MAX_SERIAL = 20
"""Bytes of a serial number (RFC 5280, 4.1.2.2)."""

_VERSION_3 = bytes.fromhex("a003020102")
_EXTENSIONS = 0xA3
_CRITICAL = b"\x01\x01\xff"
_GENERALIZED_FROM = 2050
"""The year from which on a validity is written as GeneralizedTime (RFC 5280, 4.1.2.5)."""
_UTF8, _PRINTABLE = 0x0C, 0x13
_PRINTABLE_BYTES = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 '()+,-./:=?"
_MAX_ARC = 2**28
"""Of an object identifier: what every reader can hold."""

_RSA = bytes.fromhex("300d06092a864886f70d0101010500")
_RSA_BITS, _RSA_EXPONENTS = range(2048, 8193), (3, 65537)
_ED25519 = bytes.fromhex("300506032b6570")
# Name of the curve, and bytes of an uncompressed point.
_CURVES = {
    bytes.fromhex("301306072a8648ce3d020106082a8648ce3d030107"): ("SECP256R1", 65),
    bytes.fromhex("301006072a8648ce3d020106052b81040022"): ("SECP384R1", 97),
    bytes.fromhex("301006072a8648ce3d020106052b81040023"): ("SECP521R1", 133),
}


class _Unusual(Exception):
    """There is no answer here."""


def usual_form(data: bytes) -> Essentials | None:
    """What the certificate `data` says, or None if its form is unusual, or it is no certificate."""
    try:
        return _read(data)
    except (_Unusual, ValueError, IndexError):
        return None


def _demand(condition: object) -> None:
    if not condition:
        raise _Unusual


def _read(data: bytes) -> Essentials:
    body, outer, signature = der.children(der.single(data, der.SEQUENCE))
    version, serial, algorithm, issuer, validity, subject, key, extensions = der.items(body)
    _demand(version.raw == _VERSION_3 and algorithm.raw == outer.raw)
    _demand(der.integer(serial) > 0 and len(serial.content) <= MAX_SERIAL)
    _demand(der.expect(signature, der.BIT_STRING)[:1] == b"\0")
    oid, hash_name = USUAL_SIGNATURES.get(algorithm.raw) or _no_answer()
    _check_name(issuer)
    _check_name(subject)
    _check_extensions(der.expect(extensions, _EXTENSIONS))
    start, end = der.items(validity)
    return Essentials(
        _instant(start),
        _instant(end),
        body.raw,
        signature.content[1:],
        oid,
        hash_name,
        key.raw,
        _key_loader(key),
    )


def _no_answer() -> tuple[str, None]:
    raise _Unusual


def _check_name(name: der.Element) -> None:
    for relative in der.items(name):
        (attribute,) = der.items(relative, der.SET)
        kind, value = der.items(attribute)
        _check_identifier(kind)
        _demand(value.tag in (_UTF8, _PRINTABLE) and value.content)
        if value.tag == _UTF8:
            value.content.decode()
        else:
            _demand(not value.content.translate(None, _PRINTABLE_BYTES))


def _check_extensions(field: bytes) -> None:
    found = der.children(der.single(field, der.SEQUENCE))
    _demand(found)
    for extension in found:
        kind, *critical, value = der.items(extension)
        _check_identifier(kind)
        _demand([element.raw for element in critical] in ([], [_CRITICAL]))
        der.expect(value, der.OCTET_STRING)


def _check_identifier(element: der.Element) -> None:
    _demand(all(int(arc) < _MAX_ARC for arc in der.object_identifier(element).split(".")))


def _instant(element: der.Element) -> datetime:
    found = der.instant(element)
    _demand((element.tag == der.GENERALIZED_TIME) == (found.year >= _GENERALIZED_FROM))
    return found


def _key_loader(info: der.Element) -> Callable[[], CertificatePublicKeyTypes]:
    algorithm, key = der.items(info)
    bits = der.expect(key, der.BIT_STRING)
    _demand(bits[:1] == b"\0")
    if algorithm.raw == _RSA:
        modulus, exponent = map(der.integer, der.children(der.single(bits[1:], der.SEQUENCE)))
        _demand(modulus > 0 and modulus % 2 and modulus.bit_length() in _RSA_BITS)
        _demand(exponent in _RSA_EXPONENTS)
        return partial(_load_rsa, modulus, exponent)
    if algorithm.raw == _ED25519:
        _demand(len(bits) == 33)
        return partial(_load_ed25519, bits[1:])
    curve, size = _CURVES.get(algorithm.raw) or _no_answer()
    _demand(size == len(bits) - 1 and bits[1] == 4)
    return partial(_load_point, curve, bits[1:])


def _load_rsa(modulus: int, exponent: int) -> CertificatePublicKeyTypes:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers

    return RSAPublicNumbers(exponent, modulus).public_key()


def _load_point(curve: str, point: bytes) -> CertificatePublicKeyTypes:
    from cryptography.hazmat.primitives.asymmetric import ec

    return ec.EllipticCurvePublicKey.from_encoded_point(getattr(ec, curve)(), point)


def _load_ed25519(data: bytes) -> CertificatePublicKeyTypes:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    return Ed25519PublicKey.from_public_bytes(data)
