"""Timestamp tokens (RFC 3161, 2.4.2; RFC 5816): read, and opened by their own signature. Pure.

`parse_token` believes nothing; `Token.open` proves that the key of the certificate which the token names signed it, and only
then reads what it says. What this module does not do: find out whether anyone trusts that certificate (`timestamp_chain`).
"""

from __future__ import annotations

import hashlib
import re
from datetime import datetime, timedelta
from typing import NamedTuple

from nv2.errors import InvalidCertificate, InvalidTimestamp
from nv2.pki import cms, der
from nv2.pki.certificate import Certificate, parse_certificate
from nv2.pki.extensions import read_extensions
from nv2.pki.profile import check_work
from nv2.plain_text import quoted

TST_INFO = "1.2.840.113549.1.9.16.1.4"
SIGNING_CERTIFICATE = "1.2.840.113549.1.9.16.2.12"
SIGNING_CERTIFICATE_V2 = "1.2.840.113549.1.9.16.2.47"
SIGNING_TIME = "1.2.840.113549.1.9.5"

BASELINE_POLICY = "0.4.0.2023.1.1"
"""RFC 3628, 5.2: who follows it is right to a second, without saying so."""

MAX_ACCURACY = 366 * 24 * 3600
"""Seconds. Whoever does not know the year does not know the time."""

_SECONDS, _MILLIS, _MICROS = der.INTEGER, 0x80, 0x81
_TSA, _EXTENSIONS = 0xA0, 0xA1
_DIRECTORY_NAME = 0xA4


class TstInfo(NamedTuple):
    """What an authority says. Times are aware."""

    policy: str
    hash_name: str
    """hashlib's name."""
    imprint: bytes
    serial: int
    gen_time: datetime
    accuracy: timedelta
    nonce: int | None

    @property
    def earliest(self) -> datetime:
        """The first instant that it may have been."""
        return self.gen_time - self.accuracy

    @property
    def latest(self) -> datetime:
        """The last instant that it may have been."""
        return self.gen_time + self.accuracy

    def check_imprint(self, data: bytes) -> None:
        """Raise `InvalidTimestamp` unless `data` is what was stamped."""
        if hashlib.new(self.hash_name, data).digest() != self.imprint:
            raise InvalidTimestamp("it is the timestamp of something else")


class OpenedToken(NamedTuple):
    """A token that the key of `signer` signed. Only `Token.open` makes one. Nothing says yet that anyone trusts it."""

    info: TstInfo
    signer: Certificate
    certificates: tuple[Certificate, ...]
    """All that came with the token, in its order."""
    signing_time: datetime | None
    """The signed attribute of that name: superfluous, but it must not contradict."""


class Token(NamedTuple):
    """A well-formed token. Nothing in it is believed before `open`."""

    signed: cms.SignedData
    certificates: tuple[Certificate, ...]

    def claimed(self) -> TstInfo:
        """What it says, unproven: for those who show it and do not believe it. Raises `InvalidTimestamp`."""
        return _guarded_info(self.signed.content)

    def open(self) -> OpenedToken:
        """Prove that the certificate it names signed it, and read it. Raises `InvalidTimestamp`."""
        try:
            signer = self._signer()
            _check_work(signer)
            cms.check_signature(self.signed, signer)
            _check_named(self.signed.signer, signer)
            attribute = self.signed.signer.attributes.get(SIGNING_TIME)
            signing_time = None if attribute is None else der.instant(attribute)
        except ValueError as e:
            raise InvalidTimestamp(f"a signed attribute, or its certificate, is malformed: {e}") from None
        return OpenedToken(_guarded_info(self.signed.content), signer, self.certificates, signing_time)

    def _signer(self) -> Certificate:
        for certificate in self.certificates:
            if cms.is_named(self.signed.signer, certificate):
                return certificate
        raise InvalidTimestamp("the certificate of its signer does not come with it")


def parse_token(data: bytes) -> Token:
    """Read a token, BER or DER, to its last byte. Raises `InvalidTimestamp`."""
    try:
        signed = cms.parse_signed_data(data)
    except ValueError as e:
        raise InvalidTimestamp(f"not a timestamp token: {e}") from None
    if signed.content_type != TST_INFO:
        raise InvalidTimestamp(f"not a timestamp token: its content is of type {quoted(signed.content_type)}")
    try:
        found = tuple(
            parse_certificate(raw, f"certificate #{number}")
            for number, raw in enumerate(signed.certificates, 1)
        )
    except InvalidCertificate as e:
        raise InvalidTimestamp(str(e)) from None
    return Token(signed, found)


def _check_work(signer: Certificate) -> None:
    try:
        check_work(signer)
    except InvalidCertificate as e:
        raise InvalidTimestamp(str(e)) from None


def _check_named(signer: cms.Signer, certificate: Certificate) -> None:
    """The signed attribute names the certificate: else any of the same key would do (RFC 5816; RFC 5035, 5)."""
    if SIGNING_CERTIFICATE_V2 not in signer.attributes:
        # The specification demands it, and the older attribute knows no hash but SHA-1.
        raise InvalidTimestamp("the signed attribute signing-certificate-v2 is missing")
    _check_certificate_id(_first_id(signer.attributes[SIGNING_CERTIFICATE_V2]), certificate, "sha256")
    if (
        SIGNING_CERTIFICATE in signer.attributes
    ):  # proves nothing beside the other one, and must not contradict it
        _check_certificate_id(_first_id(signer.attributes[SIGNING_CERTIFICATE]), certificate, "sha1")


