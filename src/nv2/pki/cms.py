"""CMS SignedData with one signature (RFC 5652, 5), as RFC 3161 puts a timestamp into it. BER or DER.

Reading believes nothing. `check_signature` proves that a certificate's key signed the content: only then may the content be
read. What this module does not do: look for the certificate's issuer, or know what the content is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import NamedTuple

from nv2.errors import InvalidCertificate, InvalidTimestamp
from nv2.pki import ber, der
from nv2.pki.certificate import Certificate, extensions_of
from nv2.pki.public_keys import USUAL_SIGNATURES
from nv2.pki.public_keys import check_signature as check_key_signature
from nv2.plain_text import quoted

MAX_SIGNED_DATA = 1024 * 1024
"""Bytes. Tokens of the field have 3 to 10 kB; notation reads less than this as well."""

MAX_CERTIFICATES = 20
"""Certificates beside a signature; authorities send 1 to 4."""

SIGNED_DATA = "1.2.840.113549.1.7.2"
CONTENT_TYPE, MESSAGE_DIGEST = "1.2.840.113549.1.9.3", "1.2.840.113549.1.9.4"

HASHES = {
    "2.16.840.1.101.3.4.2.1": "sha256",
    "2.16.840.1.101.3.4.2.2": "sha384",
    "2.16.840.1.101.3.4.2.3": "sha512",
}
"""hashlib's names. MD5 and SHA-1 are not here: whatever is not here is refused."""

_OIDS = {
    f"sha{size}": bytes.fromhex(f"06096086480165030402{last}")
    for size, last in ((256, "01"), (384, "02"), (512, "03"))
}
_MGF1 = bytes.fromhex("06092a864886f70d010108")
"""Object identifiers in DER."""
_RSA, _PSS = "1.2.840.113549.1.1.1", "1.2.840.113549.1.1.10"
_SHA256_WITH_RSA = "1.2.840.113549.1.1.11"

_HASH_OF = dict(USUAL_SIGNATURES.values())
"""Signature algorithms that name their hash: it must be the one of the signer."""

_NULL = der.Element(0x05, b"", b"\x05\x00")
_SUBJECT_KEY_IDENTIFIER = "2.5.29.14"
_ZERO, _ONE, _TWO = 0xA0, 0xA1, 0xA2
_KEY_IDENTIFIER = 0x80
"""Tags of the context: of constructed fields, and of SignerIdentifier.subjectKeyIdentifier."""


class Signer(NamedTuple):
    """SignerInfo (5.3)."""

    issuer_and_serial: tuple[bytes, int] | None
    """Name as DER, and serial number, of the certificate; else `key_identifier` names it."""
    key_identifier: bytes | None
    hash_name: str
    algorithm: str
    """Of the signature, as `public_keys.check_signature` takes it."""
    attributes: Mapping[str, der.Element]
    """Signed attributes: the value by the object identifier."""
    signed_bytes: bytes
    """What the signature was made of: the attributes as a SET OF in DER (5.4)."""
    signature: bytes


class SignedData(NamedTuple):
    """Content and one signature. Nothing is believed before `check_signature`."""

    content_type: str
    content: bytes
    certificates: tuple[bytes, ...]
    """X.509 alone, in the order of the message; other kinds, and CRLs, are left out."""
    signer: Signer


