"""The directory of an OCI image layout: made, opened, its index.json read and edited under a lock."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import BinaryIO

from nv2 import strict_json
from nv2.content.checked_stream import CheckedStream
from nv2.content.interface import Lock, Opener
from nv2.content.layout.files import Files, LayoutFiles
from nv2.content.layout.index import EMPTY_INDEX, MAX_INDEX, LayoutIndex, parse_index
from nv2.errors import EnvironmentFailure, MalformedManifest, NotFound
from nv2.oci.descriptor import Descriptor
from nv2.oci.digest import Digest
from nv2.strict_json import Fields

LAYOUT_FILE, INDEX_FILE, BLOBS = "oci-layout", "index.json", "blobs"
LAYOUT_VERSION = "1.0.0"

MAX_LAYOUT_FILE = 4096
"""Bytes of `oci-layout`, which holds one version."""

RESUMABLE = 64 * 1024 * 1024
"""Bytes above which a blob that was interrupted is gone on with, as an upload in pieces is; smaller ones begin anew."""

CHUNK = 1024 * 1024
"""Bytes of a blob in memory at a time."""


def is_blank(name: str) -> bool:
    """Whether `LayoutDirectory.create` would make a new layout there. Raises `EnvironmentFailure`."""
    return _is_new_archive(name) or (not os.path.isfile(name) and not LayoutFiles(name).names())


def is_archive(name: str) -> bool:
    """Whether what is written there goes into a tar archive: one is there, or would be made."""
    return os.path.isfile(name) or _is_new_archive(name)


class LayoutDirectory:
    """What `LayoutStore` needs of the disk. `name` is the directory, or a tar archive, as the user wrote it.

    What is written to an archive is in it after `finish`. Raises what `ArchiveFiles` does.
    """

    def __init__(self, name: str, lock: Lock, *, writing: bool = False) -> None:
        self.name = name
        self._files = _files(name, writing=writing)
        self._lock = lock
        self._last: tuple[bytes, LayoutIndex] | None = None
        self._listed: tuple[object, frozenset[Digest]] | None = None
        self._changes: list[Callable[[LayoutIndex], LayoutIndex]] = []

    def finish(self) -> None:
        """Let others see what was written to an archive. What others wrote to it meanwhile stays."""
        with self._lock(self._key) if self._files.deferred else nullcontext():
            if self._files.refresh():
                index = self.index()
                for change in self._changes:
                    index = change(index)
                self._files.write(INDEX_FILE, [index.to_json()])
            self._files.finish()
            self._changes.clear()

    def close(self) -> None:
        """Write nothing more; what is half-written goes, or waits for the next run."""
        self._files.close()

    def create(self) -> None:
        """Make a new layout if the directory is absent or empty; finish one that was interrupted."""
        with self._lock(self._key):
            names = self._files.names()
            if names and LAYOUT_FILE not in names:
                raise EnvironmentFailure(
                    "the directory is neither empty nor an OCI image layout",
                    at=self.name,
                    hint="name a new directory: it will be made",
                )
            if LAYOUT_FILE not in names:
                self._files.write(LAYOUT_FILE, [b'{"imageLayoutVersion":"%s"}' % LAYOUT_VERSION.encode()])
            if INDEX_FILE not in names:
                self._files.make_directory(BLOBS)
                self._files.write(INDEX_FILE, [EMPTY_INDEX.to_json()])
                self._files.sync("")

    def check(self) -> None:
        """Raise `EnvironmentFailure` if there is no layout, `MalformedManifest` if it is of another version."""
        there = os.path.isdir(self.name) or os.path.isfile(self.name) or self._files.deferred
        if not there or (self._files.deferred and not self._files.names()):
            raise _no_directory(self.name)
        try:
            data = self._files.read(LAYOUT_FILE, MAX_LAYOUT_FILE)
        except NotFound:
            raise EnvironmentFailure(
                f"not an OCI image layout: it has no file {LAYOUT_FILE}",
                at=self.name,
                hint="docker buildx, docker save of Docker 25 or later, oras, skopeo and nv2 copy can write one",
            ) from None
        at = self._files.path(LAYOUT_FILE)
        fields = Fields.of(strict_json.loads(data, MalformedManifest, at=at), at, MalformedManifest)
        version = fields.require("imageLayoutVersion", str)
        if version != LAYOUT_VERSION:
            raise MalformedManifest(f"layout version {version!r} instead of {LAYOUT_VERSION}", at=at)

    def index(self) -> LayoutIndex:
        """index.json as it is now: the same object as long as its bytes are the same."""
        try:
            raw = self._files.read(INDEX_FILE, MAX_INDEX)
        except NotFound:
            raise MalformedManifest(f"the layout has no {INDEX_FILE}", at=self.name) from None
        last = self._last
        if last is None or last[0] != raw:
            last = self._last = (raw, parse_index(raw, self._files.path(INDEX_FILE)))
        return last[1]

    def lists(self, digest: Digest) -> bool:
        """Whether index.json has an entry for `digest`; it is read again only if the file looks changed."""
        look = self._files.look(INDEX_FILE)
        listed = self._listed
        if listed is None or listed[0] != look:
            listed = self._listed = (look, frozenset(e.descriptor.digest for e in self.index().entries))
        return digest in listed[1]

    def edit(self, change: Callable[[LayoutIndex], LayoutIndex]) -> None:
        """Write index.json anew as `change` makes it from what stands there; blobs get to disk first."""
        with self._lock(self._key):
            before = self.index()
            after = change(before)
            if after is before:
                return
            for algorithm in self._files.names(BLOBS):
                self._files.sync(f"{BLOBS}/{algorithm}")
            self._files.write(INDEX_FILE, [after.to_json()])
            self._files.sync("")
            if self._files.deferred:
                self._changes.append(change)

    def size(self, digest: Digest) -> int | None:
        """Bytes of a blob, or None if it is not here."""
        return self._files.size(_path(digest))

    def read(self, descriptor: Descriptor) -> bytes:
        """The content of a blob, checked. Raises `NotFound`, `ContentMismatch`."""
        try:
            data = self._files.read_start(_path(descriptor.digest), descriptor.size + 1)
        except NotFound:
            raise self._no_blob(descriptor.digest) from None
        descriptor.check(data)
        return data

    def open(self, descriptor: Descriptor) -> BinaryIO:
        """A blob as a checked stream. Raises `NotFound`."""
        try:
            return CheckedStream(self._files.open(_path(descriptor.digest)), descriptor)
        except NotFound:
            raise self._no_blob(descriptor.digest) from None

    def write(self, descriptor: Descriptor, source: Opener) -> None:
        """Store a blob; it is visible only whole and checked."""
        path, files = _path(descriptor.digest), self._files
        if descriptor.size > RESUMABLE and isinstance(files, LayoutFiles):
            from nv2.content.layout.partial import write_on as go_on  # few blobs are large

            done = go_on(files, path, descriptor, source)
        else:
            done = files.go_on(path, descriptor, source)
        if not done:
            files.write(path, checked(descriptor, source), descriptor.size)

    def remove(self, digest: Digest) -> None:
        """Remove the file of a blob, where there are files."""
        with self._lock(self._key):
            self._files.remove(_path(digest))

    def digests(self) -> frozenset[str]:
        """Of every blob that is here, by its name alone."""
        found = ((name, self._files.names(f"{BLOBS}/{name}")) for name in self._files.names(BLOBS))
        return frozenset(f"{algorithm}:{encoded}" for algorithm, names in found for encoded in names)

    def at(self, name: str) -> str:
        """The place of a tag or digest, for messages."""
        return f"layout:{self.name}{'@' if ':' in name else ':'}{name}"

    @property
    def _key(self) -> str:
        return f"layout:{self._files.root}"

    def _no_blob(self, digest: Digest) -> NotFound:
        return NotFound("no such blob in the layout", at=self.at(digest))


def checked(descriptor: Descriptor, source: Opener) -> Iterator[bytes]:
    """The content in chunks. Raises `ContentMismatch` no later than after the last one."""
    with CheckedStream(source(), descriptor) as stream:
        while chunk := stream.read(CHUNK):
            yield chunk


def _files(name: str, *, writing: bool) -> Files:
    """The files of a directory, or of an archive where one is, or, if `writing`, will be by its name."""
    if writing and is_archive(name):
        from nv2.content.layout.archive_writer import WritableArchive  # most layouts are directories

        return WritableArchive(name)
    if os.path.isfile(name):
        from nv2.content.layout.archive import ArchiveFiles

        return ArchiveFiles(name)
    return LayoutFiles(name)


def _is_new_archive(name: str) -> bool:
    return name.endswith(".tar") and not os.path.exists(name)


def _path(digest: Digest) -> str:
    algorithm, _, encoded = digest.partition(":")
    return f"{BLOBS}/{algorithm}/{encoded}"


def _no_directory(name: str) -> EnvironmentFailure:
    if os.path.exists(name):
        return EnvironmentFailure(
            "a layout is a directory or a tar archive; this is neither", at=name, hint="name one of these"
        )
    return EnvironmentFailure(
        "no such directory", at=name, hint="a reference to a layout is DIR:TAG or DIR@DIGEST"
    )
