"""Ranges: of bytes that a client wants (RFC 9110, section 14), and of a chunk that it sends.

The two are written differently: `Range: bytes=0-9` asks, `Content-Range: 0-9` (distribution-spec, "Pushing
a blob in chunks") says. Both include their last byte.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_WANTED = re.compile(r"bytes=(?P<first>[0-9]{0,18})-(?P<last>[0-9]{0,18})", re.ASCII)
_CHUNK = re.compile(r"(?P<first>[0-9]{1,18})-(?P<last>[0-9]{1,18})", re.ASCII)


class Span(NamedTuple):
    """`size` bytes from `first`."""

    first: int
    size: int

    @property
    def last(self) -> int:
        """The position of the last byte."""
        return self.first + self.size - 1


class Unsatisfiable(ValueError):
    """Nothing of what is asked for exists."""


def wanted_span(field: str, size: int) -> Span | None:
    """What of `size` bytes the `Range` field asks for; None if the whole is to be sent.

    Several ranges, other units and what cannot be read are ignored, as section 14.2 allows. Raises
    `Unsatisfiable`.
    """
    found = _WANTED.fullmatch(field.replace(" ", ""))
    if not found or found[0] == "bytes=-":
        return None
    if not found["first"]:
        first, last = max(size - int(found["last"]), 0), size - 1
    else:
        first, last = int(found["first"]), min(int(found["last"] or size), size - 1)
    if first > last:
        raise Unsatisfiable(field)
    return Span(first, last - first + 1)


def chunk_span(field: str) -> Span | None:
    """What a chunk says that it is, or None if it cannot be read or is empty."""
    found = _CHUNK.fullmatch(field.strip())
    if not found or int(found["first"]) > int(found["last"]):
        return None
    return Span(int(found["first"]), int(found["last"]) - int(found["first"]) + 1)
