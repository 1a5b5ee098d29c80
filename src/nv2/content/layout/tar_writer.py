"""A tar archive that grows: members are appended by several threads, and never changed afterwards.

Small members come whole. A large one gets its place first, by its size, and is then filled while others are filled:
the lines of several registries are used at once. Until it is finished the archive stands beside the one to be, in a
file that the next writer of the same archive finds: what an interrupted one left in it is used again where it has the
digest that it should have, and is not in the archive otherwise.
"""

from __future__ import annotations

import contextlib
import errno
import io
import itertools
import os
import threading
from collections.abc import Iterable, Iterator
from functools import partial

from nv2.content.checked_stream import CheckedStream
from nv2.content.interface import Opener
from nv2.content.layout.alone import open_alone, remove_alone, sweep_archives
from nv2.content.layout.files import UNFINISHED
from nv2.content.layout.tar_headers import GAP, end_of, header_of
from nv2.content.layout.tar_index import BLOCK, Member, exactly
from nv2.content.layout.tar_leftovers import CHUNK, arrived, leftovers_of
from nv2.errors import ContentMismatch
from nv2.oci.descriptor import Descriptor
from nv2.oci.digest import hasher

SMALL = 1024 * 1024
"""Bytes of a member that is held in memory until it is whole: manifests, envelopes, configurations. An archive that
was interrupted before it had more is not kept."""


def unfinished_name(archive: str) -> str:
    """The file beside `archive` in which it grows."""
    return os.path.join(os.path.dirname(archive), f"{UNFINISHED}{os.path.basename(archive)}.part")


