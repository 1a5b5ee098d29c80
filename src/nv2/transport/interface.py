"""The network port: a request goes out, a response comes back; whatever talks HTTP takes a `Transport`.

A test world is a function `Request -> Response`, wrapped by `FunctionTransport` of the tests.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import BinaryIO, NamedTuple, Protocol

from nv2.errors import BadAnswer

MAX_METADATA = 4 * 1024 * 1024
"""Bytes of an answer that is held in memory: manifests, indexes, token and error documents."""

CONNECT_TIMEOUT = 10.0
"""Seconds to open a connection, TLS included."""

READ_TIMEOUT = 30.0
"""Seconds without a byte from the peer."""

TOTAL_TIMEOUT = 120.0
"""Seconds for a request whose answer is held in memory, retries included. Streams have more."""


class AddressRule(enum.Enum):
    """Where a connection may end. It is kept by whoever connects, for the address that a name turns out to be."""

    ANY = "anywhere"
    """The user named the host."""
    NOT_LINK_LOCAL = "not at a link-local address"
    """A stranger named it. An own authority at a private address is normal; a cloud's metadata service is none."""
    NOT_THIS_MACHINE = "at a private or public address"
    PUBLIC = "at a public address"
    """The last two for where a redirect from a private or a public address leads."""


NO_HEADERS: Mapping[str, str] = MappingProxyType({})


class Request(NamedTuple):
    """An HTTP request. `body` may be opened again, so that it can be sent again."""

    method: str
    url: str
    headers: Mapping[str, str] = NO_HEADERS
    body: Callable[[], BinaryIO] | None = None
    body_size: int = 0
    """Bytes of the body."""
    limit: int = MAX_METADATA
    """Bytes that `Response.data` reads at most; streams are bounded by their descriptor."""
    total_timeout: float | None = TOTAL_TIMEOUT
    scopes: tuple[str, ...] = ()
    """What a token must allow, for example `repository:app:pull`; empty: what the challenge asks for."""
    anonymous: bool = False
    """Send no credentials and answer no challenge: a remote party chose the address."""
    address_rule: AddressRule = AddressRule.ANY
    head_timeout: float | None = None
    """Seconds until the head of the answer must be there, redirects included; None: as `total_timeout`."""
    led: bool = False
    """Whether somebody at another origin chose the address: what is kept for its host alone is not sent then."""
    persistent: bool = True
    """Whether to ask again after a 503 or a cut; not where somebody else can be asked instead."""

    def __repr__(self) -> str:
        """Without headers and body, which may hold secrets."""
        return f"Request({self.method} {self.place})"

    @property
    def place(self) -> str:
        """The address without its query, for messages: addresses of storage carry signatures there."""
        return self.url.partition("?")[0]

    @property
    def idempotent(self) -> bool:
        """Whether sending it twice does what sending it once does."""
        return self.method in ("GET", "HEAD", "PUT", "DELETE")


class Response(NamedTuple):
    """An HTTP response whose body has not been read. Header names are lower case."""

    status: int
    headers: Mapping[str, str]
    stream: BinaryIO
    """The body; closing it gives the connection back (or drops it, if unread)."""
    request: Request

    @property
    def url(self) -> str:
        """The address that answered, after redirects."""
        return self.request.url

    @property
    def content_type(self) -> str:
        """The media type without parameters, lower case; empty if absent."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    def data(self) -> bytes:
        """The whole body; `BadAnswer` if it is longer than the request's limit."""
        limit = self.request.limit
        # Grown in place: an answer may come a byte at a time.
        found = bytearray()
        with self.stream as stream:
            while len(found) <= limit and (more := stream.read(limit + 1 - len(found))):
                found += more
        if len(found) > limit:
            raise BadAnswer(f"the answer is longer than {limit} bytes", at=self.request.place)
        return bytes(found)

    def discard(self) -> None:
        """Close without interest in the body."""
        self.stream.close()


class Pending(Protocol):
    """A request under way."""

    def response(self) -> Response:
        """Wait for the answer. Raises `Unreachable` or `BadAnswer`; a status such as 404 is an answer."""


class Transport(Protocol):
    """Whoever can send requests."""

    def start(self, request: Request) -> Pending:
        """Begin `request` and return at once."""


def send(transport: Transport, request: Request) -> Response:
    """Send `request` and wait."""
    return transport.start(request).response()
