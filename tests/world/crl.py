"""Certificate revocation lists for tests, of authorities that make mistakes.

    crl(ca, [Revoked(serial)], number=7)          # DER
    crl(ca, delta_of=6, number=8)                 # a delta
    crl(ca, issuing_point=issuing_point(only_some_reasons=(1,)))

Written byte for byte, because no library makes the wrong ones.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from nv2.pki import der
from tests.world.ca import CA, name_of

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
THIS_UPDATE = NOW - timedelta(hours=1)
NEXT_UPDATE = NOW + timedelta(days=7)
REVOKED_AT = NOW - timedelta(days=30)
URL = "http://crl.wabbit-networks.io/ca.crl"

Extension = tuple[str, bool, bytes]
"""Dotted object identifier, whether it is critical, value."""

HOLD, REMOVED = 6, 8

_NUMBER, _DELTA, _POINT, _FRESHEST = "2.5.29.20", "2.5.29.27", "2.5.29.28", "2.5.29.46"
_REASON, _INVALIDITY_DATE = "2.5.29.21", "2.5.29.24"
_HASHES: dict[str, Any] = {"sha256": hashes.SHA256, "sha384": hashes.SHA384, "sha512": hashes.SHA512}
_HASHES |= {"sha1": hashes.SHA1, "md5": hashes.MD5}
# Of RSA and EC; who uses SHA-1 or MD5 today has made a mistake.
_ALGORITHMS = {
    ("RSA", "md5"): "300d06092a864886f70d0101040500",
    ("RSA", "sha1"): "300d06092a864886f70d0101050500",
    ("RSA", "sha256"): "300d06092a864886f70d01010b0500",
    ("RSA", "sha384"): "300d06092a864886f70d01010c0500",
    ("RSA", "sha512"): "300d06092a864886f70d01010d0500",
    ("EC", "sha1"): "300906072a8648ce3d0401",
    ("EC", "sha256"): "300a06082a8648ce3d040302",
    ("EC", "sha384"): "300a06082a8648ce3d040303",
    ("EC", "sha512"): "300a06082a8648ce3d040304",
    ("Ed25519", "sha256"): "300506032b6570",
}


class Revoked(NamedTuple):
    """One entry. `written` is the INTEGER to write instead of the serial number's own."""

    serial: int
    reason: int | None = None
    at: datetime = REVOKED_AT
    invalid_since: datetime | None = None
    extensions: tuple[Extension, ...] = ()
    written: bytes | None = None


def crl(
    ca: CA,
    entries: Iterable[Revoked] = (),
    *,
    number: int | None = 1,
    this_update: datetime = THIS_UPDATE,
    next_update: datetime | None = NEXT_UPDATE,
    delta_of: int | None = None,
    issuing_point: bytes | None = None,
    freshest: Iterable[str] | None = None,
    extensions: Iterable[Extension] = (),
    version: int | None = 1,
    issuer: str | x509.Name | None = None,
    signed_by: Any = None,
    hash_name: str = "sha256",
    outer_algorithm: bytes | None = None,
    bad_signature: bool = False,
    raw_entries: bytes | None = None,
) -> bytes:
    """One CRL as DER; None leaves a field out. `raw_entries` are written instead of `entries`."""
    given = [
        *([(_NUMBER, False, integer(number))] if number is not None else []),
        *([(_DELTA, True, integer(delta_of))] if delta_of is not None else []),
        *([(_POINT, True, issuing_point)] if issuing_point is not None else []),
        *([(_FRESHEST, False, distribution_points(freshest))] if freshest is not None else []),
        *extensions,
    ]
    key = signed_by or ca.key
    algorithm = algorithm_identifier(key, hash_name)
    listed = b"".join(map(entry, entries)) if raw_entries is None else raw_entries
    tbs = sequence(
        integer(version) if version is not None else b"",
        algorithm,
        name_of(issuer).public_bytes() if issuer else ca.subject.public_bytes(),
        time(this_update),
        time(next_update) if next_update is not None else b"",
        sequence(listed) if listed else b"",
        der.write(0xA0, sequence(*map(extension, given))) if given else b"",
    )
    signature = sign(key, tbs, hash_name)
    if bad_signature:
        signature = signature[:-1] + bytes([signature[-1] ^ 1])
    return sequence(tbs, outer_algorithm or algorithm, der.write(der.BIT_STRING, b"\0" + signature))


def entry(revoked: Revoked) -> bytes:
    """One entry as DER."""
    given = list(revoked.extensions)
    if revoked.reason is not None:
        given.append((_REASON, False, der.write(der.ENUMERATED, bytes([revoked.reason]))))
    if revoked.invalid_since is not None:
        given.append((_INVALIDITY_DATE, False, generalized(revoked.invalid_since)))
    serial = integer(revoked.serial) if revoked.written is None else der.write(der.INTEGER, revoked.written)
    return sequence(serial, time(revoked.at), sequence(*map(extension, given)) if given else b"")


