"""The rules of signed attributes that both formats share (signature-specification, "Signed Attributes").

A `Dialect` says how a format labels and writes them; what they must be is said here, once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from nv2.envelope.algorithms import Algorithm
from nv2.envelope.envelope import ExtendedAttribute, Scheme, SignedAttributes
from nv2.errors import MalformedEnvelope, UsageError
from nv2.plain_text import quoted

Label = int | str

SCHEME = "io.cncf.notary.signingScheme"
SIGNING_TIME = "io.cncf.notary.signingTime"
AUTHENTIC_SIGNING_TIME = "io.cncf.notary.authenticSigningTime"
EXPIRY = "io.cncf.notary.expiry"
TIMESTAMP = "io.cncf.notary.timestampSignature"
SIGNING_AGENT = "io.cncf.notary.signingAgent"

_NO_TIME = datetime(1, 1, 1, tzinfo=UTC)
"""What Go says for no time at all."""

_TIME_OF = {Scheme.X509: SIGNING_TIME, Scheme.SIGNING_AUTHORITY: AUTHENTIC_SIGNING_TIME}
_SCHEMES = {scheme.value: scheme for scheme in Scheme}


class Dialect(NamedTuple):
    """How a format writes the protected header."""

    algorithm: Label
    critical: Label
    content_type: Label
    algorithms: Mapping[Any, Algorithm]
    """By the value of the algorithm label."""
    never_critical: frozenset[Label]
    """Labels that `crit` must not name: everybody understands them."""
    read_time: Callable[[Any, str], datetime]
    """The time that a value stands for, or `MalformedEnvelope` at the given place."""
    write_time: Callable[[datetime], Any]
    place: Callable[[Label], str]
    """Where a label stands, for messages."""

    @property
    def system(self) -> frozenset[Label]:
        """The labels that the specification defines."""
        own = (self.algorithm, self.critical, self.content_type)
        return frozenset((*own, SCHEME, SIGNING_TIME, AUTHENTIC_SIGNING_TIME, EXPIRY))


def read_header(header: Mapping[Any, Any], dialect: Dialect) -> tuple[Algorithm, SignedAttributes]:
    """Algorithm and attributes of a protected header. Raises `MalformedEnvelope`.

    Critical attributes that nobody here knows are kept, with their flag: to refuse them is the verifier's.
    """
    algorithm = _algorithm(header, dialect)
    content_type = _text(header, dialect.content_type, dialect)
    scheme = _scheme(header, dialect)
    critical = _critical(header, scheme, dialect)
    signing_time = _signing_time(header, scheme, dialect)
    expiry = dialect.read_time(header[EXPIRY], dialect.place(EXPIRY)) if EXPIRY in header else None
    if expiry is not None and expiry <= signing_time:
        raise MalformedEnvelope("the expiry is not after the signing time", at=dialect.place(EXPIRY))
    system = dialect.system
    extended = tuple(
        ExtendedAttribute(label, value, label in critical)
        for label, value in header.items()
        if label not in system
    )
    return algorithm, SignedAttributes(content_type, scheme, signing_time, expiry, extended)


def _require(header: Mapping[Any, Any], label: Label, dialect: Dialect) -> Any:
    if label not in header:
        raise MalformedEnvelope("is missing", at=dialect.place(label))
    return header[label]


def _text(header: Mapping[Any, Any], label: Label, dialect: Dialect) -> str:
    value = _require(header, label, dialect)
    if not isinstance(value, str):
        raise MalformedEnvelope("expected text", at=dialect.place(label))
    return value


def _algorithm(header: Mapping[Any, Any], dialect: Dialect) -> Algorithm:
    value = _require(header, dialect.algorithm, dialect)
    # The type first, which is that of the format's labels: in Python -7.0 and -7 are the same key, and a list is none.
    if type(value) is not type(dialect.algorithm) or value not in dialect.algorithms:
        raise MalformedEnvelope(
            f"signature algorithm {value!r:.40} is not acceptable",
            at=dialect.place(dialect.algorithm),
            hint=f"acceptable: {', '.join(map(str, dialect.algorithms))}",
        )
    return dialect.algorithms[value]


def _scheme(header: Mapping[Any, Any], dialect: Dialect) -> Scheme:
    value = _text(header, SCHEME, dialect)
    if value not in _SCHEMES:
        raise MalformedEnvelope(f"unknown signing scheme {quoted(value)}", at=dialect.place(SCHEME))
    return _SCHEMES[value]


def _critical(header: Mapping[Any, Any], scheme: Scheme, dialect: Dialect) -> frozenset[Label]:
    """The labels that `crit` names (RFC 7515, 4.1.11; RFC 9052, 3.1)."""
    at = dialect.place(dialect.critical)
    labels = _require(header, dialect.critical, dialect)
    if not isinstance(labels, list) or not labels:
        raise MalformedEnvelope("expected an array with at least one label", at=at)
    named: set[Label] = set()
    for i, label in enumerate(labels):
        if type(label) not in (int, str):
            raise MalformedEnvelope("expected a label", at=f"{at}[{i}]")
        if label in dialect.never_critical:
            raise MalformedEnvelope(f"{label!r} cannot be critical", at=f"{at}[{i}]")
        if label in named:
            raise MalformedEnvelope(f"{label!r} is named twice", at=f"{at}[{i}]")
        if label not in header:
            raise MalformedEnvelope(f"{label!r:.80} is not in the protected header", at=f"{at}[{i}]")
        named.add(label)
    for label in _must_be_critical(header, scheme):
        if label not in named:
            raise MalformedEnvelope(f"{label!r} must be critical", at=at)
    return frozenset(named)


def _must_be_critical(header: Iterable[Any], scheme: Scheme) -> tuple[str, ...]:
    authentic = (AUTHENTIC_SIGNING_TIME,) if scheme is Scheme.SIGNING_AUTHORITY else ()
    return (SCHEME, *authentic, *((EXPIRY,) if EXPIRY in header else ()))


def _signing_time(header: Mapping[Any, Any], scheme: Scheme, dialect: Dialect) -> datetime:
    """The time of the scheme; the other one must be absent (signing-scheme.md)."""
    label = _TIME_OF[scheme]
    for other in _TIME_OF.values():
        if other != label and other in header:
            raise MalformedEnvelope(
                f"is not allowed under signing scheme {scheme.value}", at=dialect.place(other)
            )
    instant = dialect.read_time(_require(header, label, dialect), dialect.place(label))
    if instant <= _NO_TIME:
        raise MalformedEnvelope("is missing", at=dialect.place(label))
    return instant


def build_header(attributes: SignedAttributes, algorithm: Any, dialect: Dialect) -> dict[Label, Any]:
    """The protected header that says `attributes`; `algorithm` is the format's own name for it.

    Raises `UsageError` for attributes that no envelope can carry.
    """
    signing_time = _whole_seconds(attributes.signing_time)
    expiry = None if attributes.expiry is None else _whole_seconds(attributes.expiry)
    if expiry is not None and expiry <= signing_time:
        raise UsageError("the expiry must be after the signing time")
    header: dict[Label, Any] = {
        dialect.algorithm: algorithm,
        dialect.content_type: attributes.content_type,
        SCHEME: attributes.scheme.value,
        _TIME_OF[attributes.scheme]: dialect.write_time(signing_time),
    }
    if expiry is not None:
        header[EXPIRY] = dialect.write_time(expiry)
    for attribute in attributes.extended:
        if attribute.key in header or attribute.key in dialect.system:
            raise UsageError(f"attribute {attribute.key!r} is already in the protected header")
        header[attribute.key] = attribute.value
    extended = [attribute.key for attribute in attributes.extended if attribute.critical]
    header[dialect.critical] = [*_must_be_critical(header, attributes.scheme), *extended]
    return header


def _whole_seconds(instant: datetime) -> datetime:
    if instant.tzinfo is None:
        raise UsageError("a time without a zone cannot be signed")
    return instant.astimezone(UTC).replace(microsecond=0)