def parse_signed_data(data: bytes) -> SignedData:
    """Read ContentInfo with SignedData, to its last byte. Raises `NotDer`."""
    if len(data) > MAX_SIGNED_DATA:
        raise der.NotDer(f"more than {MAX_SIGNED_DATA} bytes")
    kind, wrapped = _fields(der.single(ber.to_der(data), der.SEQUENCE), 2)
    if der.object_identifier(kind) != SIGNED_DATA:
        raise der.NotDer("is not CMS SignedData")
    version, digests, encapsulated, *rest = der.children(_explicit(wrapped, _ZERO, der.SEQUENCE))
    # 3: the content is not `data`, and nothing is beside it but X.509 certificates and CRLs (5.1).
    if der.integer(version) != 3:
        raise der.NotDer("SignedData of a version that is not 3")
    certificates = rest.pop(0) if rest and rest[0].tag == _ZERO else None
    if rest and rest[0].tag == _ONE:
        rest.pop(0)  # CRLs: what is revoked is found out elsewhere, from those who publish it
    if len(rest) != 1:
        raise der.NotDer("SignedData without its signatures, or with more than belongs there")
    content_type, content = _encapsulated(encapsulated)
    signer = _signer(rest[0])
    if signer.hash_name not in {_hash(algorithm) for algorithm in der.items(digests, der.SET)}:
        raise der.NotDer("the signer's hash is not among those announced")
    return SignedData(content_type, content, _certificates(certificates), signer)


def _fields(content: bytes, count: int) -> list[der.Element]:
    found = der.children(content)
    if len(found) != count:
        raise der.NotDer(f"{len(found)} fields instead of {count}")
    return found


def _explicit(element: der.Element, tag: int, inner: int) -> bytes:
    """The content of the element of tag `inner` that is all of `element`, which has `tag`."""
    return der.single(der.expect(element, tag), inner)


def _encapsulated(element: der.Element) -> tuple[str, bytes]:
    kind, content = _fields(der.expect(element, der.SEQUENCE), 2)
    return der.object_identifier(kind), _explicit(content, _ZERO, der.OCTET_STRING)


def _certificates(element: der.Element | None) -> tuple[bytes, ...]:
    found = der.children(element.content) if element else []
    if len(found) > MAX_CERTIFICATES:
        raise der.NotDer(f"more than {MAX_CERTIFICATES} certificates")
    return tuple(choice.raw for choice in found if choice.tag == der.SEQUENCE)


def _signer(element: der.Element) -> Signer:
    """The one SignerInfo. RFC 3161, 2.4.2: no other signatures than the authority's."""
    signers = der.items(element, der.SET)
    if len(signers) != 1:
        raise der.NotDer(f"{len(signers)} signatures instead of one")
    version, sid, digest, attributes, algorithm, signature, *rest = der.items(signers[0])
    if [field.tag for field in rest] not in ([], [_ONE]):
        raise der.NotDer("more in a SignerInfo than belongs there")
    by_name = sid.tag == der.SEQUENCE
    if der.integer(version) != (1 if by_name else 3):
        raise der.NotDer("a SignerInfo of a version that does not fit how it names the certificate")
    hash_name = _hash(digest)
    return Signer(
        _issuer_and_serial(sid) if by_name else None,
        None if by_name else der.expect(sid, _KEY_IDENTIFIER),
        hash_name,
        _algorithm(algorithm, hash_name),
        _attributes(attributes),
        _set_of(attributes),
        der.expect(signature, der.OCTET_STRING),
    )


def _issuer_and_serial(element: der.Element) -> tuple[bytes, int]:
    issuer, serial = _fields(element.content, 2)
    return issuer.raw, der.integer(serial)


def _attributes(element: der.Element) -> dict[str, der.Element]:
    """Signed attributes, each once and with one value. None at all would make the content's own bytes the attributes."""
    found: dict[str, der.Element] = {}
    for attribute in der.items(element, _ZERO):
        kind, values = _fields(der.expect(attribute, der.SEQUENCE), 2)
        name = der.object_identifier(kind)
        if name in found:
            raise der.NotDer(f"signed attribute {name} occurs twice")
        (found[name],) = _fields(der.expect(values, der.SET), 1)
    return found


def _set_of(element: der.Element) -> bytes:
    return der.write(der.SET, b"".join(sorted(item.raw for item in der.children(element.content))))


