"""An OCSP response as it is written (RFC 6960, 4.2.1): parsed strictly, believed in nothing."""

from __future__ import annotations

from datetime import datetime
from enum import IntEnum
from typing import NamedTuple

from nv2.errors import InvalidRevocationData
from nv2.pki import der
from nv2.pki.certificate_status import MAX_RESPONSE
from nv2.pki.extensions import Extensions, read_extensions
from nv2.pki.public_keys import signature_algorithm

MAX_STATEMENTS = 100
"""Statements about single certificates in one answer; we ask about one."""

MAX_CERTIFICATES = 10
"""Certificates in one answer: one that signed it, and perhaps the chain of that one, which nobody needs."""

STATUSES = {
    0: "successful",
    1: "malformedRequest",
    2: "internalError",
    3: "tryLater",
    5: "sigRequired",
    6: "unauthorized",
}
"""OCSPResponseStatus (4.2.1)."""

_BASIC = "1.3.6.1.5.5.7.48.1.1"
_EXPLICIT = (0xA0, 0xA1, 0xA2)
_GOOD, _REVOKED, _UNKNOWN = 0x80, 0xA1, 0x82


class CertStatus(IntEnum):
    """What a responder says: by tag."""

    GOOD = _GOOD
    REVOKED = _REVOKED
    UNKNOWN = _UNKNOWN


class Statement(NamedTuple):
    """SingleResponse: what is said about one certificate."""

    cert_id: der.Element
    said: CertStatus
    revoked_at: datetime | None
    reason: int | None
    this_update: datetime
    next_update: datetime | None
    extensions: Extensions


class OcspResponse(NamedTuple):
    """BasicOCSPResponse."""

    signed_bytes: bytes
    algorithm: str
    """Of the signature, as a dotted object identifier."""
    hash_name: str | None
    """Of the signature, where it is known and not part of the algorithm."""
    signature: bytes
    certificates: tuple[bytes, ...]
    """DER, as sent along; whose they are remains to be seen."""
    responder: der.Element
    """ResponderID: a name or the hash of a key."""
    produced_at: datetime
    statements: tuple[Statement, ...]
    extensions: Extensions


def parse_response(data: bytes) -> OcspResponse | str:
    """The response, to its last byte; or, of one that is an error, its name. Raises `InvalidRevocationData`."""
    if len(data) > MAX_RESPONSE:
        raise InvalidRevocationData(f"the OCSP response is longer than {MAX_RESPONSE} bytes")
    try:
        return _response(data)
    except (ValueError, IndexError) as e:
        raise InvalidRevocationData(f"not an OCSP response: {e}") from None


def _response(data: bytes) -> OcspResponse | str:
    status, *rest = der.children(der.single(data, der.SEQUENCE))
    code = der.integer(_enumerated(status))
    if code != 0:
        return STATUSES.get(code, f"the status {code}")
    (explicit,) = rest
    kind, body = der.items(_inside(explicit, 0))
    if der.object_identifier(kind) != _BASIC:
        raise der.NotDer("a response of another type than id-pkix-ocsp-basic")
    signed, algorithm, signature, *certificates = der.children(
        der.single(der.expect(body, der.OCTET_STRING), der.SEQUENCE)
    )
    bits = der.expect(signature, der.BIT_STRING)
    if bits[:1] != b"\0" or len(certificates) > 1:
        raise der.NotDer("a signature that does not fill its bytes, or something after the certificates")
    sent = [item.raw for field in certificates for item in der.items(_inside(field, 0))]
    _at_most(MAX_CERTIFICATES, sent, "certificates")
    oid, hash_name = signature_algorithm(algorithm)
    responder, produced_at, statements, extensions = _data(signed)
    return OcspResponse(
        signed.raw, oid, hash_name, bits[1:], tuple(sent), responder, produced_at, statements, extensions
    )


def _data(signed: der.Element) -> tuple[der.Element, datetime, tuple[Statement, ...], Extensions]:
    """ResponseData."""
    fields = der.items(signed)
    if fields[0].tag == _EXPLICIT[0] and der.integer(_inside(fields.pop(0), 0)) != 0:
        raise der.NotDer("a version that is not 1")
    responder, produced_at, statements, *rest = fields
    found = der.items(statements)
    _at_most(MAX_STATEMENTS, found, "statements")
    return responder, _time(produced_at), tuple(map(_statement, found)), _extensions(rest)


def _statement(element: der.Element) -> Statement:
    cert_id, status, this_update, *rest = der.items(element)
    next_update = _time(_inside(rest.pop(0), 0)) if rest and rest[0].tag == _EXPLICIT[0] else None
    said = CertStatus(status.tag)
    revoked_at, reason = _revoked_info(status) if said is CertStatus.REVOKED else (None, None)
    if said is not CertStatus.REVOKED and status.content:
        raise der.NotDer("a status with something in it that has none")
    return Statement(cert_id, said, revoked_at, reason, _time(this_update), next_update, _extensions(rest))


def _revoked_info(status: der.Element) -> tuple[datetime, int | None]:
    at, *rest = der.children(status.content)
    if len(rest) > 1:
        raise der.NotDer("something after the reason of a revocation")
    reason = der.integer(_enumerated(_inside(rest[0], 0))) if rest else None
    return _time(at), reason


def _enumerated(element: der.Element) -> der.Element:
    """An ENUMERATED, which is written as an INTEGER is."""
    der.expect(element, der.ENUMERATED)
    return element._replace(tag=der.INTEGER)


def _time(element: der.Element) -> datetime:
    der.expect(element, der.GENERALIZED_TIME)
    return der.instant(element)


def _extensions(rest: list[der.Element]) -> Extensions:
    """The extensions in [1], which end what they belong to."""
    if not rest:
        return {}
    (field,) = rest
    return read_extensions(der.expect(field, _EXPLICIT[1]))


def _inside(element: der.Element, number: int) -> der.Element:
    """What an explicit tag is around."""
    (inner,) = der.children(der.expect(element, _EXPLICIT[number]))
    return inner


def _at_most(limit: int, found: list[bytes] | list[der.Element], what: str) -> None:
    if len(found) > limit:
        raise der.NotDer(f"more than {limit} {what}")
