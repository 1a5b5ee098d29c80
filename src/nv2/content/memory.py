"""A content store in memory: for tests, demonstrations and what is assembled before it is sent.

It lists as referrers exactly what was attached, as it was attached, like a registry with the fallback
tag only: so a test can let it lie.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import BinaryIO

from nv2.content.checked_stream import CheckedStream
from nv2.content.interface import Opener, Referrers, check_size, done, one_by_one
from nv2.errors import NotFound, Nv2Error
from nv2.oci.descriptor import Descriptor
from nv2.oci.digest import Digest
from nv2.oci.manifest import MAX_MANIFEST, is_manifest

SHOWN_TAGS = 5
"""Tags that the hint of an absent one names: enough to see a typing error, and one line."""


class MemoryStore:
    """Keeps `content.interface.Store`. The attributes are open, so that a test can spoil what is stored."""

    def __init__(self) -> None:
        self.contents: dict[Digest, bytes] = {}
        self.manifests: dict[Digest, Descriptor] = {}
        self.tags: dict[str, Descriptor] = {}
        self.listed: dict[Digest, dict[Digest, Descriptor]] = {}

    def resolve(self, name: str) -> Descriptor:
        """The plain descriptor of a tag or digest."""
        found = self.tags.get(name) or self.manifests.get(Digest(name))
        if found is None:
            raise NotFound(
                "no such manifest" if ":" in name else "no such tag", at=name, hint=self._hint(name)
            )
        found.check(self._content(found))
        return found

    def fetch(self, descriptor: Descriptor, limit: int) -> bytes:
        """The whole content."""
        check_size(descriptor, limit)
        data = self._content(descriptor)
        descriptor.check(data)
        return data

    def fetch_many(self, descriptors: Sequence[Descriptor], limit: int) -> Iterator[bytes | Nv2Error]:
        """`fetch` of each; an error takes the place of its content."""
        return one_by_one(self, descriptors, limit)

    def open(self, descriptor: Descriptor) -> BinaryIO:
        """The content as a checked stream."""
        return CheckedStream(io.BytesIO(self._content(descriptor)), descriptor)

    def exists(self, descriptor: Descriptor) -> bool:
        """Whether the content is here; of a manifest, whether it was pushed as one."""
        stored = self.manifests if is_manifest(descriptor.media_type) else self.contents
        return descriptor.digest in stored

    def push(self, descriptor: Descriptor, source: Opener) -> None:
        """Store a blob or manifest."""
        if is_manifest(descriptor.media_type):
            check_size(descriptor, MAX_MANIFEST)
        data = bytearray()
        with source() as stream:
            while len(data) <= descriptor.size and (chunk := stream.read(descriptor.size + 1 - len(data))):
                data += chunk
        descriptor.check(bytes(data))
        self.contents[descriptor.digest] = bytes(data)
        if is_manifest(descriptor.media_type):
            self.manifests[descriptor.digest] = Descriptor(*descriptor[:3])

    def provide(
        self,
        descriptor: Descriptor,
        source: Opener,
        subject: Descriptor,  # noqa: ARG002
    ) -> Callable[[], object]:
        """Store a blob that many manifests name."""
        self.push(descriptor, source)
        return done

    def tag(self, descriptor: Descriptor, tag: str) -> None:
        """Let `tag` name a manifest that is in the store. Raises `NotFound`."""
        self.tags[tag] = self.resolve(descriptor.digest)

    def tag_names(self) -> tuple[str, ...]:
        """Every tag, sorted."""
        return tuple(sorted(self.tags))

    def referrers(self, subject: Descriptor, artifact_type: str | None = None) -> Referrers:  # noqa: ARG002
        """What was attached to `subject`, in that order."""
        return Referrers(tuple(self.listed.get(subject.digest, {}).values()), complete=True)

    def attach(self, subject: Descriptor, manifests: Sequence[Descriptor]) -> None:
        """List `manifests` as referrers of `subject`."""
        listed = self.listed.setdefault(subject.digest, {})
        listed.update((manifest.digest, manifest) for manifest in manifests)

    def remove(self, descriptor: Descriptor) -> None:
        """Remove a manifest and every tag that names it. Raises `NotFound`."""
        if self.manifests.pop(descriptor.digest, None) is None:
            raise NotFound("no such manifest", at=descriptor.digest)
        self.tags = {tag: found for tag, found in self.tags.items() if found.digest != descriptor.digest}

    def untag(self, tag: str) -> None:
        """Remove a tag alone. Raises `NotFound`."""
        if self.tags.pop(tag, None) is None:
            raise NotFound("no such tag", at=tag)

    def detach(self, subject: Descriptor, digests: Collection[Digest]) -> tuple[Descriptor, ...]:
        """No longer list `digests` as referrers of `subject`; what was listed."""
        listed = self.listed.get(subject.digest, {})
        return tuple(listed.pop(digest) for digest in digests if digest in listed)

    def _content(self, descriptor: Descriptor) -> bytes:
        if descriptor.digest not in self.contents:
            raise NotFound("no such content", at=descriptor.digest)
        return self.contents[descriptor.digest]

    def _hint(self, name: str) -> str | None:
        if ":" in name or not self.tags:
            return None
        shown = sorted(self.tags)[:SHOWN_TAGS]
        return f"tags here: {', '.join(shown)}{', …' if len(self.tags) > SHOWN_TAGS else ''}"
