"""Bodies of requests (RFC 9112, sections 6 and 7.1): of a known length, or in chunks."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from typing import Protocol

from nv2.server.messages import BadMessage, Body, Disconnected

MAX_CHUNK_LINE = 256
"""Bytes of a chunk's size line, extensions included; real clients send at most 10."""

MAX_TRAILER = 8 * 1024
"""Bytes of trailer fields after the last chunk; they are dropped."""

_LENGTH = re.compile(r"[0-9]{1,18}", re.ASCII)
_CHUNK = re.compile(rb"([0-9a-fA-F]{1,15})[ \t]*(?:;[^\r\n]*)?\r\n")


class Stream(Protocol):
    """The reading side of a connection."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes, fewer only at the end."""

    def readline(self, size: int, /) -> bytes:
        """A line with its end, or `size` bytes of it."""


class SizedBody:
    """A body of `Content-Length` bytes."""

    def __init__(self, stream: Stream, size: int) -> None:
        self.size: int | None = size
        self._stream = stream
        self._left = size

    def read(self, size: int) -> bytes:
        """At most `size` bytes."""
        data = _read(self._stream, min(size, self._left)) if self._left else b""
        self._left -= len(data)
        return data


EMPTY: Body = SizedBody(io.BytesIO(), 0)
"""No body at all."""


class ChunkedBody:
    """A body with `Transfer-Encoding: chunked`."""

    size: int | None = None

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._left = 0
        self._ended = False

    def read(self, size: int) -> bytes:
        """At most `size` bytes: what is left of the current chunk, or some of the next."""
        if not self._left and not self._ended:
            self._begin()
        if self._ended:
            return b""
        data = _read(self._stream, min(size, self._left))
        self._left -= len(data)
        if not self._left and self._stream.readline(3) != b"\r\n":
            raise BadMessage(400, "a chunk is longer than it says")
        return data

    def _begin(self) -> None:
        line = self._stream.readline(MAX_CHUNK_LINE)
        if not line:
            raise Disconnected("the body ended early")
        found = _CHUNK.fullmatch(line)
        if not found:
            raise BadMessage(400, "a chunk without a valid size")
        self._left = int(found[1], 16)
        if not self._left:
            self._ended = True
            self._skip_trailer()

    def _skip_trailer(self) -> None:
        left = MAX_TRAILER
        while (line := self._stream.readline(left)) != b"\r\n":
            left -= len(line)
            if not line or left <= 0:
                raise BadMessage(400, "the trailer does not end")


class AwaitedBody:
    """A body that the client sends once it is told to (`Expect: 100-continue`, RFC 9110, section 10.1.1)."""

    def __init__(self, body: Body, proceed: Callable[[], None]) -> None:
        self.size: int | None = body.size
        self.asked = False
        self._body = body
        self._proceed = proceed

    def read(self, size: int) -> bytes:
        """As the body inside does; the first call tells the client to send it."""
        if not self.asked:
            self.asked = True
            self._proceed()
        return self._body.read(size)


def body_of(stream: Stream, lengths: list[str], codings: list[str]) -> Body:
    """The body that the values of `Content-Length` and `Transfer-Encoding` announce.

    Raises `BadMessage` where they disagree: two readings of one message are how requests are smuggled
    (RFC 9112, section 6.3).
    """
    if codings:
        if lengths:
            raise BadMessage(400, "both a content length and a transfer encoding")
        if [coding.strip(" \t").lower() for coding in codings] != ["chunked"]:
            raise BadMessage(501, "the only known transfer encoding is chunked")
        return ChunkedBody(stream)
    if not lengths:
        return EMPTY
    length = lengths[0].strip(" \t")
    if len(lengths) > 1 or not _LENGTH.fullmatch(length):
        raise BadMessage(400, "an invalid content length")
    return SizedBody(stream, int(length)) if int(length) else EMPTY


def skip(body: Body, limit: int) -> bool:
    """Read `body` to its end and drop it; False if more than `limit` bytes are left."""
    while limit > 0:
        data = body.read(min(limit, 64 * 1024))
        if not data:
            return True
        limit -= len(data)
    return False


def _read(stream: Stream, size: int) -> bytes:
    data = stream.read(size)
    if not data:
        raise Disconnected("the body ended early")
    return data
