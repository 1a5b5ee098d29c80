"""JWS envelopes: flattened JSON serialization (signature-envelope-jws.md; RFC 7515, 7.2.2).

Unknown members of the unprotected header are ignored, as RFC 7515 says; everything else that two readers could
read in two ways is refused: other spellings of a name, base64 that is not canonical, a name in both headers.
"""

from __future__ import annotations

import re
from base64 import b64encode, urlsafe_b64encode
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from nv2 import strict_json
from nv2.envelope.algorithms import BY_JWS, Algorithm
from nv2.envelope.envelope import Draft, Envelope, UnsignedAttributes
from nv2.envelope.header import (
    AUTHENTIC_SIGNING_TIME,
    EXPIRY,
    SCHEME,
    SIGNING_AGENT,
    SIGNING_TIME,
    TIMESTAMP,
    Dialect,
    build_header,
    read_header,
)
from nv2.envelope.payload import canonical, read_payload, refuse_other_spellings
from nv2.errors import MalformedEnvelope, UsageError
from nv2.oci import media_types as mt
from nv2.plain_text import rfc3339
from nv2.strict_json import Fields

_MEMBERS = ("payload", "protected", "header", "signature")
_PROTECTED = ("alg", "cty", "crit", SCHEME, SIGNING_TIME, AUTHENTIC_SIGNING_TIME, EXPIRY)
_HEADER = ("x5c", TIMESTAMP, SIGNING_AGENT)

_REGISTERED = ("alg", "jku", "jwk", "kid", "x5u", "x5c", "x5t", "x5t#S256", "typ", "cty", "crit")
"""RFC 7515, 4.1: names of the standard, which `crit` must not repeat."""

# Upper case T and Z, as Go reads it. The specification advises against fractions; notation reads them.
_RFC3339 = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:Z|([+-])(\d\d):(\d\d))", re.ASCII
)


def _read_time(value: Any, at: str) -> datetime:
    found = _RFC3339.fullmatch(value) if isinstance(value, str) else None
    if not found:
        raise MalformedEnvelope("expected a time like 2026-01-02T15:04:05Z", at=at)
    year, month, day, hour, minute, second, fraction, sign, hours, minutes = found.groups()
    try:
        zone = UTC if sign is None else _zone(sign, int(hours), int(minutes))
        date = (int(year), int(month), int(day))
        microsecond = int((fraction or "0").ljust(6, "0")[:6])
        instant = datetime(*date, int(hour), int(minute), int(second), microsecond, tzinfo=zone)
        instant.astimezone(UTC)  # so that nobody who converts it later runs over the ends of time
    except (ValueError, OverflowError):
        raise MalformedEnvelope(f"no such time: {value}", at=at) from None
    return instant


def _zone(sign: str, hours: int, minutes: int) -> timezone:
    if minutes > 59:
        raise ValueError
    offset = timedelta(hours=hours, minutes=minutes)
    return timezone(-offset if sign == "-" else offset)


DIALECT = Dialect(
    algorithm="alg",
    critical="crit",
    content_type="cty",
    algorithms=BY_JWS,
    # signingTime: notation refuses it here, though not in COSE.
    never_critical=frozenset((*_REGISTERED, SIGNING_TIME)),
    read_time=_read_time,
    write_time=rfc3339,
    place=lambda label: f"protected.{label}",
)


# `base64` does the same in twice the time.
_FROM_URL = bytes.maketrans(b"-_", b"+/")
_TO_URL = bytes.maketrans(b"+/", b"-_")


