"""Client sockets: opening a connection, by TLS and through a proxy, and moving bytes with a time limit.

The only module of nv2 that opens one.
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar

from nv2.errors import BadAnswer, Unreachable
from nv2.transport.failures import PROXY_HINT, Cut, unreachable
from nv2.transport.interface import CONNECT_TIMEOUT, READ_TIMEOUT
from nv2.transport.proxies import Proxy
from nv2.transport.urls import Origin
from nv2.transport.wire import END_OF_HEAD, MAX_HEAD, parse_head, request_head

if TYPE_CHECKING:
    import ssl

CHUNK = 256 * 1024
"""Bytes asked of a socket at once: larger ones are not faster."""

PER_PATIENCE = 64 * 1024
"""Bytes that have the read time-out to get through: 2 KiB a second at least."""

Dial = Callable[[], Sequence[str]]
"""The addresses to try, in order; at least one. Raises what resolving raises."""

MAX_IDLE = 60.0
"""Seconds that a connection is kept for the next request; most peers close it before."""


class Connection:
    """A connected socket, the bytes read ahead of it, and the moment when patience ends."""

    __slots__ = ("_buffer", "_deadline", "_idle_since", "_socket", "_waits", "place", "proxied", "reused")

    _open: ClassVar[set[socket.socket]] = set()
    """Sockets of connections that are not closed. Were a socket garbage together with its connection, because of a
    circle somewhere above, it could be finalized first, and complain that nobody closed it."""

    def __init__(self, sock: socket.socket, place: str, *, proxied: bool = False) -> None:
        self._socket = sock
        self._open.add(sock)
        self._buffer = b""
        self._deadline: float | None = None
        self._idle_since = 0.0
        self._waits: float | None = None
        """The time-out that the socket has; None for whatever it came with."""
        self.place = place
        self.proxied = proxied
        """Whether requests name the whole address, because a proxy reads them."""
        self.reused = False
        """Whether a request was answered on it before."""

    def be_patient_until(self, deadline: float | None) -> None:
        """From now on give up at `deadline` (monotonic seconds), whatever still arrives."""
        self._deadline = deadline

    def send(self, data: bytes | memoryview) -> None:
        """Send all of `data`. Raises `Unreachable`."""
        try:
            left = self._send_at_once(data) if len(data) > PER_PATIENCE else data
            for first in range(0, len(left), PER_PATIENCE):
                self._wait_at_most(self._patience())
                self._socket.sendall(left[first : first + PER_PATIENCE])
        except OSError as e:
            raise self._failure(e) from None

    def _send_at_once(self, data: bytes | memoryview) -> bytes | memoryview:
        """Send what the system takes without waiting for the peer, which is all of it on a quick line; the rest."""
        if type(self._socket) is not socket.socket:
            return data  # TLS takes all or nothing
        self._wait_at_most(self._patience())
        return memoryview(data)[self._socket.send(data) :]

    def receive(self, size: int) -> bytes:
        """Some bytes, at most `size`; empty at the end. Raises `Unreachable`."""
        if self._buffer:
            found, self._buffer = self._buffer[:size], self._buffer[size:]
            return found
        return self._receive(size)

    def receive_until(self, end: bytes, limit: int) -> bytes:
        """Everything before `end`, which is taken too. Raises `BadAnswer` beyond `limit` bytes, `Cut` at the end."""
        searched = 0
        while (found := self._buffer.find(end, searched)) < 0:
            if len(self._buffer) > limit + len(end):
                raise BadAnswer(f"the head of the answer is longer than {limit} bytes", at=self.place)
            searched = max(0, len(self._buffer) - len(end) + 1)
            more = self._receive(8192)
            if not more:
                raise Cut("the connection was closed without an answer", at=self.place)
            self._buffer += more
        data, self._buffer = self._buffer[:found], self._buffer[found + len(end) :]
        return data

    def _receive(self, size: int) -> bytes:
        try:
            self._wait_at_most(self._patience())
            return self._socket.recv(min(size, CHUNK))
        except OSError as e:
            raise self._failure(e) from None

    def peek(self) -> bytes:
        """What has been read ahead."""
        return self._buffer

    def _wait_at_most(self, seconds: float) -> None:
        """Python makes a call to the system of it, and lets another thread run, even where nothing changes."""
        if seconds != self._waits:
            self._socket.settimeout(seconds)
            self._waits = seconds

    def _patience(self) -> float:
        if self._deadline is None:
            return READ_TIMEOUT
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise self._too_late()
        return min(left, READ_TIMEOUT)

    def _failure(self, error: OSError) -> Unreachable:
        if isinstance(error, TimeoutError) and self._deadline and time.monotonic() >= self._deadline:
            return self._too_late()
        return unreachable(error, self.place, READ_TIMEOUT)

    def _too_late(self) -> Unreachable:
        return Unreachable("the answer took longer than the time there was for it", at=self.place)

    def rest(self) -> None:
        """Between two requests."""
        self._idle_since = time.monotonic()

    def is_usable(self) -> bool:
        """Whether an idle connection looks alive: young, and no answer came in, not even its end."""
        closed = self._socket.fileno() < 0
        if closed or self._buffer or time.monotonic() - self._idle_since > MAX_IDLE:
            return False
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        return not poll.poll(0) or self._has_only_tickets()

    def _has_only_tickets(self) -> bool:
        """Whether all that came in are tickets, which a server sends unasked after the handshake (RFC 8446 4.6.1)."""
        if type(self._socket) is socket.socket:
            return False
        import ssl

        try:
            self._wait_at_most(0)
            self._socket.recv(1)
        except ssl.SSLWantReadError:
            return True
        except OSError:
            return False
        return False

    @property
    def address(self) -> str | None:
        """The address at the other end; None if it has gone."""
        try:
            return str(self._socket.getpeername()[0])
        except OSError:
            return None

    @property
    def tls_version(self) -> str | None:
        """`TLSv1.3`, or an older one; None without TLS."""
        return None if type(self._socket) is socket.socket else getattr(self._socket, "version", str)()

    def abort(self) -> None:
        """Wake up a thread that waits for bytes."""
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # not connected any more: nobody waits

    def close(self) -> None:
        """Give the socket back."""
        self._open.discard(self._socket)
        self._socket.close()

    def __del__(self) -> None:
        """Connections that nobody holds any more, as the idle ones of a transport that is gone, end quietly."""
        self.close()


def open_connection(
    origin: Origin,
    proxy: Proxy | None,
    context: Callable[[], ssl.SSLContext],
    deadline: float | None,
    dial: Dial | None = None,
    address: Origin | None = None,
    patience: float = CONNECT_TIMEOUT,
) -> Connection:
    """A connection to `origin`. Raises `Unreachable`, naming it (or the proxy), and what `context` raises.

    `dial` chooses the addresses to try, where the rule of a request does; `address` is where to connect to in place of
    them; a proxy chooses itself. `patience` is the time to connect, in seconds.
    """
    first = proxy.origin if proxy else address or origin
    secure = origin.scheme == "https"
    sock = _connect(first, proxy is not None, None if proxy or address else dial, deadline, patience)
    try:
        connection = Connection(sock, origin.place, proxied=proxy is not None and not secure)
        connection.be_patient_until(deadline)
        if proxy and secure:
            _open_tunnel(connection, origin, proxy)
        if secure:
            connection = Connection(_wrap(sock, origin, context()), origin.place)
    except BaseException:
        sock.close()
        raise
    return connection


def _connect(
    origin: Origin, is_proxy: bool, dial: Dial | None, deadline: float | None, patience: float
) -> socket.socket:
    sock = None
    left = patience if deadline is None else deadline - time.monotonic()
    seconds = min(patience, max(left, 0.01))
    try:
        # As bytes: a str would load the codec for international names, which 10 ms cannot pay back.
        host: str = origin.host.encode("ascii")  # type: ignore[assignment]
        hosts = dial() if dial else [host]
        sock = _first_of(hosts, origin.port, seconds)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except OSError as e:
        if sock:
            sock.close()
        found = unreachable(e, origin.place, round(seconds, 1))
        raise type(found)(found.message, at=found.at, hint=PROXY_HINT if is_proxy else found.hint) from None
    return sock


def _first_of(hosts: Sequence[str], port: int, seconds: float) -> socket.socket:
    """A connection to the first of `hosts` that takes one. Raises what the last one raises."""
    for host in hosts[:-1]:
        try:
            return socket.create_connection((host, port), seconds)
        except OSError:
            continue
    return socket.create_connection((hosts[-1], port), seconds)


def _wrap(sock: socket.socket, origin: Origin, context: ssl.SSLContext) -> ssl.SSLSocket:
    try:
        sock.settimeout(CONNECT_TIMEOUT)
        return context.wrap_socket(sock, server_hostname=origin.host.encode("ascii"))
    except OSError as e:
        raise unreachable(e, origin.place, CONNECT_TIMEOUT) from None


def _open_tunnel(connection: Connection, origin: Origin, proxy: Proxy) -> None:
    """Ask the proxy for a way through (RFC 9110 9.3.6)."""
    target = origin.place
    headers = {"Host": target}
    if proxy.authorization:
        headers["Proxy-Authorization"] = proxy.authorization
    connection.send(request_head("CONNECT", target, headers))
    head = parse_head(connection.receive_until(END_OF_HEAD, MAX_HEAD), proxy.origin.place)
    if head.status // 100 != 2 or connection.peek():
        raise Unreachable(f"the proxy {proxy.origin.place} answered {head.status}", at=origin.place)
