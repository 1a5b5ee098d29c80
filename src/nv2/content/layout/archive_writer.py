"""The files of an OCI image layout in a tar archive that is written: new, or once more.

What was written is in the archive after `finish`, which gives it its name in one step: whoever reads it before has the
old one, whole. An archive cannot be changed in place without a moment in which it is broken, so what it had is copied.
What an interrupted run had written already is gone on with (`tar_writer`).
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import threading
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from nv2.content.interface import Opener
from nv2.content.layout.archive import ArchiveFiles, Window, identity_of
from nv2.content.layout.files import Files, failure, open_regular
from nv2.content.layout.tar_writer import SMALL, GrowingTar
from nv2.errors import ContentMismatch, EnvironmentFailure, InvalidReference, NotFound
from nv2.oci.descriptor import Descriptor
from nv2.oci.digest import parse_digest
from nv2.oci.media_types import OCTET_STREAM


class WritableArchive(Files):
    """The files of the archive `root`, which need not be there yet, and what is written over them.

    Files at the top are small, and are held until the end. Raises what `ArchiveFiles` raises.
    """

    deferred = True

    def __init__(self, root: str) -> None:
        self.root = os.path.realpath(root)
        self._old = self._open_old()
        self._begun_upon = self._old.identity if self._old else None
        self._top: dict[str, bytes] = {}
        self._removed: set[str] = set()
        self._new: GrowingTar | None = None
        self._closed = False
        self._refusal: OSError | None = None
        """Why the archive to be could not be begun: another try, by another thread, is not made."""
        self._guard = threading.RLock()  # as in `LayoutFiles`

    def open(self, relative: str) -> BinaryIO:
        """The file as a stream, as it was written last."""
        if relative in self._top:
            return io.BytesIO(self._top[relative])
        member = self._new.members.get(relative) if self._new else None
        if self._new is not None and member is not None:
            return Window(open_regular(self._new.path), member.offset, member.size)
        if self._old and _identity(self.root) != self._old.identity:
            self._follow()
        if self._old is None or relative in self._removed:
            raise NotFound("no such file", at=self.path(relative))
        return self._old.open(relative)

    def size(self, relative: str) -> int | None:
        """Bytes of a file, or None if there is none."""
        if relative in self._top:
            return len(self._top[relative])
        if self._new is not None and relative in self._new.members:
            return self._new.members[relative].size
        return self._old.size(relative) if self._old and relative not in self._removed else None

    def look(self, relative: str) -> object:
        """What changes when the file is written anew here."""
        return self._top.get(relative) or (self._old and self._old.identity)

    def names(self, relative: str = "") -> list[str]:
        """Names in a directory; empty if there is none."""
        start = f"{relative}/" if relative else ""
        new = (*self._top, *(self._new.members if self._new else ()))
        found = {name[len(start) :].partition("/")[0] for name in new if name.startswith(start)}
        old = self._old.names(relative) if self._old else ()
        return sorted(found.union(name for name in old if f"{start}{name}" not in self._removed))

    def path(self, relative: str) -> str:
        """The path for messages: as if the archive were a directory."""
        return os.path.join(self.root, relative)

    def write(self, relative: str, chunks: Iterable[bytes], size: int | None = None) -> None:
        """Write the file whole or not at all; `finish` puts it into the archive."""
        if "/" not in relative:
            self._top[relative] = b"".join(chunks)
            return
        with self._refusals():
            self._begun().write(relative, chunks, size)

    def go_on(self, relative: str, descriptor: Descriptor, source: Opener) -> bool:
        """Complete what an interrupted run left of a blob; False if that is of no use."""
        with self._refusals():
            return self._begun().go_on(relative, descriptor, source)

    def remove(self, relative: str) -> None:
        """Leave the file out of the archive to be, unless it is written anew."""
        self._removed.add(relative)
        if self._new is not None:
            self._new.remove(relative)

    def make_directory(self, relative: str) -> None:
        """Directories come with their files."""

    def sync(self, relative: str) -> None:
        """`finish` does it for all."""

    def refresh(self) -> bool:
        """Whether another writer has changed the archive since; then his index is what is read, until it is written.

        Raises `EnvironmentFailure` if what was there before is not there any more: some of it was not written anew.
        """
        if _identity(self.root) == self._begun_upon:
            return False
        self._follow()
        self._top.clear()
        self._removed.clear()  # it may be his now, too
        return True

    def _follow(self) -> None:
        before, self._old = self._old, self._open_old()
        if before and (self._old is None or not before.members.keys() <= self._old.members.keys()):
            raise EnvironmentFailure(
                "another program replaced the archive meanwhile", at=self.root, hint="run the command again"
            )

    def finish(self) -> None:
        """Put the archive in its place, with all that was written; nothing happens where nothing was."""
        if not self._top and self._new is None:
            return
        with self._refusals():
            new = self._begun()
            self._copy_old(new)
            for name, data in sorted(self._top.items(), key=lambda item: item[0] == "index.json"):
                if name not in new.members:
                    new.write(name, [data])
            new.finish(self.root, _mode(self.root))
            self._top, self._new = {}, None
            self._removed.clear()
            _sync_directory(os.path.dirname(self.root))
        self._old = self._open_old()
        self._begun_upon = self._old.identity if self._old else None

    def close(self) -> None:
        """Write nothing more, though other threads are at it. What is not finished stays for the next run, if it is much."""
        with self._guard:
            self._closed = True
            new, self._new = self._new, None
        if new is not None:
            new.close()

    def _open_old(self) -> ArchiveFiles | None:
        return ArchiveFiles(self.root) if os.path.lexists(self.root) else None

    def _begun(self) -> GrowingTar:
        """The archive to be, made when it is first needed. It begins with what says that it is a layout."""
        with self._guard:
            if self._closed:
                raise InterruptedError(errno.EINTR, "interrupted")
            if self._refusal is not None:
                raise self._refusal
            if self._new is None:
                try:
                    self._new = GrowingTar(self.root)
                except OSError as e:
                    self._refusal = e
                    raise
                with contextlib.suppress(NotFound):
                    self._new.begin("oci-layout", self.read("oci-layout", SMALL))
            return self._new

    def _copy_old(self, new: GrowingTar) -> None:
        """What the archive had, but for what was written anew."""
        for name, member in self._old.members.items() if self._old else ():
            if name in new.members or name in self._top or name in self._removed:
                continue
            if not _is_left(new, name, member.size):
                with self._old.open(name) as stream:  # type: ignore[union-attr]
                    new.write(name, _chunks(stream), member.size)

    @contextlib.contextmanager
    def _refusals(self) -> Iterator[None]:
        try:
            yield
        except OSError as e:
            raise failure(e, self.root) from e
        except ValueError as e:  # the file was closed by `close`, in another thread
            raise failure(InterruptedError(errno.EINTR, "interrupted"), self.root) from e


def _is_left(new: GrowingTar, name: str, size: int) -> bool:
    """Whether an interrupted run copied the file to `new` already, and it is a blob that proves itself."""
    try:
        digest = parse_digest(name.removeprefix("blobs/").replace("/", ":", 1))
        return new.go_on(name, Descriptor(OCTET_STREAM, digest, size), None)
    except (InvalidReference, ContentMismatch):  # some algorithms cannot be computed here
        return False


def _chunks(stream: BinaryIO) -> Iterator[bytes]:
    while chunk := stream.read(SMALL):
        yield chunk


def _identity(path: str) -> tuple[int, ...] | None:
    try:
        return identity_of(os.stat(path))
    except FileNotFoundError:
        return None


def _mode(path: str) -> int | None:
    try:
        return os.stat(path).st_mode & 0o777
    except FileNotFoundError:
        return None


def _sync_directory(path: str) -> None:
    with contextlib.suppress(OSError):  # where the system cannot, the name is the file system's to keep
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
