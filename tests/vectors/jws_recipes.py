"""Vectors that only JWS can have."""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import b64encode, urlsafe_b64decode
from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from nv2.oci import media_types as mt
from tests.vectors.parties import BUILD, ROOT, SIGNED_AT, party
from tests.vectors.recipes import Recipe, good
from tests.world.forged import SCHEME, SIGNING_TIME, base64url, sign

_CHAIN = [b64encode(der).decode() for der in BUILD.chain]
_RSA = party("build", ROOT, "RSA-2048")


def _hmac(key: Any, data: bytes) -> bytes:
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return hmac.new(public, data, hashlib.sha256).digest()


def _pkcs1(key: Any, data: bytes) -> bytes:
    return bytes(key.sign(data, padding.PKCS1v15(), hashes.SHA256()))


def _der(raw: bytes) -> bytes:
    half = len(raw) // 2
    return encode_dss_signature(int.from_bytes(raw[:half], "big"), int.from_bytes(raw[half:], "big"))


def _text(change: Callable[[str], str]) -> Callable[[dict[Any, Any]], bytes]:
    """The protected header as text with a change."""
    return lambda header: change(json.dumps(header, separators=(",", ":"))).encode()


def _swap(before: str, after: str) -> Callable[[dict[Any, Any]], bytes]:
    return _text(lambda text: text.replace(before, after, 1))


def _finished(before: str, after: str) -> Callable[[bytes], bytes]:
    return lambda envelope: envelope.replace(before.encode(), after.encode(), 1)


def _member(envelope: bytes, name: str, change: Callable[[str], str]) -> bytes:
    document = json.loads(envelope)
    document[name] = change(document[name])
    return json.dumps(document, separators=(",", ":")).encode()


def _general(envelope: bytes) -> bytes:
    document = json.loads(envelope)
    inner = {name: document[name] for name in ("protected", "header", "signature")}
    return json.dumps({"payload": document["payload"], "signatures": [inner]}).encode()


def _compact(envelope: bytes) -> bytes:
    document = json.loads(envelope)
    return ".".join(document[name] for name in ("protected", "payload", "signature")).encode()


