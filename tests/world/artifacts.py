"""Artifacts for tests: images, indexes and referrers, pushed into any store."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from nv2.content.interface import Lock, Pusher, Store, opener
from nv2.oci import media_types as mt
from nv2.oci.descriptor import NO_ANNOTATIONS, Descriptor, describe

LAYER = "application/vnd.oci.image.layer.v1.tar"
CONFIG = "application/vnd.oci.image.config.v1+json"
SBOM = "application/spdx+json"


def thread_lock() -> Lock:
    """A lock among the threads of this process, for each key."""
    locks: dict[str, threading.Lock] = {}

    @contextmanager
    def hold(key: str) -> Iterator[None]:
        with locks.setdefault(key, threading.Lock()):
            yield

    return hold


def push_blob(store: Pusher, data: bytes, media_type: str = LAYER) -> Descriptor:
    """Push a blob."""
    descriptor = describe(data, media_type)
    store.push(descriptor, opener(data))
    return descriptor


def push_manifest(store: Pusher, document: Mapping[str, Any], media_type: str) -> Descriptor:
    """Push a document as a manifest; its plain descriptor."""
    data = json.dumps({"schemaVersion": 2, "mediaType": media_type, **document}).encode()
    descriptor = describe(data, media_type)
    store.push(descriptor, opener(data))
    return descriptor


def push_image(
    store: Pusher,
    *layers: bytes,
    config: bytes = b"{}",
    subject: Descriptor | None = None,
    media_type: str = mt.IMAGE_MANIFEST,
) -> Descriptor:
    """Push an image with these layers."""
    document = {
        "config": push_blob(store, config, CONFIG).to_json(),
        "layers": [push_blob(store, layer).to_json() for layer in layers],
        **({"subject": subject.to_json()} if subject else {}),
    }
    return push_manifest(store, document, media_type)


def push_index(
    store: Pusher,
    children: Sequence[Descriptor],
    *,
    subject: Descriptor | None = None,
    media_type: str = mt.IMAGE_INDEX,
    **more: Any,
) -> Descriptor:
    """Push an index of `children`."""
    about = {"subject": subject.to_json()} if subject else {}
    document = {"manifests": [child.to_json() for child in children], **about, **more}
    return push_manifest(store, document, media_type)


def push_referrer(
    store: Pusher,
    subject: Descriptor,
    content: bytes = b"a signature",
    artifact_type: str = mt.SIGNATURE,
    annotations: Mapping[str, str] = NO_ANNOTATIONS,
) -> Descriptor:
    """Push a manifest that refers to `subject`; its descriptor as a referrer. It is not attached."""
    document = {
        "artifactType": artifact_type,
        "config": push_blob(store, b"{}", mt.EMPTY).to_json(),
        "layers": [push_blob(store, content, mt.JWS).to_json()],
        "subject": Descriptor(*subject[:3]).to_json(),
        "annotations": dict(annotations),
    }
    pushed = push_manifest(store, document, mt.IMAGE_MANIFEST)
    return pushed._replace(artifact_type=artifact_type, annotations=annotations)


def attach_referrer(
    store: Store, subject: Descriptor, content: bytes = b"a signature", **more: Any
) -> Descriptor:
    """Push a referrer of `subject` and attach it."""
    referrer = push_referrer(store, subject, content, **more)
    store.attach(subject, [referrer])
    return referrer
