"""A blob: a file or a stream whose bytes are hashed as they pass, and never kept.

What this module does not do: hold the blob still. It says whether the file changed while it was read.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator, Sequence
from errno import ENOENT
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Protocol

from nv2.errors import ContentMismatch, EnvironmentFailure
from nv2.files import failure
from nv2.oci.descriptor import Descriptor
from nv2.oci.digest import parse_digest

BLOCK = 256 * 1024
"""Bytes that are read at once: they stay in the processor's cache until they are hashed."""

MAX_BLOB = 2**63 - 1
"""Bytes of a blob, as a descriptor can say: what Go's int64 holds. Memory does not depend on it."""

_State = tuple[int, ...]


class Readable(Protocol):
    """What a stream must be able to do: an open file, `sys.stdin.buffer`, `io.BytesIO`."""

    def read(self, size: int, /) -> bytes | None:
        """At most `size` bytes; none at the end."""


class Blob:
    """An open blob, to be read once. A context manager that closes what it opened.

    `source` is a path, or a stream that stays the caller's. `name` is what messages call it. Raises
    `EnvironmentFailure` for a path that cannot be opened.
    """

    def __init__(self, source: str | Path | Readable, name: str = "") -> None:
        self.path = Path(source) if isinstance(source, str | Path) else None
        self.name = name or (str(source) if self.path else "the given stream")
        self._file = None if self.path is None else _open(self.path)
        self._stream = None if isinstance(source, str | Path) else source
        self._state = self._now()

    def __enter__(self) -> Blob:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()

    @property
    def size(self) -> int | None:
        """Bytes of a regular file; None where only reading it tells."""
        if self._file is None:
            return None
        found = os.fstat(self._file.fileno())
        return found.st_size if stat.S_ISREG(found.st_mode) else None

    def describe(
        self, hash_names: Sequence[str], media_type: str, limit: int = MAX_BLOB
    ) -> tuple[Descriptor, ...]:
        """The blob's descriptor by each hash (hashlib's names), from one reading.

        Raises `ContentMismatch` after `limit` bytes, `EnvironmentFailure` if it cannot be read or changed meanwhile.
        """
        hashers = [hashlib.new(name) for name in hash_names]
        size = 0
        for piece in self._pieces():
            size += len(piece)
            if size > limit:
                raise ContentMismatch(f"longer than {limit} bytes", at=self.name)
            for hasher in hashers:
                hasher.update(piece)
        self.check_unchanged()
        return tuple(
            Descriptor(media_type, parse_digest(f"{hasher.name}:{hasher.hexdigest()}"), size)
            for hasher in hashers
        )

    def _pieces(self) -> Iterator[bytes | memoryview]:
        """All bytes; each piece is good until the next one is asked for."""
        buffer = memoryview(bytearray(BLOCK))
        try:
            while self._file is not None and (count := self._file.readinto(buffer)):
                yield buffer[:count]
            while self._stream is not None and (piece := self._read()):
                yield piece
        except OSError as e:
            raise failure(e, Path(self.name)) from None

    def _read(self) -> bytes:
        piece = self._stream.read(BLOCK) if self._stream is not None else b""
        if piece is None:  # of a stream that does not block: not its end, though it looks like one
            raise EnvironmentFailure(
                "nothing can be read from it yet", at=self.name, hint="give it a stream that blocks"
            )
        return piece

    def check_unchanged(self) -> None:
        """Raise `EnvironmentFailure` if the file is not what it was when it was opened."""
        if self._now() != self._state:
            raise EnvironmentFailure(
                "the file changed while it was read",
                at=self.name,
                hint="wait until nobody writes to it, and try again",
            )

    def _now(self) -> _State:
        """What changes with a regular file, and says whether its path still leads to it; nothing for other streams."""
        if self.path is None or self._file is None or self.size is None:
            return ()
        try:
            by_path = os.stat(self.path)
        except OSError:
            return (-1,)
        found = os.fstat(self._file.fileno())
        inode = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
        return (*inode, by_path.st_dev, by_path.st_ino)


def _open(path: Path) -> FileIO:
    try:
        return FileIO(path, "rb")
    except (OSError, ValueError) as e:
        raise failure(e if isinstance(e, OSError) else FileNotFoundError(ENOENT, ""), path) from None
