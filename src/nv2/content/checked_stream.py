"""A stream that checks what passes through it against a descriptor."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, BinaryIO

from nv2.errors import ContentMismatch
from nv2.oci.descriptor import Descriptor
from nv2.oci.digest import hasher

if TYPE_CHECKING:
    import hashlib

    from _typeshed import WriteableBuffer


class CheckedStream(io.RawIOBase, BinaryIO):
    """The content of `descriptor`, read from `source`.

    Reading to the end raises `ContentMismatch` if size or digest are wrong; a source that goes on after
    the size that was announced is stopped there. Whoever stops early has checked nothing, and whoever begins later
    has checked the size: he must know another way what the digest of the whole is.
    """

    def __init__(self, source: BinaryIO, descriptor: Descriptor) -> None:
        super().__init__()
        self._source = source
        self._descriptor = descriptor
        try:
            self._hash: hashlib._Hash | None = hasher(descriptor.digest)
        except ContentMismatch:
            source.close()
            raise
        self._count = 0
        self._ended = False

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Fill `buffer` as far as one read of the source goes; 0 at the end, which is checked then."""
        view = memoryview(buffer).cast("B")
        chunk = self.read(len(view))
        view[: len(chunk)] = chunk
        return len(chunk)

    def read(self, size: int = -1, /) -> bytes:
        """What one read of the source gives, at most `size` bytes; empty at the end, which is checked then."""
        if size < 0:
            return self.readall()
        if self._ended or not size:
            return b""
        chunk = self._source.read(size)
        if not chunk:
            self._ended = True
            self._check_end()
            return b""
        self._count += len(chunk)
        if self._count > self._descriptor.size:
            raise self._mismatch(f"the content has more than {self._descriptor.size} bytes")
        if self._hash:
            self._hash.update(chunk)
        return chunk

    def seekable(self) -> bool:
        """Whether the source is."""
        return self._source.seekable()

    def tell(self) -> int:
        """Bytes from the beginning."""
        return self._count

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Go on `offset` bytes from the beginning; no other `whence` is known. The digest is not checked then."""
        if whence != io.SEEK_SET:
            raise io.UnsupportedOperation("only from the beginning")
        if offset != self._count:
            self._source.seek(offset)
            self._count, self._ended = offset, False
            self._hash = None if offset else hasher(self._descriptor.digest)
        return offset

    def close(self) -> None:
        """Close the source too."""
        self._source.close()
        super().close()

    def _check_end(self) -> None:
        if self._count != self._descriptor.size:
            raise self._mismatch(f"the content has {self._count} bytes instead of {self._descriptor.size}")
        if self._hash is None:
            return
        algorithm, _, expected = self._descriptor.digest.partition(":")
        if (found := self._hash.hexdigest()) != expected:
            raise self._mismatch(f"the content has digest {algorithm}:{found}")

    def _mismatch(self, message: str) -> ContentMismatch:
        return ContentMismatch(message, at=self._descriptor.digest)
