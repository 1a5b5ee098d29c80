"""A content store in a directory or a tar archive: an OCI image layout (image-spec, "Image Layout").

Written so that oras and notation read it: every manifest stands in index.json. Opening and reading never
creates or changes anything. Other programs write layouts without any lock; among those that share nv2's,
concurrent writers lose nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import TYPE_CHECKING, BinaryIO

from nv2 import strict_json
from nv2.content.interface import Lock, Opener, Referrers, check_size, done, one_by_one, opener
from nv2.content.layout.directory import LayoutDirectory, checked
from nv2.content.layout.index import LayoutIndex
from nv2.content.layout.referrers import UNREAD, Walked, walk
from nv2.errors import ArtifactError, MalformedManifest, NotFound, Nv2Error
from nv2.oci.descriptor import Descriptor
from nv2.oci.digest import Digest, parse_digest
from nv2.oci.manifest import MAX_MANIFEST, Manifest, is_manifest, parse_manifest
from nv2.oci.reference import is_tag
from nv2.plain_text import one_line
from nv2.strict_json import Fields

if TYPE_CHECKING:
    from pathlib import Path

MAX_LISTING = 64 * 1024 * 1024
"""Bytes of manifests read to list the referrers of one subject: 50,000 signatures, and a bound of memory."""

SHOWN_TAGS = 5
"""Tags that the hint of an absent one names: enough to see a typing error, and one line."""

LISTED_BY_INDEX = "delete that index, or copy what shall stay to a new layout"


class LayoutStore:
    """Keeps `content.interface.Store` for the layout in `directory`, which may be a plain tar archive.

    `create` makes a new layout if the directory is absent or empty, or an archive if the name of what is absent says so.
    What is written to an archive, which `push` or `create` announce, is in it after `finish`. `lock` is held while
    index.json is read, edited and written. Raises `EnvironmentFailure` if there is no layout; `MalformedManifest` if it
    is of an unknown version, or in an archive that cannot be read.
    """

    def __init__(self, directory: Path, *, create: bool = False, push: bool = False, lock: Lock) -> None:
        self._directory = LayoutDirectory(os.fspath(directory), lock, writing=create or push)
        self._walked: tuple[LayoutIndex, Walked] | None = None
        if create:
            self._directory.create()
        self._directory.check()

    def finish(self) -> None:
        """Let others see what was written to an archive; a directory shows it at once. Raises `EnvironmentFailure`."""
        self._directory.finish()

    def close(self) -> None:
        """Write nothing more, though other threads are at it; what is half-written goes, or waits for the next run."""
        self._directory.close()

    def resolve(self, name: str) -> Descriptor:
        """The plain descriptor of a tag or digest. Every manifest here has a digest, listed or not."""
        found = self._by_digest(parse_digest(name)) if ":" in name else self._by_tag(name)
        if not is_manifest(found.media_type):
            raise MalformedManifest(f"{found.media_type!r} is no manifest", at=self._directory.at(name))
        self._manifest(found)
        return Descriptor(*found[:3])

    def fetch(self, descriptor: Descriptor, limit: int) -> bytes:
        """The whole content."""
        check_size(descriptor, limit)
        return self._directory.read(descriptor)

    def fetch_many(self, descriptors: Sequence[Descriptor], limit: int) -> Iterator[bytes | Nv2Error]:
        """`fetch` of each; an error takes the place of its content."""
        return one_by_one(self, descriptors, limit)

    def open(self, descriptor: Descriptor) -> BinaryIO:
        """The content as a checked stream."""
        return self._directory.open(descriptor)

    def exists(self, descriptor: Descriptor) -> bool:
        """Whether a file of this digest and size is there; of a manifest, whether it is listed, too.

        The bytes are checked when they are read.
        """
        listed = not is_manifest(descriptor.media_type) or self._directory.lists(descriptor.digest)
        return listed and self._has(descriptor)

    def push(self, descriptor: Descriptor, source: Opener) -> None:
        """Store a blob or manifest. A manifest without a subject is listed at once, others by `attach`."""
        if not is_manifest(descriptor.media_type):
            if not self._has(descriptor):
                self._directory.write(descriptor, source)
            return
        check_size(descriptor, MAX_MANIFEST)
        data = b"".join(checked(descriptor, source))
        manifest = parse_manifest(data, descriptor.media_type, at=descriptor.digest)
        if not self._has(descriptor):
            self._directory.write(descriptor, opener(data))
        if manifest.subject is None:
            listed = Descriptor(*descriptor[:3], manifest.artifact_type)
            self._directory.edit(lambda index: index.listing([listed]))

    def provide(
        self,
        descriptor: Descriptor,
        source: Opener,
        subject: Descriptor,  # noqa: ARG002
    ) -> Callable[[], object]:
        """Store a blob that many manifests name, if it is missing."""
        self.push(descriptor, source)
        return done

    def tag(self, descriptor: Descriptor, tag: str) -> None:
        """Let `tag` name a manifest that is in the layout. Raises `NotFound`."""
        self._require(descriptor)
        self._directory.edit(lambda index: index.tagging(descriptor, tag))

    def tag_names(self) -> tuple[str, ...]:
        """Every tag, sorted; what is no tag of a registry is none here."""
        return tuple(filter(is_tag, self._directory.index().tags))

    def remove(self, descriptor: Descriptor) -> None:
        """Unlist a manifest with every tag of it, and remove its file, unless an index here leads to it.

        In an archive that another writer has changed meanwhile its bytes stay. Raises `NotFound` if it is not here, `ArtifactError` if only an index leads to it.
        """
        digest, at = descriptor.digest, self._directory.at(descriptor.digest)
        if not self.exists(descriptor):
            if digest in self._walk().media_types:
                raise ArtifactError(
                    "it is listed by an index of the layout alone", at=at, hint=LISTED_BY_INDEX
                )
            raise NotFound("no such manifest is listed in the layout", at=at)
        self._directory.edit(lambda index: index.without(digest))
        walked = self._walk()
        if walked.complete and digest not in walked.media_types:
            self._directory.remove(digest)

    def untag(self, tag: str) -> None:
        """Take a tag away; what it named stays listed. Raises `NotFound`."""
        self._by_tag(tag)
        self._directory.edit(lambda index: index.untagging(tag))

    def detach(self, subject: Descriptor, digests: Collection[Digest]) -> tuple[Descriptor, ...]:  # noqa: ARG002
        """Nothing: what is not listed refers to nothing."""
        return ()

    def referrers(self, subject: Descriptor, artifact_type: str | None = None) -> Referrers:
        """Every manifest that names `subject`, with the type and the annotations that stand in it."""
        walked = self._walk()
        found: list[Descriptor] = []
        problems = list(walked.problems)
        room, complete = MAX_LISTING, walked.complete
        for descriptor in walked.referrers.get(subject.digest, ()):
            room -= descriptor.size
            if room < 0:
                break
            try:
                manifest = self._manifest(descriptor)
            except Nv2Error as e:
                problems.append(one_line(str(e)))
                complete = complete and not isinstance(e, UNREAD)
                continue
            if artifact_type in (None, manifest.kind):
                kind, annotations = manifest.kind, manifest.annotations
                found.append(descriptor._replace(artifact_type=kind, annotations=annotations))
        return Referrers(tuple(found), complete and room >= 0, tuple(problems))

    def attach(self, subject: Descriptor, manifests: Sequence[Descriptor]) -> None:  # noqa: ARG002
        """List `manifests` in index.json. Raises `NotFound` if one was not pushed."""
        for manifest in manifests:
            self._require(manifest)
        self._directory.edit(lambda index: index.listing(manifests))

    def listed(self) -> tuple[Descriptor, ...]:
        """What stands in index.json, with its annotations: the tag is one of them."""
        return tuple(entry.descriptor for entry in self._directory.index().entries)

    def digests(self) -> frozenset[str]:
        """Of every blob that is here, listed or not. The names were not compared with the content."""
        return self._directory.digests()

    def keep_only(self, digests: Collection[str]) -> None:
        """Remove every other blob: a part of something that was left out, which nothing names."""
        for digest in self.digests().difference(digests):
            self._directory.remove(parse_digest(digest))

    def _walk(self) -> Walked:
        index = self._directory.index()
        if self._walked is None or self._walked[0] is not index:
            roots = (entry.descriptor for entry in index.entries)
            self._walked = (index, walk(roots, self._manifest))
        return self._walked[1]

    def _by_tag(self, tag: str) -> Descriptor:
        index = self._directory.index()
        found = index.named(tag)
        at = self._directory.at(tag)
        if len(found) > 1:
            raise MalformedManifest(
                f"the tag names {len(found)} manifests", at=at, hint="name one by its digest"
            )
        if not found:
            raise NotFound("no such tag", at=at, hint=_hint(index))
        return found[0]

    def _by_digest(self, digest: Digest) -> Descriptor:
        at = self._directory.at(digest)
        size = self._directory.size(digest)
        if size is None:
            raise NotFound("no such manifest in the layout", at=at)
        media_type = self._media_type(digest, size)
        if media_type is None:
            raise MalformedManifest("neither index.json nor the content itself calls it a manifest", at=at)
        return Descriptor(media_type, digest, size)

    def _media_type(self, digest: Digest, size: int) -> str | None:
        """As index.json says, else as the manifest says, else as an index says that leads there."""
        if listed := self._directory.index().find(digest):
            return listed.media_type
        at = self._directory.at(digest)
        document = strict_json.loads(
            self.fetch(Descriptor("", digest, size), MAX_MANIFEST), MalformedManifest, at=at
        )
        said = Fields.of(document, at, MalformedManifest).get("mediaType", str)
        return said or self._walk().media_types.get(digest)

    def _manifest(self, descriptor: Descriptor) -> Manifest:
        return parse_manifest(
            self.fetch(descriptor, MAX_MANIFEST), descriptor.media_type, at=descriptor.digest
        )

    def _has(self, descriptor: Descriptor) -> bool:
        return self._directory.size(descriptor.digest) == descriptor.size

    def _require(self, descriptor: Descriptor) -> None:
        if not self._has(descriptor):
            at = self._directory.at(descriptor.digest)
            raise NotFound("no such manifest in the layout", at=at)


def _hint(index: LayoutIndex) -> str:
    tags = [tag for tag in index.tags if is_tag(tag)]
    if tags:
        return f"tags here: {', '.join(tags[:SHOWN_TAGS])}{', …' if len(tags) > SHOWN_TAGS else ''}"
    if index.entries:
        return f"nothing here has a tag; name a digest, such as {index.entries[0].descriptor.digest}"
    return "the layout is empty"
