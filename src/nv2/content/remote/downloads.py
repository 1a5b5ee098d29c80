"""A blob as a stream that goes on where it broke (distribution-spec, "Pulling blobs": range requests).

A line that is cut in the middle of ten gigabytes costs what is missing, not what has come. What this module does not
do: check the content. `CheckedStream` stands around it and hashes what came in all parts, so that a registry that
goes on with other bytes is found out.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, BinaryIO

from nv2.content.remote.endpoint import Endpoint, content_name
from nv2.errors import BadAnswer, Unreachable
from nv2.oci.descriptor import Descriptor
from nv2.transport.interface import TOTAL_TIMEOUT, Request, Response

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

LEAST_RATE = 1024
"""Bytes a second that a stream must bring on average: half of what a registry that it is sent on to must take."""

PROGRESS = 1024 * 1024
"""Bytes that a part must bring to count as progress. What makes none is tried again only so often."""

PAUSES = (0.25, 1.0, 4.0)
"""Seconds before each try that follows one without progress; after the last one the stream fails."""

SKIP = 1024 * 1024
"""Bytes read at a time where a registry sends the beginning again."""

_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)", re.ASCII)


class Download(io.RawIOBase, BinaryIO):
    """The blob `descriptor` from a registry. Cuts are mended as long as there is progress.

    It can be wound to where it shall go on: `seek` asks the registry for the rest only. Raises `Unreachable` when
    there is no progress any more, `BadAnswer` if the registry goes on somewhere else.
    """

    def __init__(self, endpoint: Endpoint, descriptor: Descriptor, sleep: Callable[[float], object]) -> None:
        super().__init__()
        self._endpoint = endpoint
        self._descriptor = descriptor
        self._sleep = sleep
        self._at = 0
        self._part = 0
        """Where the part under way began."""
        self._fruitless = 0
        self._vague = False
        """Whether the end of the answer looks like a cut: neither a length nor chunks say where it is."""
        self._stream = self._rest()

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always: see `seek`."""
        return True

    def tell(self) -> int:
        """Bytes from the beginning."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Go on `offset` bytes from the beginning; no other `whence` is known."""
        if whence != io.SEEK_SET:
            raise io.UnsupportedOperation("only from the beginning")
        if offset != self._at:
            self._stream.close()
            self._at = offset
            self._stream = self._rest() if offset < self._descriptor.size else io.BytesIO()
        return self._at

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Fill the beginning of `buffer`; 0 at the end."""
        view = memoryview(buffer).cast("B")
        data = self.read(len(view))
        view[: len(data)] = data
        return len(data)

    def read(self, size: int = -1, /) -> bytes:
        """Some bytes, at most `size`; empty only at the end."""
        if size < 0:
            return self.readall()
        while True:
            try:
                data = self._stream.read(size)
                if data or not size or not self._vague or self._at >= self._descriptor.size:
                    self._at += len(data)
                    return data
                cause = Unreachable("the answer ended too early", at=self._endpoint.name)
            except Unreachable as e:
                cause = e
            self._mend(cause)

    def close(self) -> None:
        """Give the connection back."""
        self._stream.close()
        super().close()

    def _mend(self, cause: Unreachable) -> None:
        """Ask for what is missing. Raises `cause` once nothing comes any more."""
        self._stream.close()
        while True:
            self._fruitless = 0 if self._at - self._part >= PROGRESS else self._fruitless + 1
            if self._fruitless > len(PAUSES):
                raise cause
            if self._fruitless:
                self._sleep(PAUSES[self._fruitless - 1])
            self._part = self._at
            try:
                self._stream = self._rest()
                return
            except Unreachable as e:
                cause = e

    def _rest(self) -> BinaryIO:
        """What follows `_at`."""
        response = self._ask()
        self._vague = not response.headers.keys() & {"content-length", "transfer-encoding"}
        if response.status == 206:
            self._check_range(response)
        elif self._at:
            _skip(response.stream, self._at)  # it does not know ranges, and begins again
        return response.stream

    def _ask(self) -> Response:
        missing = self._descriptor.size - self._at
        patience = TOTAL_TIMEOUT + missing / LEAST_RATE
        request: Request = self._endpoint.content_request(
            self._descriptor, total_timeout=patience, limit=self._descriptor.size
        )
        if self._at:
            request = request._replace(headers={**request.headers, "Range": f"bytes={self._at}-"})
        response = self._endpoint.send(request)
        if response.status != 200 and not (response.status == 206 and self._at):
            raise self._endpoint.failure(response, content_name(self._descriptor))
        return response

    def _check_range(self, response: Response) -> None:
        """RFC 9110 14.4: it must be the rest that was asked for."""
        text = response.headers.get("content-range", "")
        found = _CONTENT_RANGE.fullmatch(text.strip())
        wanted = (str(self._at), ("*", str(self._descriptor.size)))
        if not found or found[1] != wanted[0] or found[3] not in wanted[1]:
            response.discard()
            raise BadAnswer(
                f"sent the part {text[:60]!r} of {content_name(self._descriptor)}, asked for byte {self._at} on",
                at=self._endpoint.name,
            )


def _skip(stream: BinaryIO, count: int) -> None:
    """Read `count` bytes that are here already. Raises `Unreachable` if they do not come."""
    while count:
        found = stream.read(min(count, SKIP))
        if not found:
            raise Unreachable("the answer ended too early")
        count -= len(found)
