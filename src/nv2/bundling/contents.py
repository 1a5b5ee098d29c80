"""The contents of a bundle: an OCI index that names, by digest, everything that a bundle brings.

References downward survive every tool that copies, references upward do not: so one index holds the images, what refers
to them, the evidence and, if asked for, a trust policy. Whoever knows its digest knows the digest of each byte; a
signature of it is a signature of the whole bundle. What this module does not do: believe any of it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from nv2.bundling import evidence
from nv2.errors import InvalidReference, MalformedManifest
from nv2.oci import media_types as mt
from nv2.oci.descriptor import Descriptor, describe
from nv2.oci.digest import Digest, is_fallback_tag
from nv2.oci.manifest import MAX_MANIFEST, is_manifest, parse_manifest
from nv2.oci.reference import Reference, parse_registry
from nv2.plain_text import parse_instant, quoted, rfc3339

BUNDLE = "application/vnd.nv2.bundle.v1+json"
"""Artifact type of the index."""

TRUST = "application/vnd.nv2.trust.v1"
"""Artifact type of the manifest that carries a trust policy and its stores."""

FAMILY = "application/vnd.nv2.bundle."
"""What the artifact types of bundles begin with, of later versions too."""

NEWER = "perhaps a newer nv2 made it: read it with one"
"""What to do about kinds that are not known."""

REFERENCE = "io.nv2.bundle.reference"
"""Annotation of an image in the index: what it was called where it came from."""


class Image(NamedTuple):
    """An artifact that the bundle brings, and what it was called: a claim of whoever made the bundle."""

    reference: Reference
    descriptor: Descriptor


class Contents(NamedTuple):
    """What a bundle brings."""

    created: datetime
    """Aware, whole seconds; a claim, unless somebody trusted has signed the index."""
    images: tuple[Image, ...]
    referrers: tuple[Descriptor, ...] = ()
    evidence: Descriptor | None = None
    trust: Descriptor | None = None


def build_contents(contents: Contents) -> tuple[bytes, Descriptor]:
    """The index, and its descriptor. Raises `MalformedManifest` if it were too long for one."""
    listed = [*(_image(image) for image in contents.images), *contents.referrers]
    listed += [special for special in (contents.evidence, contents.trust) if special]
    document = {
        "schemaVersion": 2,
        "mediaType": mt.IMAGE_INDEX,
        "artifactType": BUNDLE,
        "manifests": [descriptor.to_json() for descriptor in listed],
        "annotations": {mt.CREATED: rfc3339(contents.created)},
    }
    data = json.dumps(document, separators=(",", ":")).encode()
    if len(data) > MAX_MANIFEST:
        raise MalformedManifest(
            f"the contents of the bundle take more than {MAX_MANIFEST} bytes",
            hint="make several bundles of fewer artifacts",
        )
    return data, describe(data, mt.IMAGE_INDEX, artifact_type=BUNDLE)


def _image(image: Image) -> Descriptor:
    return Descriptor(*image.descriptor[:4], {REFERENCE: str(image.reference)})


def parse_contents(data: bytes, at: str) -> Contents:
    """Read the index strictly. Raises `MalformedManifest`."""
    manifest = parse_manifest(data, mt.IMAGE_INDEX, at)
    if manifest.artifact_type != BUNDLE or manifest.subject is not None:
        raise MalformedManifest("is not the contents of a bundle", at=at)
    images: list[Image] = []
    special: dict[str, Descriptor] = {}
    referrers: list[Descriptor] = []
    for number, found in enumerate(manifest.manifests):
        place = f"{at}: manifests[{number}]"
        if not is_manifest(found.media_type):
            raise MalformedManifest(f"{quoted(found.media_type)} is no manifest", at=place)
        if (text := found.annotations.get(REFERENCE)) is not None:
            images.append(Image(_reference(text, found, place), Descriptor(*found[:4])))
        elif found.artifact_type in (evidence.ARTIFACT_TYPE, TRUST):
            if found.artifact_type in special:
                raise MalformedManifest("two of a kind of which there is one", at=place)
            special[found.artifact_type] = Descriptor(*found[:4])
        else:
            referrers.append(Descriptor(*found[:4]))
    if not images:
        raise MalformedManifest("brings no image", at=at)
    if clash := two_meanings(images):
        raise MalformedManifest(f"{clash} names two manifests", at=at)
    created = _instant(manifest.annotations.get(mt.CREATED), at)
    carried, trust = special.get(evidence.ARTIFACT_TYPE), special.get(TRUST)
    return Contents(created, tuple(images), tuple(referrers), carried, trust)


def _reference(text: str, found: Descriptor, at: str) -> Reference:
    try:
        reference = parse_registry(text)
    except InvalidReference as e:
        raise MalformedManifest(e.message, at=at) from None
    if reference.wanted is None or reference.digest not in (None, found.digest):
        raise MalformedManifest(f"{quoted(text)} does not name this manifest", at=at)
    if is_fallback_tag(reference.tag or ""):
        raise MalformedManifest(f"{quoted(text)} is where clients look for what refers to a digest", at=at)
    return reference


def two_meanings(images: Iterable[Image]) -> Reference | None:
    """A tag that would name two manifests, if there is one."""
    known: dict[tuple[str, str | None], Descriptor] = {}
    for image in images:
        key = (image.reference.name, image.reference.tag)
        if image.reference.tag and known.setdefault(key, image.descriptor).digest != image.descriptor.digest:
            return image.reference
    return None


def _instant(text: str | None, at: str) -> datetime:
    instant = parse_instant(text or "")
    if instant is None:
        raise MalformedManifest(f"does not say when it was made ({mt.CREATED})", at=at)
    return instant


def layout_tags(images: Iterable[Image]) -> list[tuple[Descriptor, str]]:
    """Under which tag each image stands in the layout: its own, or with its repository where two have the same.

    What would then still name two images names none: both have their digests.
    """
    by_tag: dict[str, set[str]] = {}
    images = tuple(images)
    for image in images:
        if image.reference.tag:
            by_tag.setdefault(image.reference.tag, set()).add(image.reference.name)
    found: dict[str, dict[Digest, Descriptor]] = {}
    for image in images:
        if tag := image.reference.tag:
            shown = tag if len(by_tag[tag]) == 1 else _long_tag(image.reference)
            found.setdefault(shown, {})[image.descriptor.digest] = image.descriptor
    return [(image, tag) for tag, named in found.items() if len(named) == 1 for image in named.values()]


MAX_TAG = 128
"""Characters (distribution-spec, "Pulling manifests")."""


def _long_tag(reference: Reference) -> str:
    name = "".join(c if c.isalnum() else "." for c in reference.name)
    return f"{name}-{reference.tag}"[-MAX_TAG:].lstrip(".-")