def issuing_point(
    urls: Iterable[str] = (),
    *,
    flags: Iterable[int] = (),
    only_some_reasons: Iterable[int] | None = None,
    name: bytes | None = None,
) -> bytes:
    """IssuingDistributionPoint; `flags` are the numbers of the fields that are true; `name` is in place of `urls`."""
    full_name = der.write(0xA0, b"".join(der.write(0x86, url.encode()) for url in urls))
    point = name if name is not None else full_name if urls else b""
    fields = {0: der.write(0xA0, point)} if point else {}
    fields |= {flag: der.write(0x80 | flag, b"\xff") for flag in flags}
    if only_some_reasons is not None:
        fields[3] = der.write(0x83, reason_flags(only_some_reasons))
    return sequence(*(fields[at] for at in sorted(fields)))


def reason_flags(positions: Iterable[int]) -> bytes:
    """The content of ReasonFlags."""
    bits = sum(0x8000 >> position for position in positions).to_bytes(2, "big").rstrip(b"\0")
    unused = next((n for n in range(8) if bits[-1:] and bits[-1] >> n & 1), 0)
    return bytes([unused]) + bits


def distribution_points(urls: Iterable[str]) -> bytes:
    """CRLDistributionPoints, one for each URL."""
    names = (der.write(0xA0, der.write(0xA0, der.write(0x86, url.encode()))) for url in urls)
    return sequence(*(sequence(name) for name in names))


def points(*found: x509.DistributionPoint) -> list[tuple[x509.ExtensionType, bool]]:
    """For `extensions` of `tests.world.ca.certificate`: distribution points of one's own making."""
    return [(x509.CRLDistributionPoints(found), False)]


@functools.cache
def many_entries(count: int) -> bytes:
    """Entries of 20-byte serial numbers that no certificate of these tests has, 41 or 42 bytes each."""
    made = bytearray()
    tail = time(REVOKED_AT) + b""
    for number in range(count):
        # Scattered, so that the bytes look like those of random serial numbers.
        serial = (1 << 158) + (number * 0x9E3779B97F4A7C15F39CC0605CEDC834) % (1 << 157)
        made += sequence(der.write(der.INTEGER, serial.to_bytes(20, "big")), tail)
    return bytes(made)


def sequence(*parts: bytes) -> bytes:
    return der.write(der.SEQUENCE, b"".join(parts))


def integer(value: int) -> bytes:
    return der.write(der.INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))


def extension(given: Extension) -> bytes:
    oid, critical, value = given
    name = x509.ObjectIdentifier(oid)
    return sequence(_oid(name), b"\x01\x01\xff" if critical else b"", der.write(der.OCTET_STRING, value))


def time(instant: datetime) -> bytes:
    """UTCTime before 2050, GeneralizedTime from then on."""
    if instant.year >= 2050:
        return generalized(instant)
    return der.write(der.UTC_TIME, instant.astimezone(UTC).strftime("%y%m%d%H%M%SZ").encode())


def generalized(instant: datetime) -> bytes:
    return der.write(der.GENERALIZED_TIME, instant.astimezone(UTC).strftime("%Y%m%d%H%M%SZ").encode())


def _oid(oid: x509.ObjectIdentifier) -> bytes:
    first, second, *rest = map(int, oid.dotted_string.split("."))
    content = bytearray()
    for arc in (40 * first + second, *rest):
        septets = [arc & 0x7F]
        while arc := arc >> 7:
            septets.append(arc & 0x7F | 0x80)
        content += bytes(reversed(septets))
    return der.write(der.OBJECT_IDENTIFIER, bytes(content))


def _kind(key: Any) -> str:
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return "Ed25519"
    return "RSA" if isinstance(key, rsa.RSAPrivateKey) else "EC"


def algorithm_identifier(key: Any, hash_name: str) -> bytes:
    """AlgorithmIdentifier, DER, of signatures by `key` with `hash_name`: SHA-1 and MD5 too."""
    return bytes.fromhex(_ALGORITHMS[_kind(key), hash_name])


def sign(key: Any, data: bytes, hash_name: str) -> bytes:
    """The signature of `data`."""
    match key:
        case ed25519.Ed25519PrivateKey():
            return key.sign(data)
        case rsa.RSAPrivateKey():
            return key.sign(data, padding.PKCS1v15(), _HASHES[hash_name]())
        case _:
            return bytes(key.sign(data, ec.ECDSA(_HASHES[hash_name]())))
