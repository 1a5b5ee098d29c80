"""`index.json` of an OCI image layout (image-spec, "Image Layout"): reading it and editing it.

Entries of others, and fields that nv2 does not know, stay as they are.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from nv2 import strict_json
from nv2.errors import MalformedManifest
from nv2.oci import media_types as mt
from nv2.oci.descriptor import Descriptor, parse_descriptor
from nv2.oci.digest import Digest
from nv2.strict_json import Fields

MAX_INDEX = 16 * 1024 * 1024
"""Bytes of index.json: room for 60,000 signatures as nv2 lists them."""


class Entry(NamedTuple):
    """One descriptor of index.json, as it stands there and as nv2 reads it."""

    raw: dict[str, Any]
    descriptor: Descriptor

    @property
    def tag(self) -> str | None:
        """The tag that this entry gives to its manifest."""
        return self.descriptor.annotations.get(mt.REF_NAME) or None

    def tagged(self, tag: str | None) -> Entry:
        """The same entry under another tag, or under none."""
        annotations = {k: v for k, v in self.descriptor.annotations.items() if k != mt.REF_NAME}
        if tag:
            annotations[mt.REF_NAME] = tag
        raw = {k: v for k, v in self.raw.items() if k != "annotations"}
        if annotations:
            raw["annotations"] = annotations
        return Entry(raw, self.descriptor._replace(annotations=annotations))


def entry_of(descriptor: Descriptor) -> Entry:
    """A new entry without a tag. Annotations stand in the manifest; a tag of another layout is not taken over."""
    bare = Descriptor(*descriptor[:4])
    return Entry(bare.to_json(), bare)


class LayoutIndex(NamedTuple):
    """An index.json. Editing gives a new one, or the same object if nothing changes."""

    document: dict[str, Any]
    """Everything but `manifests`."""
    entries: tuple[Entry, ...]

    @property
    def tags(self) -> tuple[str, ...]:
        """Every tag once, sorted."""
        return tuple(sorted({entry.tag for entry in self.entries if entry.tag}))

    def named(self, tag: str) -> tuple[Descriptor, ...]:
        """What `tag` names, each digest once. More than one is an ambiguous layout."""
        return tuple({e.descriptor.digest: e.descriptor for e in self.entries if e.tag == tag}.values())

    def find(self, digest: Digest) -> Descriptor | None:
        """The first entry of `digest`."""
        return next((e.descriptor for e in self.entries if e.descriptor.digest == digest), None)

    def listing(self, descriptors: Sequence[Descriptor]) -> LayoutIndex:
        """With an entry for each of `descriptors` that has none. One of another size or media type is none."""
        known = {entry.descriptor[:3] for entry in self.entries}
        added = {d.digest: entry_of(d) for d in descriptors if d[:3] not in known}
        return self._replace(entries=(*self.entries, *added.values())) if added else self

    def tagging(self, descriptor: Descriptor, tag: str) -> LayoutIndex:
        """With `tag` on `descriptor` alone. Whatever had the tag stays listed without it."""
        if [d.digest for d in self.named(tag)] == [descriptor.digest]:
            return self
        entries: list[Entry] = []
        for entry in self.entries:
            _keep(entries, entry.tagged(None) if entry.tag == tag else entry)
        plain = next((e for e in entries if e.descriptor.digest == descriptor.digest and not e.tag), None)
        if plain:
            entries.remove(plain)
        listed = plain or next((e for e in entries if e.descriptor.digest == descriptor.digest), None)
        entries.append((listed or entry_of(descriptor)).tagged(tag))
        return self._replace(entries=tuple(entries))

    def without(self, digest: Digest) -> LayoutIndex:
        """Without any entry of `digest`, with a tag or without."""
        kept = tuple(entry for entry in self.entries if entry.descriptor.digest != digest)
        return self if len(kept) == len(self.entries) else self._replace(entries=kept)

    def untagging(self, tag: str) -> LayoutIndex:
        """Without `tag`. Whatever had it stays listed."""
        entries: list[Entry] = []
        for entry in self.entries:
            _keep(entries, entry.tagged(None) if entry.tag == tag else entry)
        return self._replace(entries=tuple(entries)) if self.named(tag) else self

    def to_json(self) -> bytes:
        """The bytes of the file."""
        document = {**self.document, "manifests": [entry.raw for entry in self.entries]}
        return json.dumps(document, separators=(",", ":")).encode()


def _keep(entries: list[Entry], entry: Entry) -> None:
    """Append `entry`, unless it has no tag and its manifest is listed already."""
    if entry.tag or all(e.descriptor.digest != entry.descriptor.digest for e in entries):
        entries.append(entry)


EMPTY_INDEX = LayoutIndex({"schemaVersion": 2, "mediaType": mt.IMAGE_INDEX}, ())


def parse_index(data: bytes, at: str) -> LayoutIndex:
    """Read index.json. Raises `MalformedManifest`."""
    fields = Fields.of(strict_json.loads(data, MalformedManifest, at=at), at, MalformedManifest)
    media_type = fields.get("mediaType", str)
    if media_type not in (None, mt.IMAGE_INDEX):
        raise MalformedManifest(f"is {media_type!r} instead of an image index", at=at)
    document = {key: value for key, value in fields.value.items() if key != "manifests"}
    # Go writes an empty list that nobody made as null.
    if fields.value.get("manifests") is None:
        return LayoutIndex(document, ())
    entries = (Entry(item.value, parse_descriptor(item)) for item in fields.objects("manifests"))
    return LayoutIndex(document, tuple(entries))