def _first_id(attribute: der.Element) -> list[der.Element]:
    """The first ESSCertID, which is the signer's; those after it only restrict the way to a root."""
    identifiers, *policies = der.items(attribute)
    listed = der.items(identifiers)
    if not listed or len(policies) > 1:
        raise der.NotDer("malformed signing-certificate")
    return der.items(listed[0])


def _check_certificate_id(fields: list[der.Element], certificate: Certificate, hash_name: str) -> None:
    """ESSCertIDv2 (RFC 5035, 4), or ESSCertID, which has no field for the hash: that is `hash_name` unless it is given."""
    if fields and fields[0].tag == der.SEQUENCE and hash_name != "sha1":
        hash_name = cms.hash_of(*cms.algorithm_identifier(fields.pop(0)))
    if not 1 <= len(fields) <= 2:
        raise der.NotDer("malformed signing-certificate")
    thumbprint = hashlib.new(hash_name, certificate.der, usedforsecurity=hash_name != "sha1").digest()
    if der.expect(fields[0], der.OCTET_STRING) != thumbprint:
        raise InvalidTimestamp("its signed attribute names another certificate by its hash")
    if len(fields) == 2 and not _is_issuer_serial(fields[1], certificate):
        raise InvalidTimestamp("its signed attribute names another certificate by issuer and serial number")


def _is_issuer_serial(element: der.Element, certificate: Certificate) -> bool:
    names, serial = der.items(element)
    (name,) = der.items(names)
    issuer = der.expect(name, _DIRECTORY_NAME)
    return (issuer, der.integer(serial)) == (certificate.issuer_der, certificate.serial)


def _guarded_info(content: bytes) -> TstInfo:
    try:
        return _info(content)
    except (ValueError, OverflowError) as e:
        raise InvalidTimestamp(f"malformed TSTInfo: {e}") from None


def _info(content: bytes) -> TstInfo:
    """TSTInfo, which is always DER (2.4.2)."""
    version, policy, imprint, serial, when, *rest = der.children(der.single(content, der.SEQUENCE))
    if der.integer(version) != 1:
        raise der.NotDer("a version that is not 1")
    accuracy = rest.pop(0) if rest and rest[0].tag == der.SEQUENCE else None
    if rest and rest[0].tag == der.BOOLEAN:
        der.boolean(rest.pop(0))  # ordering: says how two timestamps of one authority relate
    nonce = der.integer(rest.pop(0)) if rest and rest[0].tag == der.INTEGER else None
    if rest and rest[0].tag == _TSA:
        rest.pop(0)  # a hint; who signed is told by the certificate (2.4.2)
    if rest and rest[0].tag == _EXTENSIONS:
        _refuse_critical(rest.pop(0))
    if rest:
        raise der.NotDer("more than belongs there")
    algorithm, stamped = der.items(imprint)
    hash_name = cms.hash_of(*cms.algorithm_identifier(algorithm))
    hashed = der.expect(stamped, der.OCTET_STRING)
    if len(hashed) != hashlib.new(hash_name).digest_size:
        raise der.NotDer("an imprint that is not as long as its hash")
    name = der.object_identifier(policy)
    found = TstInfo(
        name,
        hash_name,
        hashed,
        der.integer(serial),
        _gen_time(when),
        _accuracy(accuracy, name),
        nonce,
    )
    _ = found.earliest, found.latest  # an instant that no calendar has is an error here, not later
    return found


_FRACTION = re.compile(rb"(\d{14})\.(\d{0,8}[1-9])Z")


def _gen_time(element: der.Element) -> datetime:
    """2.4.2: in UTC, with a fraction that does not end in 0 if there is one; what is below a microsecond is cut off."""
    fraction = _FRACTION.fullmatch(der.expect(element, der.GENERALIZED_TIME))
    if fraction is None:
        return der.instant(element)
    whole = der.instant(element._replace(content=fraction[1] + b"Z"))
    return whole.replace(microsecond=int(fraction[2][:6].ljust(6, b"0")))


def _refuse_critical(element: der.Element) -> None:
    extensions = read_extensions(der.write(der.SEQUENCE, element.content))
    for oid, (_, critical) in extensions.items():
        if critical:
            raise der.NotDer(f"unknown critical extension {quoted(oid)}")


def _accuracy(element: der.Element | None, policy: str) -> timedelta:
    """2.4.2; what is not said is 0, or a second under the baseline policy ("Validate Authentic Timestamp")."""
    found = timedelta(0)
    tags = (_SECONDS, _MILLIS, _MICROS)
    fields = der.children(element.content) if element else []
    if [field.tag for field in fields] != [tag for tag in tags if tag in [field.tag for field in fields]]:
        raise der.NotDer("malformed accuracy")
    for field in fields:
        value = der.integer(field._replace(tag=der.INTEGER))
        if not 0 <= value <= (MAX_ACCURACY if field.tag == _SECONDS else 999):
            raise der.NotDer("an accuracy that is negative, or too large")
        found += {
            _SECONDS: timedelta(seconds=value),
            _MILLIS: timedelta(milliseconds=value),
            _MICROS: timedelta(microseconds=value),
        }[field.tag]
    return found or timedelta(seconds=1 if policy == BASELINE_POLICY else 0)
