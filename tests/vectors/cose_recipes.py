"""Vectors that only COSE can have."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cbor2
from cbor2 import CBORTag

from nv2.oci import media_types as mt
from tests.vectors.parties import BUILD
from tests.vectors.recipes import Recipe, good
from tests.world.forged import AGENT, AUTHENTIC, EXPIRY, SCHEME, SIGNING_TIME, TIMESTAMP

NOON = 1767268800
"""2026-01-01T12:00:00Z."""


def _of(name: str, comment: str, **how: Any) -> Recipe:
    return Recipe(name, comment, formats=(mt.COSE,), **how)


def _good(name: str, comment: str, **how: Any) -> Recipe:
    return good(name, comment, formats=(mt.COSE,), **how)


def _map(more: bytes, count: int = 1) -> Callable[[dict[Any, Any]], bytes]:
    """The protected header with `count` more members at its end, written by hand."""

    def rewrite(header: dict[Any, Any]) -> bytes:
        plain: bytes = cbor2.dumps(header, canonical=True)
        return bytes([plain[0] + count]) + plain[1:] + more

    return rewrite


def _indefinite(header: dict[Any, Any]) -> bytes:
    plain: bytes = cbor2.dumps(header, canonical=True)
    return b"\xbf" + plain[1:] + b"\xff"


def _long_label(header: dict[Any, Any]) -> bytes:
    plain: bytes = cbor2.dumps(header, canonical=True)
    return plain.replace(b"\x01\x26", b"\x18\x01\x26", 1)


def _backwards(header: dict[Any, Any]) -> bytes:
    return cbor2.dumps(dict(reversed(header.items())))


COSE = (
    _good("order", "the labels in another order", rewrite=_backwards),
    _good("agent", "a signing agent", header={AGENT: "example/1.0"}),
    _good("agent-number", "a signing agent that is no text is no agent", header={AGENT: 7}),
    _good("crit-signing-time", "crit names the signing time too", protected={"crit": [SCHEME, SIGNING_TIME]}),
    _of("untagged", "the tag is missing", tag=b""),
    _of("tag-17", "another tag", tag=b"\xd1"),
    _of("tag-98", "the tag of several signatures", tag=b"\xd8\x62"),
    _of("tag-long", "the tag in a longer form", tag=b"\xd8\x12", difference="cbor"),
    _of("tag-twice", "the tag twice", tag=b"\xd2\xd2"),
    _of("tag-self-described", "the tag of CBOR itself before it", tag=b"\xd9\xd9\xf7\xd2"),
    _of("trailing", "a byte follows the message", spoil=lambda envelope: envelope + b"\0"),
    _of("cut", "the last byte is missing", spoil=lambda envelope: envelope[:-1]),
    _of("detached", "the payload is somewhere else", detached=True),
    _of("jws-in-cose", "a JWS envelope with the media type of COSE", spoil=lambda _: b'{"payload":"e30"}'),
    _of("array-of-5", "an array of five", spoil=lambda e: e[:1] + b"\x85" + e[2:] + b"\0"),
    _of(
        "array-indefinite",
        "an array of indefinite length",
        difference="cbor",
        spoil=lambda e: e[:1] + b"\x9f" + e[2:] + b"\xff",
    ),
    _of("map-indefinite", "a protected header of indefinite length", rewrite=_indefinite, difference="cbor"),
    _of("label-long", "a label in a longer form", rewrite=_long_label, difference="cbor"),
    _of("label-twice", "the algorithm twice", rewrite=_map(b"\x01\x26")),
    _of("label-twice-in-other-form", "the algorithm twice, in two forms", rewrite=_map(b"\x18\x01\x26")),
    _of("label-bytes", "a label that is a byte string", rewrite=_map(b"\x41\x78\x00")),
    _of(
        "protected-trailing",
        "a byte follows the protected header",
        rewrite=lambda header: cbor2.dumps(header, canonical=True) + b"\0",
    ),
    _of("protected-array", "the protected header is an array", rewrite=lambda _: b"\x80"),
    _of("protected-empty", "no protected header", rewrite=lambda _: b""),
    _of(
        "protected-tagged",
        "the protected header has a tag",
        rewrite=lambda header: b"\xc6" + cbor2.dumps(header, canonical=True),
    ),
    _of("in-both-headers", "the algorithm is in both headers", header={1: -7}, difference="cose-ignored"),
    _of(
        "scheme-in-both-headers",
        "the scheme is in both headers",
        header={SCHEME: "notary.x509"},
        difference="cose-ignored",
    ),
    _of("crit-unprotected", "crit is in the unprotected header", header={2: [SCHEME]}),
    _of(
        "crit-number",
        "crit names an unknown number",
        protected={99: 1, "crit": [SCHEME, 99]},
        difference="critical",
    ),
    _of("crit-alg", "crit names the algorithm", protected={"crit": [SCHEME, 1]}, difference="crit"),
    _of("alg-text", "the algorithm by its name", protected={"alg": "ES256"}),
    _of("alg-float", "the algorithm as a floating-point number", protected={"alg": -7.0}),
    _of("alg-eddsa", "EdDSA", protected={"alg": -8}),
    _of("alg-hmac", "HMAC", protected={"alg": 5}),
    _of("cty-number", "the content type as a number", protected={"cty": 50}),
    _of("time-untagged", "a time without tag 1", protected={SIGNING_TIME: NOON}),
    _of("time-tag-0", "a time as tagged text", protected={SIGNING_TIME: CBORTag(0, "2026-01-01T12:00:00Z")}),
    _of("time-text", "a time as text", protected={SIGNING_TIME: "2026-01-01T12:00:00Z"}),
    _good("time-float", "a fraction of a second", protected={SIGNING_TIME: CBORTag(1, NOON + 0.5)}),
    _of("time-nan", "a time that is no number", protected={SIGNING_TIME: CBORTag(1, float("nan"))}),
    _of(
        "time-huge",
        "a time beyond the calendar",
        protected={SIGNING_TIME: CBORTag(1, 2**62)},
        difference="cose-time",
    ),
    _of(
        "expiry-untagged", "an expiry without tag 1", protected={EXPIRY: 2335219200, "crit": [SCHEME, EXPIRY]}
    ),
    _of("expiry-null", "an expiry that is null", protected={EXPIRY: None, "crit": [SCHEME, EXPIRY]}),
    _of("chain-one-string", "the chain is one byte string", header={33: BUILD.chain[0]}),
    _of(
        "chain-protected",
        "the chain is in the protected header",
        protected={33: list(BUILD.chain)},
        header={33: []},
    ),
    _of("chain-texts", "the certificates are text", header={33: ["x", "y"]}),
    _of("timestamp-text", "a timestamp that is text", header={TIMESTAMP: "AAAA"}, difference="cose-ignored"),
    _of("countersignature", "a countersignature", header={11: b"x"}, difference="cose-ignored"),
    _of("iv", "an initialization vector", header={5: b"12345678"}, difference="cose-ignored"),
    _of(
        "unprotected-tag",
        "a tagged value in the unprotected header",
        header={"x": CBORTag(1, 0)},
        difference="cose-ignored",
    ),
    _of(
        "sa-untagged",
        "an authentic time without tag 1",
        protected={SCHEME: "notary.x509.signingAuthority", AUTHENTIC: NOON, "crit": [SCHEME, AUTHENTIC]},
    ),
    _of("payload-empty", "an empty payload", payload=b""),
)
