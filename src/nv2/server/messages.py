"""What an application behind the listener sees of HTTP: a `Call` comes in, an `Answer` goes out.

What this module does not do: touch a socket. Any `Call` can be made by hand, which is how tests do it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import BinaryIO, NamedTuple, Protocol

NO_HEADERS: Mapping[str, str] = MappingProxyType({})
NO_QUERY: Mapping[str, tuple[str, ...]] = MappingProxyType({})

MAX_WHOLE = 64 * 1024
"""Bytes of a file that is read into memory, so that the answer leaves in one write."""


class BadMessage(Exception):
    """The request breaks the rules of HTTP, or a limit of the listener; `status` says which."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class Disconnected(Exception):
    """The client went away, or was too slow, before its request was complete."""


class Body(Protocol):
    """The body of a request."""

    size: int | None
    """Bytes, or None if the client did not say."""

    def read(self, size: int) -> bytes:
        """At most `size` bytes, empty at the end. Raises `Disconnected` and `BadMessage`."""


class Call(NamedTuple):
    """A request. The path is percent-decoded and has no query; header names are lower case."""

    method: str
    path: str
    body: Body
    headers: Mapping[str, str] = NO_HEADERS
    query: Mapping[str, tuple[str, ...]] = NO_QUERY
    peer: str = ""
    """The address of who asks, as the connection has it."""
    user: str = ""
    """Who asks, once a layer has made sure of it; empty for somebody unknown."""
    upload_limit: int = 0
    """Bytes that an upload may have in all, however many requests bring them; 0 for any. A layer says so."""

    def first(self, key: str) -> str | None:
        """The first value of `key` in the query, or None if it is absent or empty."""
        values = self.query.get(key, ())
        return values[0] if values and values[0] else None


class FileSlice(NamedTuple):
    """`size` bytes of an open file from `offset`; whoever sends the answer closes it."""

    file: BinaryIO
    offset: int
    size: int


class Answer(NamedTuple):
    """A response. The listener adds `Content-Length`, `Date` and `Server`, and leaves out the body for HEAD."""

    status: int
    headers: Mapping[str, str] = NO_HEADERS
    body: bytes | FileSlice = b""
    user: str = ""
    """Who was answered, for those who keep the log; the client does not see it."""

    @property
    def size(self) -> int:
        """Bytes of the body."""
        return self.body.size if isinstance(self.body, FileSlice) else len(self.body)

    def close(self) -> None:
        """Close the file, if there is one."""
        if isinstance(self.body, FileSlice):
            self.body.file.close()


Respond = Callable[[Call], Answer]
"""What answers a request."""

Layer = Callable[[Call, Respond], Answer]
"""What stands before it: a layer answers by itself, or passes a request on, changed or not, and may change the answer."""


def layered(respond: Respond, layers: Sequence[Layer]) -> Respond:
    """`respond` behind `layers`, the first of them outermost."""
    for layer in reversed(layers):
        respond = partial(_through, layer, respond)
    return respond


def _through(layer: Layer, respond: Respond, call: Call) -> Answer:
    return layer(call, respond)


class Served(NamedTuple):
    """A request that was answered: what a log or a measurement may know of it. Nothing here is a secret."""

    method: str
    target: str
    """Path and query as they came, in printable ASCII."""
    status: int
    peer: str = ""
    user: str = ""
    agent: str = ""
    """What the client calls itself."""
    received: int = 0
    """Bytes of the request, its head included."""
    sent: int = 0
    """Bytes of the answer's body that were handed to the system; of one that was cut off its head may count, too."""
    seconds: float = 0.0
    """From the first byte of the request to the last of the answer."""


class Application(NamedTuple):
    """What stands behind a listener."""

    respond: Respond
    refuse: Callable[[int, str], Answer]
    """Puts a status and a reason into the words of this application, when there is no valid `Call`."""
    log: Callable[[Served], None]
    """Is told of each request when it was answered."""
    warn: Callable[[str], None]
    """Takes a line when something fails that is not the client's fault."""
