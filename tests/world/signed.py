"""Artifacts and signatures in a `MemoryStore`, good ones and others.

store = MemoryStore()
image = artifact(store)
manifest = sign(store, image, CA().issue())
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from nv2.content.interface import opener
from nv2.content.memory import MemoryStore
from nv2.envelope.envelope import ExtendedAttribute, Scheme, SignedAttributes
from nv2.envelope.formats import FORMATS, Draft
from nv2.envelope.payload import build_payload
from nv2.oci import media_types as mt
from nv2.oci.descriptor import Descriptor, describe
from nv2.oci.manifest import build_signature_manifest
from nv2.pki.chain import parse_chain
from tests.world.ca import Pair

SIGNED_AT = datetime(2026, 1, 1, 12, tzinfo=UTC)
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


def put(store: MemoryStore, data: bytes, media_type: str, **more: Any) -> Descriptor:
    """Push `data`; `more` are further fields of the descriptor that is returned."""
    descriptor = describe(data, media_type, **more)
    store.push(descriptor, opener(data))
    return descriptor


def artifact(store: MemoryStore, name: str = "app") -> Descriptor:
    """An image manifest, different for each `name`."""
    config = put(store, b"{}", mt.EMPTY)
    document = {
        "schemaVersion": 2,
        "mediaType": mt.IMAGE_MANIFEST,
        "artifactType": "application/x",
        "config": config.to_json(),
        "layers": [],
        "annotations": {"name": name},
    }
    return put(store, json.dumps(document).encode(), mt.IMAGE_MANIFEST)


def sealed(
    target: Descriptor,
    pair: Pair,
    *,
    media_type: str = mt.JWS,
    scheme: Scheme = Scheme.X509,
    signing_time: datetime = SIGNED_AT,
    expiry: datetime | None = None,
    user_metadata: Mapping[str, str] | None = None,
    extended: Sequence[ExtendedAttribute] = (),
    content_type: str = mt.PAYLOAD,
    chain: tuple[bytes, ...] | None = None,
    agent: str = "tests",
) -> bytes:
    """An envelope over `target` by `pair`; with `chain`, others' certificates stand in it.

    It need not be one that nv2 would make or read.
    """
    attributes = SignedAttributes(content_type, scheme, signing_time, expiry, tuple(extended))
    draft = Draft(build_payload(target, user_metadata or {}), attributes, agent)
    signer = pair.signer()
    return FORMATS[media_type].seal(draft, chain or pair.chain, signer.algorithm, signer.sign)


def attach(
    store: MemoryStore,
    subject: Descriptor,
    data: bytes,
    *,
    media_type: str = mt.JWS,
    thumbprints: tuple[str, ...] = (),
    listed_for: Descriptor | None = None,
    legacy: bool = False,
    artifact_type: str | None = mt.SIGNATURE,
    created: datetime = SIGNED_AT,
) -> Descriptor:
    """Push envelope `data` with a signature manifest of `subject`, and list it.

    `listed_for` is another artifact to list it for, `artifact_type` what the listing says it is.
    """
    blob = put(store, data, media_type)
    built = build_signature_manifest(subject, blob, thumbprints, created, legacy=legacy)
    store.push(built.config[0], opener(built.config[1]))
    store.push(built.descriptor, opener(built.data))
    annotations = built.descriptor.annotations if artifact_type else {}
    listed = built.descriptor._replace(artifact_type=artifact_type, annotations=annotations)
    store.attach(listed_for or subject, [listed])
    return listed


def sign(store: MemoryStore, subject: Descriptor, pair: Pair, **how: Any) -> Descriptor:
    """Sign `subject` and list the signature; `how` are arguments of `sealed`."""
    data = sealed(subject, pair, **how)
    thumbprints = parse_chain(pair.chain).thumbprints
    return attach(store, subject, data, media_type=how.get("media_type", mt.JWS), thumbprints=thumbprints)