def algorithm_identifier(element: der.Element) -> tuple[str, der.Element | None]:
    """Object identifier and parameters (RFC 5280, 4.1.1.2)."""
    kind, *parameters = der.items(element)
    if len(parameters) > 1:
        raise der.NotDer("more in an algorithm than its parameters")
    return der.object_identifier(kind), parameters[0] if parameters else None


def _hash(element: der.Element) -> str:
    return hash_of(*algorithm_identifier(element))


def hash_of(oid: str, parameters: der.Element | None) -> str:
    """hashlib's name of a hash algorithm. Raises `NotDer` for those that are too weak, and for others."""
    if oid not in HASHES or parameters not in (None, _NULL):
        raise der.NotDer(f"hash algorithm {quoted(oid)} is not acceptable")
    return HASHES[oid]


def _algorithm(element: der.Element, hash_name: str) -> str:
    oid, parameters = algorithm_identifier(element)
    if oid == _PSS:
        if parameters is None or parameters.raw not in _pss_parameters(hash_name):
            raise der.NotDer("RSA-PSS with other parameters than the signer's hash")
        return oid
    known = oid == _RSA or _HASH_OF.get(oid) == hash_name
    if not known or parameters not in (None, _NULL):
        raise der.NotDer(f"signature algorithm {quoted(oid)} is not acceptable with {hash_name}")
    return _SHA256_WITH_RSA if oid == _RSA else oid


def _pss_parameters(hash_name: str) -> list[bytes]:
    """RFC 4055, 3.1: one hash, a salt as long as it. NULL parameters of the hash may be left out."""
    salt = der.write(_TWO, der.write(der.INTEGER, bytes((hashlib.new(hash_name).digest_size,))))
    hashes = [_sequence(_OIDS[hash_name], null) for null in (_NULL.raw, b"")]
    return [
        _sequence(der.write(_ZERO, one), der.write(_ONE, _sequence(_MGF1, other)), salt)
        for one in hashes
        for other in hashes
    ]


def hash_identifier(hash_name: str) -> bytes:
    """AlgorithmIdentifier of a hash, DER."""
    return _sequence(_OIDS[hash_name], _NULL.raw)


def _sequence(*parts: bytes) -> bytes:
    return der.write(der.SEQUENCE, b"".join(parts))


def is_named(signer: Signer, certificate: Certificate) -> bool:
    """Whether `signer` names `certificate` as its own."""
    if signer.issuer_and_serial is not None:
        return signer.issuer_and_serial == (certificate.issuer_der, certificate.serial)
    return signer.key_identifier == _key_identifier_of(certificate)


def _key_identifier_of(certificate: Certificate) -> bytes | None:
    value, _ = extensions_of(certificate).get(_SUBJECT_KEY_IDENTIFIER, (None, False))
    return None if value is None else der.single(value, der.OCTET_STRING)


def check_signature(signed: SignedData, certificate: Certificate) -> None:
    """Raise `InvalidTimestamp` unless the key of `certificate` signed content and type (5.4, 5.6)."""
    signer = signed.signer
    try:
        kind = der.object_identifier(_attribute(signer, CONTENT_TYPE))
        digest = der.expect(_attribute(signer, MESSAGE_DIGEST), der.OCTET_STRING)
    except der.NotDer as e:
        raise InvalidTimestamp(f"a signed attribute is malformed: {e}") from None
    if kind != signed.content_type:
        raise InvalidTimestamp("its signature is for another type of content")
    if hashlib.new(signer.hash_name, signed.content).digest() != digest:
        raise InvalidTimestamp("its signature is for other content")
    try:
        check_key_signature(
            certificate.public_key,
            signer.algorithm,
            signer.hash_name,
            signer.signature,
            signer.signed_bytes,
        )
    except InvalidCertificate:
        raise InvalidTimestamp("its signature was not made by the key of its certificate") from None


def _attribute(signer: Signer, oid: str) -> der.Element:
    if oid not in signer.attributes:
        raise InvalidTimestamp(f"signed attribute {oid} is missing")
    return signer.attributes[oid]
