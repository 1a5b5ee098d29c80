"""A stream that tells how much of it was read."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


class WatchedStream(io.RawIOBase, BinaryIO):
    """`source`; `moved` is called with the bytes of each read."""

    def __init__(self, source: BinaryIO, moved: Callable[[int], object]) -> None:
        super().__init__()
        self._source = source
        self._moved = moved

    def readable(self) -> bool:
        """Always."""
        return True

    def read(self, size: int = -1, /) -> bytes:
        """As the source reads."""
        chunk = self._source.read(size)
        self._moved(len(chunk))
        return chunk

    def readinto(self, buffer: WriteableBuffer) -> int:
        """As `read`, into `buffer`."""
        view = memoryview(buffer).cast("B")
        chunk = self.read(len(view))
        view[: len(chunk)] = chunk
        return len(chunk)

    def seekable(self) -> bool:
        """Whether the source is."""
        return self._source.seekable()

    def tell(self) -> int:
        """Where the source is."""
        return self._source.tell()

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """As the source seeks; what is skipped counts as little as what is read again."""
        return self._source.seek(offset, whence)

    def close(self) -> None:
        """Close the source too."""
        self._source.close()
        super().close()
