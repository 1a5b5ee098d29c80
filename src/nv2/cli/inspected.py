"""Inspected signatures, as the tree and the JSON document of notation's main branch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

from nv2.cli.tree import Tree, pairs
from nv2.envelope.envelope import Envelope
from nv2.errors import InvalidTimestamp
from nv2.inspection import Inspected, shown_timestamp
from nv2.pki.certificate import Certificate
from nv2.plain_text import one_line

if TYPE_CHECKING:
    from nv2.pki.timestamp import TstInfo


def signature_document(item: Inspected) -> dict[str, Any]:
    """The JSON object, in notation's field order; attribute maps are sorted."""
    envelope, target = item.envelope, item.target
    return {
        "digest": item.manifest.digest,
        "signatureAlgorithm": envelope.algorithm.name,
        "signatureEnvelopeType": envelope.media_type,
        "signedAttributes": dict(sorted(_signed_attributes(item, _rfc3339))),
        "userDefinedAttributes": dict(sorted(target.annotations.items())) or None,
        "unsignedAttributes": dict(sorted(_unsigned_document(item))),
        "certificates": [_certificate_document(certificate) for certificate in item.chain.certificates],
        "signedArtifact": {"mediaType": target.media_type, "digest": target.digest, "size": target.size},
    }


def signature_tree(item: Inspected) -> Tree:
    """The tree below a signature's digest."""
    envelope, target = item.envelope, item.target
    metadata = pairs(*sorted(target.annotations.items()))
    return Tree(
        item.manifest.digest,
        (
            Tree(f"signature algorithm: {envelope.algorithm.name}"),
            Tree(f"signature envelope type: {envelope.media_type}"),
            Tree("signed attributes", pairs(*_named(_signed_attributes(item, _ansi_c)))),
            Tree("user defined attributes", metadata or (Tree("(empty)"),)),
            Tree("unsigned attributes", tuple(_unsigned_trees(item))),
            Tree("certificates", tuple(map(_certificate_tree, item.chain.certificates))),
            Tree(
                "signed artifact",
                pairs(
                    ("media type", target.media_type), ("digest", target.digest), ("size", str(target.size))
                ),
            ),
        ),
    )


_TREE_NAMES = {
    "contentType": "content type",
    "signingScheme": "signing scheme",
    "signingTime": "signing time",
}


def _named(attributes: Iterator[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    for name, value in attributes:
        yield _TREE_NAMES.get(name, name), value


def _signed_attributes(item: Inspected, time: Any) -> Iterator[tuple[str, str]]:
    attributes = item.envelope.attributes
    yield "contentType", attributes.content_type
    yield "signingScheme", attributes.scheme.value
    yield "signingTime", time(attributes.signing_time)
    if attributes.expiry is not None:
        yield "expiry", time(attributes.expiry)
    for extended in attributes.extended:
        yield str(extended.key), str(extended.value)


def _unsigned_document(item: Inspected) -> Iterator[tuple[str, Any]]:
    unsigned = item.envelope.unsigned
    if unsigned.signing_agent:
        yield "signingAgent", unsigned.signing_agent
    if unsigned.timestamp is not None:
        yield "timestampSignature", _timestamp_document(item.envelope)


def _unsigned_trees(item: Inspected) -> Iterator[Tree]:
    unsigned = item.envelope.unsigned
    if unsigned.signing_agent:
        yield Tree(f"signing agent: {unsigned.signing_agent}")
    if unsigned.timestamp is not None:
        yield Tree("timestamp signature", _timestamp_trees(item.envelope))


def _timestamp_document(envelope: Envelope) -> dict[str, Any]:
    try:
        shown = shown_timestamp(envelope)
    except InvalidTimestamp as e:
        return {"error": _no_timestamp(e)}
    return _without_empty(
        {
            "timestamp": _range(shown.info, _rfc3339),
            "certificates": [_certificate_document(certificate) for certificate in shown.certificates],
        }
    )


def _without_empty(document: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if value}


def _timestamp_trees(envelope: Envelope) -> tuple[Tree, ...]:
    try:
        shown = shown_timestamp(envelope)
    except InvalidTimestamp as e:
        return pairs(("error", _no_timestamp(e)))
    return (
        *pairs(("timestamp", _range(shown.info, _ansi_c))),
        Tree("certificates", tuple(map(_certificate_tree, shown.certificates))),
    )


def _no_timestamp(error: InvalidTimestamp) -> str:
    return f"failed to parse timestamp countersignature: {one_line(str(error))}"


def _range(info: TstInfo, time: Callable[[datetime], str]) -> str:
    return f"[{time(info.earliest)}, {time(info.latest)}]"


def _certificate_document(certificate: Certificate) -> dict[str, str]:
    return {
        "SHA256Fingerprint": certificate.thumbprint,
        "issuedTo": certificate.subject,
        "issuedBy": certificate.issuer,
        "expiry": _rfc3339(certificate.not_after),
    }


def _certificate_tree(certificate: Certificate) -> Tree:
    return Tree(
        f"SHA256 fingerprint: {certificate.thumbprint}",
        pairs(
            ("issued to", certificate.subject),
            ("issued by", certificate.issuer),
            ("expiry", _ansi_c(certificate.not_after)),
        ),
    )


def _rfc3339(time: datetime) -> str:
    """As Go's `RFC3339Nano`: a fraction only if there is one, `Z` for UTC."""
    text = time.isoformat()
    whole, dot, rest = text.partition(".")
    if dot:
        text = f"{whole}.{rest[:6].rstrip('0')}{rest[6:]}"
    return text.replace("+00:00", "Z")


def _ansi_c(time: datetime) -> str:
    """As Go's `ANSIC`: `Mon Jan _2 15:04:05 2006`, in the zone the time came in."""
    days = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
    months = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
    day, month = days[time.weekday()], months[time.month - 1]
    return f"{day} {month} {time.day:2} {time:%H:%M:%S} {time.year}"
