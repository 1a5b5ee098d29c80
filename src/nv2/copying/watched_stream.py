"""A stream from the source of a copy: it tells how much of it was read, and whose fault it is if that fails."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING, BinaryIO

from nv2.blame import SOURCE, blaming

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


class WatchedStream(io.RawIOBase, BinaryIO):
    """`source`, the content of `digest`; `moved` is called with the bytes of each read."""

    def __init__(self, source: BinaryIO, digest: str, moved: Callable[[int], object] | None) -> None:
        super().__init__()
        self._source = source
        self._digest = digest
        self._moved = moved

    def readable(self) -> bool:
        """Always."""
        return True

    def read(self, size: int = -1, /) -> bytes:
        """As the source reads."""
        with blaming(SOURCE, self._digest):
            chunk = self._source.read(size)
        if self._moved:
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
        with blaming(SOURCE, self._digest):
            return self._source.seek(offset, whence)

    def close(self) -> None:
        """Close the source too."""
        self._source.close()
        super().close()
