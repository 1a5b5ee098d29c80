"""One request and its answer on a connection: sending, and the body as a stream."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, BinaryIO

from nv2.errors import BadAnswer, ContentMismatch, EnvironmentFailure, Nv2Error
from nv2.transport.connections import CHUNK, Connection
from nv2.transport.failures import MAYBE_TLS_HINT, Cut, asks_for_tls, speaks_tls, wants_tls
from nv2.transport.interface import Request, Response
from nv2.transport.urls import Address
from nv2.transport.wire import (
    END_OF_HEAD,
    MAX_CHUNK_LINE,
    MAX_HEAD,
    Framing,
    Head,
    framing,
    parse_chunk_size,
    parse_head,
    request_head,
)

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

SEND_CHUNK = 64 * 1024
"""Bytes of a body that are sent together with the head of the request."""

READ_AHEAD = 256 * 1024
"""Bytes of a body that are read at once: as many as a socket gives where that is its source."""

MAX_DRAIN = 64 * 1024
"""Bytes of an unwanted body that are read so that the connection can be used again."""

MAX_EAGER = 64 * 1024
"""Bytes of a body that the worker reads at once, so that the connection is free for the next request."""

MAX_ERROR_PAGE = 64 * 1024
"""Bytes looked at to tell whether a 400 means "this is a TLS port"."""

MAX_INTERIM = 8
"""Interim answers (1xx) before the real one."""

Release = Callable[[Connection], None]
"""Takes back a connection that may serve the next request."""


class Body(io.RawIOBase, BinaryIO):
    """The body of an answer. At its end the connection is released; whoever closes before drops it."""

    def __init__(self, connection: Connection, frame: Framing, release: Release | None) -> None:
        super().__init__()
        self._connection = connection
        self._release = release
        self._chunked = frame.chunked
        self._left = 0 if frame.chunked else frame.length
        self._first_chunk = True
        self._ended = False
        if frame.length == 0:
            self._end()

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Fill the beginning of `buffer`."""
        view = memoryview(buffer).cast("B")
        data = self.read(len(view))
        view[: len(data)] = data
        return len(data)

    def readall(self) -> bytes:
        """All that is left. Python's own asks for 8 KiB at a time, and lets another thread run before each."""
        parts: list[bytes] = []
        while more := self.read(CHUNK):
            parts.append(more)
        return b"".join(parts)

    def read(self, size: int = -1, /) -> bytes:
        """Some bytes, at most `size`; empty only at the end. Raises `Unreachable` if it does not come."""
        if size < 0:
            return self.readall()
        if self._ended or size == 0:
            return b""
        try:
            return self._read(size)
        except Nv2Error:
            self._drop()
            raise

    def _read(self, size: int) -> bytes:
        if self._chunked and self._left == 0 and not self._next_chunk():
            self._end()
            return b""
        data = self._connection.receive(
            min(size, CHUNK) if self._left is None else min(size, CHUNK, self._left)
        )
        if not data:
            if self._left is not None:
                raise Cut("the connection was cut in the middle of the answer", at=self._connection.place)
            self._end()
        elif self._left is not None:
            self._left -= len(data)
            if self._left == 0 and not self._chunked:
                self._end()
        return data

    def _next_chunk(self) -> bool:
        """Read the size of the next chunk (RFC 9112 7.1); False after the last one and its trailers."""
        connection = self._connection
        if not self._first_chunk and connection.receive_until(b"\r\n", 0):
            raise BadAnswer("the answer has a malformed chunk", at=connection.place)
        self._first_chunk = False
        self._left = parse_chunk_size(connection.receive_until(b"\r\n", MAX_CHUNK_LINE), connection.place)
        if self._left == 0:
            left = MAX_HEAD
            while line := connection.receive_until(b"\r\n", left):
                left -= len(line) + 2
        return self._left > 0

    def _end(self) -> None:
        self._ended = True
        if self._release and self._left is not None:
            self._release(self._connection)
        else:
            self._connection.close()

    def _drop(self) -> None:
        self._ended = True
        self._connection.close()

    def close(self) -> None:
        """Release the connection if little is left to read, else drop it."""
        if not self._ended and not self.closed:
            self._drain()
        super().close()

    def _drain(self) -> None:
        worth_it = self._release and self._left is not None and self._left <= MAX_DRAIN
        drained = 0
        try:
            while worth_it and not self._ended and drained <= MAX_DRAIN:
                drained += len(self._read(MAX_DRAIN))
        except Nv2Error:
            pass  # nobody wants these bytes; the connection is dropped below
        if not self._ended:
            self._drop()