class GrowingTar:
    """What will be the archive at `archive`. Its methods raise `OSError`, and after `close` all `ValueError`.

    Another writer at the same time, and one in whose place something strange stands, has a file of his own instead,
    of which nothing is kept.
    """

    def __init__(self, archive: str) -> None:
        sweep_archives(os.path.dirname(archive))
        self.members: dict[str, Member] = {}
        self.path = unfinished_name(archive)
        # An interruption just as `_writing` is entered holds it until the traceback goes: `close` must not wait for that.
        self._guard = threading.RLock()
        self._refused = False
        """Whether the disk has refused something: what is full must not be kept full by what nobody sees."""
        # What is copied out of a private archive is as private; `finish` gives it the mode of the archive.
        mode = 0o600 if os.path.lexists(archive) else 0o666
        file = open_alone(self.path, mode=mode)
        self._lasts = file is not None
        if file is None:
            self.path = os.path.join(os.path.dirname(archive), f"{UNFINISHED}{os.urandom(8).hex()}.tar")
            self._file = io.FileIO(self.path, "x+", opener=partial(_open, mode=mode))
        else:
            self._file = io.FileIO(file, "r+")
        self._end = os.fstat(self._file.fileno()).st_size
        try:
            found = leftovers_of(self._file)
        except BaseException as e:
            self._refused = isinstance(e, OSError)
            self.close()
            raise
        self._left = dict(found.members)
        """Of an interrupted writer, and those of our own whose source broke. None of them is believed."""
        self._directories = set(found.directories)
        self._end = found.end
        self._has_gaps = found.end > 0
        """Whether there may be something between the members that is none of them."""

    def begin(self, name: str, data: bytes) -> None:
        """Let the file `name` be the first one. What was left and begins otherwise is given up."""
        with self._writing():
            member = self._left.pop(name, None)
            if member and exactly(self._file, member.offset, member.size) == data:
                self._pad(member)
                self.members[name] = member
                return
            self._left.clear()
            self._directories.clear()
            self._file.truncate(0)
            self._end, self._has_gaps = 0, False
        self._append(name, data)

    def go_on(self, name: str, descriptor: Descriptor, source: Opener | None) -> bool:
        """Complete what was left of the blob `name` out of `source`; False if nothing was that is of use.

        Without a `source`, only what is whole is. Raises `ContentMismatch`, and what reading `source` raises.
        """
        with self._guard:
            member = self._left.get(name)
            if member is None or member.size != descriptor.size:
                return False
            del self._left[name]
        with self._filling(name, member):
            whole = self._complete(member, descriptor, source)
        if whole:
            with self._writing():
                self._pad(member)
            self._enter(name, member)
        else:
            self._leave_gap(name, member)
        return whole

    def write(self, name: str, chunks: Iterable[bytes], size: int | None = None) -> None:
        """Append the file `name`. One of more than `SMALL` bytes must have `size` bytes. Whatever fails, `chunks`
        included, leaves no file of that name in the archive."""
        rest = iter(chunks)
        head = bytearray()
        for chunk in rest:
            head += chunk
            if len(head) > SMALL and size is not None:
                self._fill(name, size, itertools.chain([bytes(head)], rest))
                return
        self._append(name, bytes(head))

    def remove(self, name: str) -> None:
        """Leave the file `name` out of the archive, if it is here; it may be written again."""
        with self._guard:
            self._has_gaps = self.members.pop(name, None) is not None or self._has_gaps

    def finish(self, archive: str, mode: int | None) -> None:
        """Bring it to the disk, with `mode`, and let it be `archive`, in one step."""
        with self._writing():
            if self._left or self._has_gaps:
                self._pack()
            self._file.seek(self._end)
            _write(self._file, bytes(2 * BLOCK))
            self._file.truncate()
            if mode is not None and hasattr(os, "fchmod"):
                os.fchmod(self._file.fileno(), mode)
            os.fsync(self._file.fileno())
            if not self._lasts:  # some systems rename only what is closed
                self._file.close()
            os.replace(self.path, archive)
            self._file.close()  # and with it the lock: nobody went on with it before it had its name

    def close(self) -> None:
        """Write nothing more, though other threads are at it. What the next writer can go on with stays."""
        with self._guard, contextlib.suppress(OSError):
            if self._lasts and not self._file.closed and (self._refused or self._end <= SMALL):
                remove_alone(self._file.fileno(), self.path)
            self._file.close()
        if not self._lasts:
            with contextlib.suppress(OSError):
                os.unlink(self.path)

    def _append(self, name: str, data: bytes) -> None:
        with self._writing():
            if name in self.members:
                return
            start = self._reserve(name, len(data))
            _write(self._file, data)
            self.members[name] = Member(start, len(data))

    def _fill(self, name: str, size: int, chunks: Iterator[bytes]) -> None:
        with self._writing():
            member = Member(self._reserve(name, size), size)
        position = member.offset
        with self._filling(name, member):
            for chunk in chunks:
                self._write_at(position, chunk)
                position += len(chunk)
        self._enter(name, member)

    def _complete(self, member: Member, descriptor: Descriptor, source: Opener | None) -> bool:
        """Write what is missing; whether all of it has the digest."""
        count, expected = arrived(self._read_at, member), descriptor.digest.partition(":")[2]
        digest = hasher(descriptor.digest)
        for start in range(0, count, CHUNK):
            digest.update(self._read_at(member.offset + start, min(CHUNK, count - start)))
        if member.size - count <= SMALL:
            ended = digest.copy()
            ended.update(bytes(member.size - count))
            if ended.hexdigest() == expected:
                return True
        if source is None:
            return False
        with CheckedStream(source(), descriptor) as stream:
            if not stream.seekable():
                count, digest = 0, hasher(descriptor.digest)
            stream.seek(count)
            while chunk := stream.read(CHUNK):
                digest.update(chunk)
                self._write_at(member.offset + count, chunk)
                count += len(chunk)
        return digest.hexdigest() == expected

    def _enter(self, name: str, member: Member) -> None:
        with self._guard:
            # Two copies in one run may have brought the same blob.
            self._has_gaps = self.members.setdefault(name, member) is not member or self._has_gaps

    @contextlib.contextmanager
    def _filling(self, name: str, member: Member) -> Iterator[None]:
        """What comes of `member` if its content is bad, or if its source breaks: that says nothing against what has come."""
        try:
            yield
        except ContentMismatch:
            self._leave_gap(name, member)
            raise
        except BaseException:
            with self._guard:
                self._left[name] = member
            raise

    def _leave_gap(self, name: str, member: Member) -> None:
        """Let nobody go on with `member`: its content was bad."""
        before = member.offset - len(header_of(name, member.size))
        after = end_of(member)
        with contextlib.suppress(ValueError), self._writing():  # the archive may be closed already
            self._has_gaps = True
            self._file.seek(before)
            _write(self._file, header_of(GAP, after - before - BLOCK))

    def _pack(self) -> None:
        """Move the members together, in their order, over what is none of them: needs no room, and no second file.

        Each goes to the front or stays: before it were at least the headers and members that are before it now.
        """
        kept = sorted(self.members.items(), key=lambda item: item[1].offset)
        self._end, self._directories = 0, set()
        for name, member in kept:
            start = self._reserve(name, member.size)
            self._move(member, start)
            self.members[name] = Member(start, member.size)

    def _move(self, member: Member, start: int) -> None:
        done = 0 if start != member.offset else member.size
        while done < member.size:
            data = exactly(self._file, member.offset + done, min(CHUNK, member.size - done))
            if not data:
                raise OSError(errno.EIO, "the unfinished archive was cut off meanwhile")
            self._file.seek(start + done)
            _write(self._file, data)
            done += len(data)
        self._pad(Member(start, member.size))

    def _pad(self, member: Member) -> None:
        self._file.seek(member.offset + member.size)
        _write(self._file, bytes(-member.size % BLOCK))

    def _read_at(self, position: int, count: int) -> bytes:
        with self._guard:
            return exactly(self._file, position, count)

    def _write_at(self, position: int, chunk: bytes) -> None:
        with self._writing():
            self._file.seek(position)
            _write(self._file, chunk)

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        with self._guard:
            try:
                yield
            except OSError:
                self._refused = True
                raise

    def _reserve(self, name: str, size: int) -> int:
        """Write the header of `name`, and say where its data begin; the file stands there."""
        headers = b"".join(header_of(each) for each in self._new_directories(name)) + header_of(name, size)
        self._file.seek(self._end)
        _write(self._file, headers)
        start = self._end + len(headers)
        self._end = end_of(Member(start, size))
        return start

    def _new_directories(self, name: str) -> Iterator[str]:
        """Those above `name` that have no header yet: some programs unpack files into directories that are named."""
        parts = name.split("/")[:-1]
        for above in itertools.accumulate(parts, lambda path, part: f"{path}/{part}"):
            if above not in self._directories:
                self._directories.add(above)
                yield f"{above}/"


def _open(path: str, flags: int, mode: int) -> int:
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0), mode)


def _write(file: io.FileIO, data: bytes) -> None:
    """All of `data`: the system may take less at a time."""
    view = memoryview(data)
    while view:
        view = view[file.write(view) :]
