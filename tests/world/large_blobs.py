"""A blob that is large enough to be gone on with, and a source of it that can break."""

from __future__ import annotations

import io

from nv2.errors import Unreachable

MIB = 1024 * 1024
DATA = bytes(range(256)) * (5 * MIB // 256)
"""Its last byte, and that of each MiB, is not zero."""
HALF = 2 * MIB


class Source(io.BytesIO):
    """`DATA`, which can break; remembers from where on it was read."""

    def __init__(self, data: bytes = DATA, *, breaks_at: int | None = None) -> None:
        super().__init__(data)
        self.begun: list[int] = []
        self._breaks_at = breaks_at

    def read(self, size: int | None = -1, /) -> bytes:
        self.begun.append(self.tell())
        if self._breaks_at is not None and self.tell() >= self._breaks_at:
            raise Unreachable("the line is down")
        return super().read(size)