def exchange(connection: Connection, address: Address, request: Request, headers: Mapping[str, str]) -> Head:
    """Send `request` with `headers`, and read the head of the answer.

    Raises `Unreachable` (`Cut` if the connection ended before an answer), `BadAnswer`, and what reading
    the body to send raises.
    """
    target = f"http://{address.origin.authority}{address.target}" if connection.proxied else address.target
    head = request_head(request.method, target, headers)
    try:
        _send(connection, request, head)
    except Cut:
        # A peer that refuses a body may answer and close before it has read everything.
        return _read_head(connection, address)._replace(keep_alive=False)
    return _read_head(connection, address)


def _send(connection: Connection, request: Request, head: bytes) -> None:
    if request.body is None:
        connection.send(head)
        return
    left = request.body_size
    with request.body() as source:
        chunk = _read_source(source, min(SEND_CHUNK, left))
        left -= len(chunk)
        connection.send(head + chunk)
        while left:
            chunk = _read_source(source, min(READ_AHEAD, left))
            if not chunk:
                raise ContentMismatch(f"the content to send ends {left} bytes too early", at=request.place)
            left -= len(chunk)
            connection.send(chunk)
        if _read_source(source, 1):
            raise ContentMismatch(
                f"the content to send has more than {request.body_size} bytes", at=request.place
            )


def _read_source(source: BinaryIO, size: int) -> bytes:
    try:
        return source.read(size)
    except OSError as e:
        raise EnvironmentFailure(f"cannot read what is to be sent: {e.strerror or e}") from None


def _read_head(connection: Connection, address: Address) -> Head:
    place = connection.place
    for _ in range(MAX_INTERIM):
        try:
            head = parse_head(connection.receive_until(END_OF_HEAD, MAX_HEAD), place)
        except (Cut, BadAnswer) as e:
            if address.origin.scheme == "http" and speaks_tls(connection.peek()):
                raise wants_tls(place) from None
            if address.origin.scheme == "http" and not connection.reused:
                e.hint = MAYBE_TLS_HINT
            raise
        if head.status >= 200:
            return head
        if head.status == 101:
            raise BadAnswer("changes the protocol, though nobody asked", at=place)
    raise BadAnswer(f"more than {MAX_INTERIM} interim answers", at=place)


def response_of(
    connection: Connection, address: Address, request: Request, head: Head, release: Release | None
) -> Response:
    """The response whose body is still on `connection`. Raises `BadAnswer` if it came compressed."""
    frame = framing(head, request.method, connection.place)
    body = Body(connection, frame, release if head.keep_alive else None)
    encoding = head.headers.get("content-encoding", "").lower()
    # Object stores label what came in chunks to them so; its bytes are plain.
    if encoding not in ("", "identity", "aws-chunked"):
        body.close()
        raise BadAnswer(
            f"the answer came compressed ({encoding[:20]}), though nobody asked", at=request.place
        )
    response = Response(head.status, head.headers, body, request)
    if frame.length and frame.length <= MAX_EAGER:
        response = response._replace(stream=io.BytesIO(body.readall()))
    if head.status == 400 and address.origin.scheme == "http":
        return _look_at_refusal(response, connection.place)
    return response


def _look_at_refusal(response: Response, place: str) -> Response:
    with response.stream as stream:
        page = b""
        while len(page) < MAX_ERROR_PAGE and (more := stream.read(MAX_ERROR_PAGE - len(page))):
            page += more
    if asks_for_tls(page):
        raise wants_tls(place)
    return response._replace(stream=io.BytesIO(page))
