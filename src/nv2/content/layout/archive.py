"""The files of an OCI image layout in a tar archive, which is read where it stands and never unpacked."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, BinaryIO, NoReturn

from nv2.content.layout.files import Files, failure, open_regular
from nv2.content.layout.tar_index import index_members
from nv2.errors import EnvironmentFailure, MalformedManifest, NotFound

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_COMPRESSED = {
    b"\x1f\x8b": "gzip -dc",
    b"BZh": "bzip2 -dc",
    b"\xfd7zXZ\0": "xz -dc",
    b"\x28\xb5\x2f\xfd": "zstd -dc",
}
"""How compressed files begin, and what unpacks them."""


class ArchiveFiles(Files):
    """The files of the archive at `root`, named by relative paths with `/`.

    The archive is indexed once. Raises `MalformedManifest` for what `index_members` refuses and for compressed
    archives, `EnvironmentFailure` for one that cannot be read.
    """

    def __init__(self, root: str) -> None:
        self.root = os.path.realpath(root)
        with open_regular(self.root) as stream:
            try:
                _refuse_compressed(stream, root)
                found = os.fstat(stream.fileno())
                self.members = index_members(stream, found.st_size, root)
            except OSError as e:
                raise failure(e, self.root) from e
        self.identity = identity_of(found)

    def open(self, relative: str) -> BinaryIO:
        """The file as a stream. Raises `NotFound`, `EnvironmentFailure` if the archive changed meanwhile."""
        member = self.members.get(relative)
        if member is None:
            raise NotFound("no such file", at=self.path(relative))
        try:
            stream = open_regular(self.root)
        except NotFound:
            raise self._changed() from None
        if identity_of(os.fstat(stream.fileno())) != self.identity:
            stream.close()
            raise self._changed()
        return Window(stream, member.offset, member.size)

    def size(self, relative: str) -> int | None:
        """Bytes of a file, or None if there is none."""
        member = self.members.get(relative)
        return member.size if member else None

    def look(self, relative: str) -> object:
        """Always the same: an archive that changes is read no further."""
        return self.members.get(relative)

    def names(self, relative: str = "") -> list[str]:
        """Names in a directory; empty if there is none."""
        start = f"{relative}/" if relative else ""
        found = (name[len(start) :] for name in self.members if name.startswith(start))
        return sorted({name.partition("/")[0] for name in found})

    def path(self, relative: str) -> str:
        """The path for messages: as if the archive were a directory."""
        return os.path.join(self.root, relative)

    def write(self, relative: str, chunks: Iterable[bytes], size: int | None = None) -> NoReturn:  # noqa: ARG002
        """Raise `EnvironmentFailure`."""
        raise read_only(self.root)

    def remove(self, relative: str) -> NoReturn:  # noqa: ARG002
        """Raise `EnvironmentFailure`."""
        raise read_only(self.root)

    def make_directory(self, relative: str) -> NoReturn:  # noqa: ARG002
        """Raise `EnvironmentFailure`."""
        raise read_only(self.root)

    def sync(self, relative: str) -> None:
        """Nothing was written."""

    def finish(self) -> None:
        """Nothing was written."""

    def close(self) -> None:
        """Nothing is being written."""

    def _changed(self) -> EnvironmentFailure:
        return EnvironmentFailure(
            "the archive changed while it was read", at=self.root, hint="run the command again"
        )


def refuse_strangers(name: str) -> None:
    """Raise `MalformedManifest` if the archive `name` holds anything besides an image layout; else as `ArchiveFiles`.

    For archives that strangers hand over to be unpacked, by whatever program: nothing may lie in them unseen.
    """
    with open_regular(os.path.realpath(name)) as stream:
        index_members(stream, os.fstat(stream.fileno()).st_size, name, nothing_else=True)


def read_only(name: str) -> EnvironmentFailure:
    """The error for who wants to write to the archive `name`, which was opened to be read."""
    return EnvironmentFailure("the archive was opened to be read", at=name)


class Window(io.RawIOBase, BinaryIO):
    """A part of a file as a stream of its own."""

    def __init__(self, source: BinaryIO, offset: int, size: int) -> None:
        super().__init__()
        self._source = source
        self._left = size
        source.seek(offset)

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Fill `buffer` as far as one read of the source and the end of the part go."""
        view = memoryview(buffer).cast("B")
        chunk = self._source.read(min(len(view), self._left))
        self._left -= len(chunk)
        view[: len(chunk)] = chunk
        return len(chunk)

    def close(self) -> None:
        """Close the source too."""
        self._source.close()
        super().close()


def identity_of(found: os.stat_result) -> tuple[int, ...]:
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _refuse_compressed(stream: BinaryIO, name: str) -> None:
    start = stream.read(8)
    for magic, program in _COMPRESSED.items():
        if start.startswith(magic):
            raise MalformedManifest(
                "the archive is compressed; its parts are read where they stand, which needs a plain tar",
                at=name,
                hint=f"decompress it first: {program} {os.path.basename(name)} > image.tar",
            )
