"""A tar archive that grows: members are appended by several threads, and never changed afterwards.

Small members come whole. A large one gets its place first, by its size, and is then filled while others are filled:
the lines of several registries are used at once. One that fails leaves a gap, under a name that no reader looks for.
What this module does not do: give the archive its name; until then it stands beside.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import os
import tarfile
import threading
from collections.abc import Iterable, Iterator

from nv2.content.layout.files import UNFINISHED
from nv2.content.layout.tar_index import BLOCK, Member

SMALL = 1024 * 1024
"""Bytes of a member that is held in memory until it is whole: manifests, envelopes, configurations."""

_GAP = UNFINISHED + "gap"


class GrowingTar:
    """An archive at a new path in `directory`. Its methods raise `OSError`; after `discard`, all of them do."""

    def __init__(self, directory: str) -> None:
        self.path = os.path.join(directory, f"{UNFINISHED}{os.urandom(8).hex()}.tar")
        self.members: dict[str, Member] = {}
        self.has_gaps = False
        self._directories: set[str] = set()
        self._end = 0
        self._guard = threading.Lock()
        self._file = io.FileIO(self.path, "x+", opener=_open)

    def write(self, name: str, chunks: Iterable[bytes], size: int | None = None) -> None:
        """Append the file `name`. One of more than `SMALL` bytes must have `size` bytes. Whatever fails, `chunks`
        included, leaves no file of that name."""
        rest = iter(chunks)
        head = bytearray()
        for chunk in rest:
            head += chunk
            if len(head) > SMALL and size is not None:
                self._fill(name, size, itertools.chain([bytes(head)], rest))
                return
        self._append(name, bytes(head))

    def finish(self, mode: int | None) -> None:
        """Write the end mark, give the file `mode`, and bring it to the disk."""
        with self._guard:
            self._file.seek(self._end)
            _write(self._file, bytes(2 * BLOCK))
            if mode is not None and hasattr(os, "fchmod"):
                os.fchmod(self._file.fileno(), mode)
            os.fsync(self._file.fileno())
            self._file.close()

    def discard(self) -> None:
        """Remove the file, though other threads write to it."""
        with self._guard, contextlib.suppress(OSError):
            self._file.close()
        with contextlib.suppress(OSError):
            os.unlink(self.path)

    def _append(self, name: str, data: bytes) -> None:
        with self._guard:
            start = self._reserve(name, len(data))
            _write(self._file, data)
            self.members[name] = Member(start, len(data))

    def _fill(self, name: str, size: int, chunks: Iterator[bytes]) -> None:
        with self._guard:
            before = self._end
            start = self._reserve(name, size)
        position = start
        try:
            for chunk in chunks:
                self._write_at(position, chunk)
                position += len(chunk)
        except BaseException:
            self._leave_gap(before, start + size)
            raise
        with self._guard:
            self.members[name] = Member(start, size)

    def _write_at(self, position: int, chunk: bytes) -> None:
        with self._guard:
            self._file.seek(position)
            _write(self._file, chunk)

    def _reserve(self, name: str, size: int) -> int:
        """Write the header of `name`, and say where its data begin; the file stands there."""
        headers = b"".join(_header(each) for each in self._new_directories(name)) + _header(name, size)
        self._file.seek(self._end)
        _write(self._file, headers)
        start = self._end + len(headers)
        self._end = start + -(-size // BLOCK) * BLOCK
        return start

    def _new_directories(self, name: str) -> Iterator[str]:
        """Those above `name` that have no header yet: some programs unpack files into directories that are named."""
        parts = name.split("/")[:-1]
        for above in itertools.accumulate(parts, lambda path, part: f"{path}/{part}"):
            if above not in self._directories:
                self._directories.add(above)
                yield f"{above}/"

    def _leave_gap(self, before: int, after: int) -> None:
        with self._guard, contextlib.suppress(OSError, ValueError):  # the archive may be discarded already
            self.has_gaps = True
            self._file.seek(before)
            _write(self._file, _header(_GAP, after - before - BLOCK))


def _open(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0), 0o666)


def _header(name: str, size: int = 0) -> bytes:
    """The header of a file or (by a name that ends so) directory: the same for everybody who writes the same."""
    info = tarfile.TarInfo(name.rstrip("/"))
    info.size = size
    if name.endswith("/"):
        info.type, info.mode = tarfile.DIRTYPE, 0o755
    return info.tobuf(tarfile.PAX_FORMAT)


def _write(file: io.FileIO, data: bytes) -> None:
    """All of `data`: the system may take less at a time."""
    view = memoryview(data)
    while view:
        view = view[file.write(view) :]
