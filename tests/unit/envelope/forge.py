"""Envelopes made by hand, so that one thing at a time can be wrong with them."""

from __future__ import annotations

import functools
import json
from base64 import b64encode, urlsafe_b64encode
from datetime import UTC, datetime
from typing import Any

import cbor2

from nv2.envelope.envelope import Scheme, SignedAttributes
from nv2.envelope.formats import Draft, build_payload, seal
from nv2.oci import media_types as mt
from nv2.oci.descriptor import Descriptor, describe
from tests.world.ca import CA, Pair

NOW = datetime(2026, 1, 2, 15, 4, 5, tzinfo=UTC)
LATER = datetime(2026, 1, 3, 15, 4, 5, tzinfo=UTC)
TARGET: Descriptor = describe(b"an image", mt.IMAGE_MANIFEST)
PAYLOAD = build_payload(TARGET, {})
MISSING = object()

SCHEME = "io.cncf.notary.signingScheme"
SIGNING_TIME = "io.cncf.notary.signingTime"
AUTHENTIC = "io.cncf.notary.authenticSigningTime"
EXPIRY = "io.cncf.notary.expiry"
AGENT = "io.cncf.notary.signingAgent"
TIMESTAMP = "io.cncf.notary.timestampSignature"


@functools.cache
def pair(kind: str = "EC-256") -> Pair:
    return CA().issue("build", key=kind)


def attributes(**changes: Any) -> SignedAttributes:
    return SignedAttributes(mt.PAYLOAD, Scheme.X509, NOW)._replace(**changes)


def sealed(
    media_type: str,
    signed: Pair | None = None,
    payload: bytes = PAYLOAD,
    agent: str = "nv2/test",
    **changes: Any,
) -> bytes:
    """A sound envelope; `changes` are fields of its signed attributes."""
    signer = (signed or pair()).signer()
    draft = Draft(payload, attributes(**changes), agent)
    return seal(media_type, draft, signer.chain, signer.algorithm, signer.sign).raw


def base64url(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def changed(values: dict[Any, Any], changes: dict[Any, Any]) -> dict[Any, Any]:
    return {key: value for key, value in {**values, **changes}.items() if value is not MISSING}


def jws(
    protected: dict[str, Any] | bytes | None = None,
    header: dict[str, Any] | None = None,
    payload: bytes = PAYLOAD,
    members: dict[str, Any] | None = None,
) -> bytes:
    """A JWS with changes to its protected header, its header and its members; `MISSING` removes one."""
    if not isinstance(protected, bytes):
        protected = json.dumps(changed(jws_header(), protected or {})).encode()
    unsigned = {"x5c": [b64encode(der).decode() for der in pair().chain], AGENT: "forge"}
    parts = {
        "payload": base64url(payload),
        "protected": base64url(protected),
        "header": changed(unsigned, header or {}),
        "signature": base64url(bytes(64)),
    }
    return json.dumps(changed(parts, members or {})).encode()


def jws_header() -> dict[str, Any]:
    return {
        "alg": "ES256",
        "cty": mt.PAYLOAD,
        "crit": [SCHEME],
        SCHEME: "notary.x509",
        SIGNING_TIME: "2026-01-02T15:04:05Z",
    }


def cose_header() -> dict[Any, Any]:
    return {
        1: -7,
        2: [SCHEME],
        3: mt.PAYLOAD,
        SCHEME: "notary.x509",
        SIGNING_TIME: cbor2.CBORTag(1, 1767366245),
    }


def cose(
    protected: dict[Any, Any] | bytes | None = None,
    header: dict[Any, Any] | None = None,
    payload: Any = PAYLOAD,
    signature: Any = bytes(64),
    tag: int = 18,
) -> bytes:
    """A COSE_Sign1, encoded by cbor2, with changes to its headers; `MISSING` removes a label."""
    if not isinstance(protected, bytes):
        protected = cbor2.dumps(changed(cose_header(), protected or {}))
    unsigned = changed({33: list(pair().chain), AGENT: "forge"}, header or {})
    return cbor2.dumps(cbor2.CBORTag(tag, [protected, unsigned, payload, signature]))
