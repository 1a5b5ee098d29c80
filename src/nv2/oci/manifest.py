"""Manifests and indexes (image-spec): reading them, their edges, and the signature manifest.

What this module does not do: fetch anything, or check a digest. Bytes are kept as they came.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import NamedTuple

from nv2 import strict_json
from nv2.errors import MalformedManifest
from nv2.oci import media_types as mt
from nv2.oci.descriptor import NO_ANNOTATIONS, Descriptor, describe, parse_descriptor
from nv2.oci.digest import Digest
from nv2.plain_text import rfc3339
from nv2.strict_json import Fields

MAX_MANIFEST = 4 * 1024 * 1024
"""Bytes of a manifest or index: what registries must accept at least, and clients read at most."""

MAX_ENVELOPE = 4 * 1024 * 1024
"""Bytes of a signature envelope. As much as a manifest: a chain and a timestamp take 20 kB, user metadata the rest."""

EMPTY_CONFIG = b"{}"


class Manifest(NamedTuple):
    """What nv2 reads of a manifest or index: its edges and its kind."""

    media_type: str
    artifact_type: str | None
    config: Descriptor | None
    layers: tuple[Descriptor, ...]
    manifests: tuple[Descriptor, ...]
    subject: Descriptor | None
    annotations: Mapping[str, str]

    @property
    def kind(self) -> str | None:
        """The artifact type as the referrers API derives it (distribution-spec, "Listing Referrers")."""
        return self.artifact_type or (self.config.media_type if self.config else None)

    @property
    def blobs(self) -> tuple[Descriptor, ...]:
        """Config and layers, in this order."""
        return (*((self.config,) if self.config else ()), *self.layers)


def is_manifest(media_type: str) -> bool:
    """Whether content of `media_type` is stored and fetched as a manifest."""
    return media_type in mt.MANIFESTS


def parse_manifest(data: bytes, media_type: str, at: str | None = None) -> Manifest:
    """Read manifest bytes of `media_type` (from the descriptor or Content-Type).

    Raises `MalformedManifest`, also if the document names another media type than `media_type`, or if
    one reader could take it for an image and another for an index.
    """
    fields = read_manifest(data, media_type, at)
    config, subject = fields.object("config"), fields.object("subject")
    layers = "blobs" if media_type == mt.ARTIFACT_MANIFEST else "layers"
    return Manifest(
        media_type,
        fields.get("artifactType", str) or None,
        parse_descriptor(config) if config and media_type not in mt.INDEXES else None,
        _descriptors(fields, layers) if media_type not in mt.INDEXES else (),
        _descriptors(fields, "manifests") if media_type in mt.INDEXES else (),
        parse_descriptor(subject) if subject else None,
        fields.string_map("annotations") or NO_ANNOTATIONS,
    )


def read_manifest(data: bytes, media_type: str, at: str | None = None) -> Fields:
    """The fields of a manifest, of which only the kind was looked at: one that others may store or pass on.

    Raises `MalformedManifest` where `parse_manifest` says so of the media type: an index with layers and an
    image with children are refused too (CVE-2021-41190).
    """
    fields = Fields.of(strict_json.loads(data, MalformedManifest, at=at), at or "manifest", MalformedManifest)
    said = fields.get("mediaType", str)
    if said is not None and said != media_type:
        raise MalformedManifest(f"says it is {said!r} but came as {media_type!r}", at=at)
    for key in ("config", "layers") if media_type in mt.INDEXES else ("manifests",):
        if key in fields.value:
            raise MalformedManifest(f"came as {media_type!r} but has {key!r}", at=at)
    return fields


def _descriptors(fields: Fields, key: str) -> tuple[Descriptor, ...]:
    if key not in fields.value:
        return ()
    return tuple(parse_descriptor(item) for item in fields.objects(key))


class SignatureManifest(NamedTuple):
    """A signature manifest: its subject and the one envelope."""

    subject: Descriptor
    envelope: Descriptor
    annotations: Mapping[str, str]


def is_signature(manifest: Manifest) -> bool:
    """Whether the manifest says that it is a Notary Project signature, in any form ever written."""
    if manifest.artifact_type == mt.SIGNATURE:
        return manifest.config is None or manifest.config.media_type == mt.EMPTY
    return manifest.artifact_type is None and manifest.kind == mt.SIGNATURE


def signature_manifest(manifest: Manifest, at: str) -> SignatureManifest:
    """Read `manifest` as a signature (signature-specification, "OCI Signatures").

    Raises `MalformedManifest` unless it has the type, a subject and exactly one layer.
    """
    if not is_signature(manifest):
        raise MalformedManifest("is not a signature manifest", at=at)
    if manifest.subject is None:
        raise MalformedManifest("a signature manifest without a subject", at=at)
    if len(manifest.layers) != 1:
        raise MalformedManifest(f"a signature manifest has 1 layer, this one {len(manifest.layers)}", at=at)
    return SignatureManifest(manifest.subject, manifest.layers[0], manifest.annotations)


NOTHING_READ: Mapping[Digest, SignatureManifest] = MappingProxyType({})
"""No manifest is known yet."""


class BuiltManifest(NamedTuple):
    """A manifest to push: its bytes, its descriptor as a referrer, and the config blob it needs."""

    data: bytes
    descriptor: Descriptor
    config: tuple[Descriptor, bytes]


def build_signature_manifest(
    subject: Descriptor,
    envelope: Descriptor,
    thumbprints: tuple[str, ...],
    created: datetime,
    *,
    legacy: bool = False,
    more: Mapping[str, str] = NO_ANNOTATIONS,
) -> BuiltManifest:
    """The signature manifest of `envelope` on `subject`.

    `legacy` writes the type as config media type and no artifactType: the form that notation 1.3.2
    sees in OCI image layouts. `thumbprints` are lower-hex SHA-256 of the chain, leaf first. `more` are
    annotations besides, which replace none of ours.
    """
    config = describe(EMPTY_CONFIG, mt.SIGNATURE if legacy else mt.EMPTY)
    annotations = {
        **more,
        mt.THUMBPRINTS: json.dumps(list(thumbprints), separators=(",", ":")),
        mt.CREATED: rfc3339(created),
    }
    document = {
        "schemaVersion": 2,
        "mediaType": mt.IMAGE_MANIFEST,
        **({} if legacy else {"artifactType": mt.SIGNATURE}),
        "config": {**config.to_json(), **({} if legacy else {"data": "e30="})},
        "layers": [envelope.to_json()],
        "subject": Descriptor(*subject[:3]).to_json(),
        "annotations": annotations,
    }
    data = json.dumps(document, separators=(",", ":")).encode()
    descriptor = describe(data, mt.IMAGE_MANIFEST, artifact_type=mt.SIGNATURE, annotations=annotations)
    return BuiltManifest(data, descriptor, (config, EMPTY_CONFIG))
