"""A stream that checks what passes through it against a descriptor."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, BinaryIO

from nv2.errors import ContentMismatch
from nv2.oci.descriptor import Descriptor
from nv2.oci.digest import hasher

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


class CheckedStream(io.RawIOBase, BinaryIO):
    """The content of `descriptor`, read from `source`.

    Reading to the end raises `ContentMismatch` if size or digest are wrong; a source that goes on after
    the size that was announced is stopped there. Whoever stops early has checked nothing.
    """

    def __init__(self, source: BinaryIO, descriptor: Descriptor) -> None:
        super().__init__()
        self._source = source
        self._descriptor = descriptor
        try:
            self._hash = hasher(descriptor.digest)
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
        if self._ended or not view:
            return 0
        chunk = self._source.read(len(view))
        if not chunk:
            self._ended = True
            self._check_end()
            return 0
        self._count += len(chunk)
        if self._count > self._descriptor.size:
            raise self._mismatch(f"the content has more than {self._descriptor.size} bytes")
        self._hash.update(chunk)
        view[: len(chunk)] = chunk
        return len(chunk)

    def close(self) -> None:
        """Close the source too."""
        self._source.close()
        super().close()

    def _check_end(self) -> None:
        if self._count != self._descriptor.size:
            raise self._mismatch(f"the content has {self._count} bytes instead of {self._descriptor.size}")
        algorithm, _, expected = self._descriptor.digest.partition(":")
        if (found := self._hash.hexdigest()) != expected:
            raise self._mismatch(f"the content has digest {algorithm}:{found}")

    def _mismatch(self, message: str) -> ContentMismatch:
        return ContentMismatch(message, at=self._descriptor.digest)
