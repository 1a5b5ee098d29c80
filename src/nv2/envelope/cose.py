"""COSE_Sign1 envelopes (signature-envelope-cose.md; RFC 9052, 4.2).

Stricter than notation: encodings must be minimal, the time of the other signing scheme must be absent, and a
label must not be in both headers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from nv2.envelope import cbor
from nv2.envelope.algorithms import BY_COSE, Algorithm
from nv2.envelope.envelope import Draft, Envelope, UnsignedAttributes
from nv2.envelope.header import SIGNING_AGENT, TIMESTAMP, Dialect, Label, build_header, read_header
from nv2.envelope.payload import read_payload
from nv2.errors import MalformedEnvelope, UsageError
from nv2.oci import media_types as mt

_SIGN1 = 18
"""CBOR tag of COSE_Sign1."""
_EPOCH_TIME = 1
"""CBOR tag of a time in seconds since 1970."""
_X5CHAIN = 33
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _place(label: Label) -> str:
    return f"protected[{label!r}]"


def _read_time(value: Any, at: str) -> datetime:
    if not isinstance(value, cbor.Tag) or value.number != _EPOCH_TIME:
        raise MalformedEnvelope("expected a time with CBOR tag 1", at=at)
    if type(value.value) not in (int, float):
        raise MalformedEnvelope("expected seconds since 1970", at=at)
    try:
        return _EPOCH + timedelta(seconds=value.value)
    except (OverflowError, ValueError):
        raise MalformedEnvelope("no such time", at=at) from None


def _write_time(instant: datetime) -> cbor.Tag:
    return cbor.Tag(_EPOCH_TIME, (instant - _EPOCH) // timedelta(seconds=1))


_KEY_ID, _TYPE = 4, 16
_MISPLACED = {
    5: "an initialization vector",
    6: "an initialization vector",
    7: "a countersignature",
    9: "a countersignature",
    11: "a countersignature",
    12: "a countersignature",
}
"""Registered parameters that an envelope has no use for. Notation checks their types; here they are refused."""


def _check_registered(header: Mapping[Label, Any], at: str) -> None:
    """The rules of RFC 9052, 3.1 for parameters that the specification does not name."""
    for label, what in _MISPLACED.items():
        if label in header:
            raise MalformedEnvelope(f"{what} is not expected", at=f"{at}[{label}]")
    if _KEY_ID in header and not isinstance(header[_KEY_ID], bytes):
        raise MalformedEnvelope("expected a byte string", at=f"{at}[{_KEY_ID}]")
    kind = header.get(_TYPE, 0)
    if not (type(kind) is int and kind >= 0) and not _is_media_type(kind):
        raise MalformedEnvelope("expected a media type", at=f"{at}[{_TYPE}]")


def _is_media_type(value: Any) -> bool:
    return isinstance(value, str) and value.count("/") == 1 and value == value.strip(" ")


DIALECT = Dialect(
    algorithm=1,
    critical=2,
    content_type=3,
    algorithms=BY_COSE,
    never_critical=frozenset(range(9)),
    read_time=_read_time,
    write_time=_write_time,
    place=_place,
)


def parse(data: bytes) -> Envelope:
    """Read the structure. Raises `MalformedEnvelope` with the place, such as `protected[2][1]`."""
    message = cbor.decode(data, MalformedEnvelope)
    if not isinstance(message, cbor.Tag) or message.number != _SIGN1:
        raise MalformedEnvelope("is not a COSE_Sign1 message with tag 18")
    if not isinstance(message.value, list) or len(message.value) != 4:
        raise MalformedEnvelope("a COSE_Sign1 message is an array of 4")
    raw_protected, unprotected, raw_payload, raw_signature = message.value
    body = _bytes(raw_protected, "protected")
    protected = _map(cbor.decode(body, MalformedEnvelope, at="protected"), "protected")
    _check_registered(protected, "protected")
    algorithm, attributes = read_header(protected, DIALECT)
    _check_tags(protected)
    payload = _bytes(raw_payload, "payload")
    return Envelope(
        mt.COSE,
        algorithm,
        attributes,
        _unsigned(_map(unprotected, "unprotected"), protected),
        payload,
        read_payload(attributes.content_type, payload),
        _bytes(raw_signature, "signature"),
        _sig_structure(body, payload),
        data,
    )


def _sig_structure(protected: bytes, payload: bytes) -> bytes:
    """What is signed (RFC 9052, 4.4), without external data."""
    return cbor.encode(["Signature1", protected, b"", payload])


def _bytes(value: Any, at: str) -> bytes:
    if not isinstance(value, bytes) or not value:
        raise MalformedEnvelope("expected a byte string that is not empty", at=at)
    return value


def _map(value: Any, at: str) -> dict[Label, Any]:
    if not isinstance(value, dict):
        raise MalformedEnvelope("expected a map", at=at)
    return value


def _unsigned(header: Mapping[Label, Any], protected: Mapping[Label, Any]) -> UnsignedAttributes:
    _check_registered(header, "unprotected")
    for label, value in header.items():
        if label in protected:
            raise MalformedEnvelope("is in the protected header too", at=f"unprotected[{label!r}]")
        if _has_tag(value):
            raise MalformedEnvelope("a tag is not expected", at=f"unprotected[{label!r}]")
    chain = header.get(_X5CHAIN)
    # RFC 9360 allows one byte string for a chain of one; the specification does not, nor does notation.
    if not isinstance(chain, list) or not chain:
        raise MalformedEnvelope("expected an array of certificates", at=f"unprotected[{_X5CHAIN}]")
    agent, timestamp = header.get(SIGNING_AGENT), header.get(TIMESTAMP)
    return UnsignedAttributes(
        tuple(_bytes(der, f"unprotected[{_X5CHAIN}][{i}]") for i, der in enumerate(chain)),
        # "The verifier MUST NOT validate formatting" of it, so one that is not text is no agent.
        agent if isinstance(agent, str) and agent else None,
        None if timestamp is None else _bytes(timestamp, f"unprotected[{TIMESTAMP!r}]"),
    )


def _check_tags(header: Mapping[Label, Any]) -> None:
    """Nobody may read a date out of what is none, in an attribute that is unknown here either."""
    for label, value in header.items():
        if (number := cbor.misused_tag(value)) is not None:
            raise MalformedEnvelope(f"tag {number} on something else than it is for", at=_place(label))


def _has_tag(value: Any) -> bool:
    """Whether there is a tag anywhere in `value`, whose depth the reader has bounded."""
    if isinstance(value, cbor.Tag):
        return True
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(map(_has_tag, inside))


def seal(draft: Draft, chain: Iterable[bytes], algorithm: Algorithm, sign: Callable[[bytes], bytes]) -> bytes:
    """The envelope of `draft`. Raises `UsageError` for what no envelope can carry, and whatever `sign` raises."""
    header = build_header(draft.attributes, algorithm.cose, DIALECT)
    try:
        protected = cbor.encode(header)
    except (TypeError, ValueError) as e:
        raise UsageError(f"this cannot be signed: {e}") from None
    signature = sign(_sig_structure(protected, draft.payload))
    unprotected: dict[Label, Any] = {_X5CHAIN: list(chain)}
    if draft.signing_agent:
        unprotected[SIGNING_AGENT] = draft.signing_agent
    return cbor.encode(cbor.Tag(_SIGN1, [protected, unprotected, draft.payload, signature]))


def with_timestamp(data: bytes, token: bytes) -> bytes:
    """The envelope `data`, which is well-formed, with a timestamp token; what is signed stays as it is."""
    protected, unprotected, payload, signature = cbor.decode(data, MalformedEnvelope).value
    return cbor.encode(cbor.Tag(_SIGN1, [protected, {**unprotected, TIMESTAMP: token}, payload, signature]))