def parse(data: bytes) -> Envelope:
    """Read the structure. Raises `MalformedEnvelope` with the place, such as `protected.crit[1]`."""
    envelope = Fields.of(strict_json.loads(data, MalformedEnvelope), "", MalformedEnvelope)
    if "signatures" in envelope.value:
        raise MalformedEnvelope("only the flattened form, with one signature, is acceptable", at="signatures")
    envelope.only(*_MEMBERS)
    texts = {name: envelope.require(name, str) for name in ("payload", "protected", "signature")}
    raw = {name: _decode(text, name, _base64url) for name, text in texts.items()}
    protected = Fields.of(
        strict_json.loads(raw["protected"], MalformedEnvelope, at="protected"), "protected", MalformedEnvelope
    )
    refuse_other_spellings(protected, _PROTECTED)
    algorithm, attributes = read_header(protected.value, DIALECT)
    header = Fields.of(envelope.require("header", dict), "header", MalformedEnvelope)
    return Envelope(
        mt.JWS,
        algorithm,
        attributes,
        _unsigned(header, protected),
        raw["payload"],
        read_payload(attributes.content_type, raw["payload"]),
        raw["signature"],
        _signing_input(texts["protected"], texts["payload"]),
        data,
    )


def _signing_input(protected: str, payload: str) -> bytes:
    return f"{protected}.{payload}".encode("ascii")


def _unsigned(header: Fields, protected: Fields) -> UnsignedAttributes:
    refuse_other_spellings(header, _HEADER)
    for name in header.value:
        if name in protected.value:
            raise MalformedEnvelope("is in the protected header too", at=header.place(name))
    certificates = header.strings("x5c")
    if not certificates:
        raise MalformedEnvelope("the certificate chain is missing", at="header.x5c")
    timestamp = header.get(TIMESTAMP, str)
    return UnsignedAttributes(
        tuple(_decode(text, f"header.x5c[{i}]", _base64) for i, text in enumerate(certificates)),
        header.get(SIGNING_AGENT, str) or None,
        _decode(timestamp, header.place(TIMESTAMP), _base64) if timestamp else None,
    )


def _base64url(data: bytes) -> tuple[bytes, bytes]:
    decoded = a2b_base64(data.translate(_FROM_URL) + b"=" * (-len(data) % 4))
    return decoded, b2a_base64(decoded, newline=False).translate(_TO_URL).rstrip(b"=")


def _base64(data: bytes) -> tuple[bytes, bytes]:
    decoded = a2b_base64(data)
    return decoded, b2a_base64(decoded, newline=False)


def _decode(text: str, at: str, codec: Callable[[bytes], tuple[bytes, bytes]]) -> bytes:
    """The bytes of `text`, which must be their only spelling: Python skips what is not base64."""
    try:
        data = text.encode("ascii")
        decoded, canonical_form = codec(data)
    except ValueError:
        raise MalformedEnvelope("is not base64", at=at) from None
    if data != canonical_form:
        raise MalformedEnvelope("is not canonical base64", at=at)
    if not decoded:
        raise MalformedEnvelope("is empty", at=at)
    return decoded


def seal(draft: Draft, chain: Iterable[bytes], algorithm: Algorithm, sign: Callable[[bytes], bytes]) -> bytes:
    """The envelope of `draft`. Raises `UsageError` for what JWS cannot carry, and whatever `sign` raises."""
    if any(not isinstance(attribute.key, str) for attribute in draft.attributes.extended):
        raise UsageError("attributes of a JWS envelope have names, not numbers")
    protected = _encode(canonical(build_header(draft.attributes, algorithm.jws, DIALECT)))
    payload = _encode(draft.payload)
    signature = sign(_signing_input(protected, payload))
    header = {"x5c": [b64encode(certificate).decode() for certificate in chain]}
    agent = {SIGNING_AGENT: draft.signing_agent} if draft.signing_agent else {}
    return canonical(
        {
            "payload": payload,
            "protected": protected,
            "header": {**header, **agent},
            "signature": _encode(signature),
        }
    )


def with_timestamp(data: bytes, token: bytes) -> bytes:
    """The envelope `data`, which is well-formed, with a timestamp token; what is signed stays as it is."""
    envelope = strict_json.loads(data, MalformedEnvelope)
    header = {**envelope["header"], TIMESTAMP: b64encode(token).decode()}
    return canonical({**envelope, "header": header})


def _encode(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()
