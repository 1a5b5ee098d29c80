"""A large blob, sent in pieces so that it can go on where it broke (distribution-spec, "Pushing a blob in chunks").

How far the registry is, it says itself: nothing else is believed, for some take a piece twice and others lose one that
they had taken. Whether all of it arrived well, it finds out with the digest of the final PUT; an upload of another run
that does not pass is begun anew, once.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from contextlib import closing
from typing import BinaryIO, Protocol

from nv2.content.interface import Opener
from nv2.content.remote.downloads import PAUSES, PROGRESS
from nv2.content.remote.endpoint import Endpoint, completed, look_for
from nv2.errors import BadAnswer, Nv2Error, Unreachable
from nv2.oci import media_types as mt
from nv2.oci.descriptor import Descriptor
from nv2.transport.interface import Request, Response
from nv2.transport.urls import resolve_url

PIECE = 64 * 1024 * 1024
"""Bytes of a piece: what is lost at most where a registry keeps whole pieces only. Each costs a round trip."""

MAX_SKIP = 1024 * 1024
"""Bytes read at a time to reach the place to go on, in a source that cannot be wound."""

_RANGE = re.compile(r"(?:bytes=)?0-(\d{1,18})", re.ASCII)
_SHORTEST = re.compile(r"\d{1,12}", re.ASCII)
_MEND = (401, 403, 408, 429)
"""Refusals of a piece that say nothing about pieces."""


class UploadNotes(Protocol):
    """Remembers uploads that were begun, for another run; wiring has one that lasts."""

    def claim(self, name: str) -> str | None:
        """Where the upload of `name` (`registry/repository@digest`) goes on, if nobody is at it; None if unknown."""

    def keep(self, name: str, url: str) -> None:
        """It goes on at `url`. Failure does no harm."""

    def drop(self, name: str) -> None:
        """It has ended."""

    def leave(self, name: str) -> None:
        """We are not at it any more, whether it has ended or not."""


class _Elsewhere(Exception):
    """The registry is not where we thought: its upload must be asked how far it is."""


class _NoPieces(Exception):
    """The registry refuses to take a blob in pieces, or has forgotten those that it took."""


class Pieces:
    """The upload of one blob to one repository."""

    def __init__(
        self,
        endpoint: Endpoint,
        descriptor: Descriptor,
        source: Opener,
        sleep: Callable[[float], object],
        notes: UploadNotes | None,
    ) -> None:
        self._endpoint = endpoint
        self._descriptor = descriptor
        self._source = source
        self._sleep = sleep
        self._notes = notes
        self._name = f"{endpoint.name}@{descriptor.digest}"
        self._what = f"blob {descriptor.digest}"
        self._url = ""
        self._at = 0
        """Bytes that the registry says it has."""
        self._piece = PIECE
        self._fault: Nv2Error | None = None
        """What the source raised."""

    def resumed(self) -> Response | None:
        """The answer about an upload that another run left, if the registry still knows it."""
        url = self._notes.claim(self._name) if self._notes else None
        if not url:
            return None
        try:
            response = self._ask(url)
        except Nv2Error:
            response = None  # as good as gone: it begins anew
        if response is None and self._notes:
            self._notes.drop(self._name)
            self._notes.leave(self._name)
        return response

    def push(self, opened: Response) -> bool:
        """Upload what is missing; False if the registry does not take pieces, or not the rest of an old upload."""
        begun = self._reached(opened)
        self._at = begun or 0
        self._move(opened)
        shortest = opened.headers.get("oci-chunk-min-length", "").strip()
        if _SHORTEST.fullmatch(shortest):
            self._piece = max(PIECE, int(shortest))
        try:
            done = self._send_everything(resumed=bool(begun))
            if self._notes:
                self._notes.drop(self._name)
            return done
        finally:
            if self._notes:
                self._notes.leave(self._name)

    def _send_everything(self, *, resumed: bool) -> bool:
        try:
            self._send_all()
            return self._finish(resumed=resumed)
        except _NoPieces:
            return False

    def _send_all(self) -> None:
        """Every piece, mended as long as there is progress."""
        fruitless, furthest = 0, self._at  # who goes back and forth makes no progress
        while self._at < self._descriptor.size:
            try:
                self._send()
                return
            except _Elsewhere:
                cause: Nv2Error = BadAnswer(f"lost its place in {self._what}", at=self._endpoint.name)
            except Unreachable as e:
                if e is self._fault:
                    raise
                cause = e
            fruitless = self._mend(cause, furthest, fruitless)
            furthest = max(furthest, self._at)

    def _mend(self, cause: Nv2Error, furthest: int, fruitless: int) -> int:
        """Ask how far it is; how many tries in a row made no progress. Raises `cause` when there were too many."""
        while True:
            try:
                response = self._ask(self._url)
            except Unreachable:
                response = None
            else:
                if response is None:
                    raise _NoPieces  # it has forgotten them
                self._at = self._reached(response) or 0
                self._move(response)
            fruitless = 0 if self._at - furthest >= PROGRESS else fruitless + 1
            if fruitless > len(PAUSES):
                raise cause
            if fruitless:
                self._sleep(PAUSES[fruitless - 1])
            if response is not None:
                return fruitless

    def _send(self) -> None:
        """Pieces, one after the other, out of one reading of the source."""
        with closing(self._source()) as stream:
            _wind(stream, self._at)
            while (missing := self._descriptor.size - self._at) > 0:
                count = min(self._piece, missing)
                expected = self._at + count
                response = self._patch(
                    _Piece(stream, count, is_last=count == missing, fail=self._fail), count
                )
                # 201 is ECR's, whose Range stays where the first piece ended though it has the others.
                reached = None if response.status == 201 else self._reached(response)
                self._at = expected if reached is None else reached
                self._move(response)
                if self._at != expected:
                    raise _Elsewhere

    def _fail(self, error: Nv2Error) -> None:
        self._fault = error

    def _patch(self, piece: _Piece, count: int) -> Response:
        headers = {"Content-Type": mt.OCTET_STREAM, "Content-Range": f"{self._at}-{self._at + count - 1}"}
        response = self._send_to("PATCH", self._url, headers, piece.open, count)
        if response.status in (201, 202, 204):
            response.discard()
            return response
        refused = 400 <= response.status < 500 and response.status not in _MEND
        error = self._endpoint.failure(response, self._what)
        if refused and self._at == 0:
            raise _NoPieces
        raise _Elsewhere if refused else error

    def _finish(self, *, resumed: bool) -> bool:
        """The final PUT (201, or 204 as some say); False if what another run left does not fit the digest."""
        url = completed(self._url, self._descriptor.digest)
        response = self._send_to("PUT", url, {"Content-Type": mt.OCTET_STREAM})
        if response.status in (201, 204):
            response.discard()
            return True
        error = self._endpoint.failure(response, self._what)
        # A PUT whose answer was lost has ended the upload; some end it with the last piece.
        if 400 <= response.status < 500 and look_for(self._endpoint, self._descriptor)():
            return True
        if resumed and response.status in (400, 404, 416):
            return False
        raise error

    def _ask(self, url: str) -> Response | None:
        """How far an upload is (distribution-spec, "GET <location>"); None if there is none any more.

        Distribution 2.8 has the offset, signed, in the address of an upload. One that was cut within a piece has another
        since, which no answer tells: GET, HEAD and PATCH all get 404, with that address and without.
        """
        response = self._send_to("GET", url, {})
        if 400 <= response.status < 500 and response.status not in _MEND:
            response.discard()
            return None
        if response.status // 100 != 2:
            raise self._endpoint.failure(response, self._what)
        response.discard()
        return response

    def _reached(self, response: Response) -> int | None:
        """Bytes that the registry has, by its Range; None if it does not say. `0-0` is how none is written."""
        found = _RANGE.fullmatch(response.headers.get("range", "").strip())
        if not found:
            return None
        reached = int(found[1]) + 1
        if reached > self._descriptor.size:
            raise BadAnswer(f"says that it has {reached} bytes of {self._what}", at=self._endpoint.name)
        return 0 if reached == 1 else reached

    def _move(self, response: Response) -> None:
        """Go on at the Location of `response`, if it has one, and remember it."""
        if location := response.headers.get("location"):
            self._url = resolve_url(response.url, location)
        elif not self._url:
            self._url = response.url
        if self._notes:
            self._notes.keep(self._name, self._url)

    def _send_to(
        self, method: str, url: str, headers: dict[str, str], body: Opener | None = None, size: int = 0
    ) -> Response:
        scopes = (self._endpoint.scope(writes=True),)
        request = Request(method, url, headers, body, size, scopes=scopes)
        if body:
            request = request._replace(total_timeout=None)
        return self._endpoint.send_to(url, request)


class _Piece(io.RawIOBase, BinaryIO):
    """The next `count` bytes of `stream`, once: what was read of it cannot be read again."""

    def __init__(
        self, stream: BinaryIO, count: int, *, is_last: bool, fail: Callable[[Nv2Error], None]
    ) -> None:
        super().__init__()
        self._stream = stream
        self._left = count
        self._count = count
        self._is_last = is_last
        self._fail = fail

    def open(self) -> BinaryIO:
        """Itself. Raises `Unreachable` if it was sent before, in part: the upload goes on elsewhere then."""
        if self._left != self._count:
            raise Unreachable("a piece must be sent again")
        return self

    def read(self, size: int = -1, /) -> bytes:
        """Some bytes. Beyond the last piece the source is asked for its end, where it checks itself."""
        if not self._left and not self._is_last:
            return b""
        try:
            data = self._stream.read(min(size, self._left) if self._left else 1)
        except Nv2Error as e:
            self._fail(e)
            raise
        self._left -= min(len(data), self._left)
        return data

    def close(self) -> None:
        """Leave the stream open: the next piece comes from it."""


def _wind(stream: BinaryIO, offset: int) -> None:
    """Read on at `offset` bytes from the beginning."""
    if not offset:
        return
    if stream.seekable():
        stream.seek(offset)
        return
    while offset:
        data = stream.read(min(offset, MAX_SKIP))
        if not data:
            return  # it is too short, which whoever sends it finds out
        offset -= len(data)