def _loose_bits(text: str) -> str:
    """Another last character for the same bytes: 64 bytes do not fill the last one."""
    same = [c for c in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz" if c != text[-1]]
    decoded = urlsafe_b64decode(text + "==")
    return next(text[:-1] + c for c in same if urlsafe_b64decode(text[:-1] + c + "==") == decoded)


def _of(name: str, comment: str, **how: Any) -> Recipe:
    return Recipe(name, comment, formats=(mt.JWS,), **how)


def _good(name: str, comment: str, **how: Any) -> Recipe:
    return good(name, comment, formats=(mt.JWS,), **how)


JWS = (
    _of("alg-none", "the algorithm none", protected={"alg": "none"}, sign=lambda _, __: b""),
    _of("alg-none-signed", "the algorithm none, with a signature", protected={"alg": "none"}),
    _of("alg-hs256", "HMAC with the public key", protected={"alg": "HS256"}, sign=_hmac),
    _of("alg-rs256", "RSA with PKCS #1 v1.5", protected={"alg": "RS256"}, signer=_RSA, sign=_pkcs1),
    _of("alg-lower-case", "the algorithm in lower case", protected={"alg": "es256"}),
    _of("signature-der", "r and s as DER", sign=lambda key, data: _der(sign(key, data))),
    _of("time-lower-case", "lower-case t and z", protected={SIGNING_TIME: "2026-01-01t12:00:00z"}),
    _of("time-number", "seconds instead of a time", protected={SIGNING_TIME: 1767268800}),
    _of("time-without-zone", "a time without a zone", protected={SIGNING_TIME: "2026-01-01T12:00:00"}),
    _of(
        "time-30-february",
        "a day that is not in the calendar",
        protected={SIGNING_TIME: "2026-02-30T12:00:00Z"},
    ),
    _of(
        "time-zone-24",
        "a zone of 24 hours",
        protected={SIGNING_TIME: "2026-01-01T12:00:00+24:00"},
        difference="jws-time",
    ),
    _of(
        "time-one-digit",
        "an hour of one digit",
        protected={SIGNING_TIME: "2026-01-01T2:00:00Z"},
        difference="jws-time",
    ),
    _of("time-zero", "Go's zero time", protected={SIGNING_TIME: "0001-01-01T00:00:00Z"}),
    _good("time-fraction", "a fraction of a second", protected={SIGNING_TIME: "2026-01-01T12:00:00.5Z"}),
    _good("time-zone", "another zone than UTC", protected={SIGNING_TIME: "2026-01-01T12:00:00+02:00"}),
    _of(
        "protected-twice",
        "the scheme is there twice in the protected header",
        difference="json",
        rewrite=_swap(f'"{SCHEME}":"notary.x509"', f'"{SCHEME}":"notary.x509","{SCHEME}":"notary.x509"'),
    ),
    _of("protected-other-case", "alg in capitals", rewrite=_swap('"alg"', '"ALG"'), difference="json"),
    _of(
        "protected-both-cases",
        "alg in two spellings",
        rewrite=_swap('"alg"', '"Alg":"none","alg"'),
        difference="json",
    ),
    _of(
        "protected-trailing", "something follows the protected header", rewrite=_text(lambda text: text + "x")
    ),
    _of("protected-array", "the protected header is an array", rewrite=_text(lambda text: f"[{text}]")),
    _of("protected-empty", "the protected header is empty", rewrite=lambda _: b"{}"),
    _of(
        "protected-utf16",
        "the protected header is UTF-16",
        rewrite=(lambda header: json.dumps(header).encode("utf-16")),
    ),
    _of("crit-signing-time", "crit names the signing time", protected={"crit": [SCHEME, SIGNING_TIME]}),
    _of(
        "b64",
        "an unencoded payload (RFC 7797)",
        protected={"b64": False, "crit": [SCHEME, "b64"]},
        difference="critical",
    ),
    _of(
        "header-repeats",
        "the scheme is in the unprotected header too",
        header={SCHEME: "notary.x509"},
        difference="json",
    ),
    _of("header-missing", "no unprotected header", members={"header": {}}),
    _of("x5c-text", "the chain is text", header={"x5c": _CHAIN[0]}),
    _of(
        "x5c-url-alphabet", "base64url in the chain", header={"x5c": [base64url(der) for der in BUILD.chain]}
    ),
    _of(
        "x5c-protected",
        "the chain is in the protected header only",
        protected={"x5c": _CHAIN},
        header={"x5c": []},
    ),
    _of("trailing", "something follows the envelope", spoil=lambda envelope: envelope + b"x"),
    _of(
        "twice",
        "a second payload precedes the one that is signed",
        difference="json",
        spoil=_finished('{"payload"', '{"payload":"e30","payload"'),
    ),
    _of(
        "other-case",
        "a member's name in another case",
        difference="json",
        spoil=_finished('"payload"', '"Payload"'),
    ),
    _of("unknown-member", "an unknown member", spoil=_finished("{", '{"x":1,'), difference="json"),
    _of("padded", "padding after base64url", spoil=lambda e: _member(e, "signature", lambda t: t + "==")),
    _of(
        "loose-bits",
        "base64url with unused bits set",
        difference="base64",
        spoil=lambda e: _member(e, "signature", _loose_bits),
    ),
    _of(
        "line-break",
        "a line break in base64url",
        difference="base64",
        spoil=lambda e: _member(e, "payload", lambda t: t[:8] + "\n" + t[8:]),
    ),
    _of("general", "the general form", spoil=_general),
    _of("compact", "the compact form", spoil=_compact),
    _of("byte-order-mark", "a byte order mark", spoil=lambda envelope: b"\xef\xbb\xbf" + envelope),
    _of("cose-in-jws", "a COSE envelope with the media type of JWS", spoil=lambda _: b"\xd2\x84"),
    _of("empty", "no byte at all", spoil=lambda _: b" "),
    _of("signature-missing", "no signature", spoil=_finished('"signature"', '"signatory"')),
    _of("payload-empty", "an empty payload", payload=b""),
    _of(
        "signing-authority-time-twice",
        "both times",
        protected={
            "io.cncf.notary.authenticSigningTime": SIGNED_AT,
            SCHEME: "notary.x509.signingAuthority",
            "crit": [SCHEME, "io.cncf.notary.authenticSigningTime"],
        },
        stores={"signingAuthority:wabbit": (ROOT.certificate,)},
    ),
)
