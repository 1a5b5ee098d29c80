"""A network in between: a relay on loopback that adds a round trip, and counts what passes.

What a line of that length does, and no more: each chunk of bytes arrives half a round trip after it was sent, in
both directions, and what is sent first on a connection a whole one later, because the connection must be made
before. Chunks are under way together and wait for nothing but their own moment; bandwidth is not limited.
"""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from queue import SimpleQueue
from typing import NamedTuple

CHUNK = 64 * 1024
REQUEST = re.compile(rb"(GET|HEAD|POST|PUT|PATCH|DELETE) (/\S*) HTTP/1\.1\r\n")
"""How a chunk begins that begins a request. Nobody here sends a second one before the first is answered."""


class Asked(NamedTuple):
    """A request that passed a relay."""

    round: int
    """1 for what is sent at once, 2 for what is sent after the first answer to one of those, and so on."""
    method: str
    path: str


class Tally:
    """Every request of one program, by the round that it belongs to. Safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._answered = 0
        self.requests: list[Asked] = []

    @property
    def rounds(self) -> int:
        """Round trips in a row."""
        return max((asked.round for asked in self.requests), default=0)

    def asked(self, method: bytes, path: bytes) -> int:
        """A request was sent; its round."""
        with self._lock:
            self.requests.append(Asked(self._answered + 1, method.decode(), path.decode()))
            return self._answered + 1

    def answered(self, number: int) -> None:
        """An answer to a request of round `number` has arrived."""
        with self._lock:
            self._answered = max(self._answered, number)


class Line:
    """All that passes one relay. `tally` may be replaced between two programs."""

    def __init__(self) -> None:
        self.tally = Tally()


@contextmanager
def relay(address: str, round_trip: float = 0.0) -> Iterator[tuple[str, Line]]:
    """Relay to `address` (`localhost:PORT`) with `round_trip` seconds more; gives its own address, and what counts."""
    target = ("127.0.0.1", int(address.rpartition(":")[2]))
    line = Line()
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        threading.Thread(target=_accept, args=(listener, target, round_trip, line), daemon=True).start()
        yield f"localhost:{listener.getsockname()[1]}", line
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that waits in `accept`


def _accept(listener: socket.socket, target: tuple[str, int], round_trip: float, line: Line) -> None:
    while True:
        try:
            near, _ = listener.accept()
        except OSError:
            return
        made = time.monotonic() + round_trip
        far = socket.create_connection(target)
        connection = _Connection(line.tally)
        for end in (near, far):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        _carry(near, far, round_trip / 2, made, read=connection.asked)
        _carry(far, near, round_trip / 2, made, written=connection.answered)


class _Connection:
    """What one connection tells the tally."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._round = 0

    def asked(self, chunk: bytes) -> None:
        if found := REQUEST.match(chunk):
            self._round = self._tally.asked(found[1], found[2])

    def answered(self, _: bytes) -> None:
        self._tally.answered(self._round)


def _ignore(_: bytes) -> None:
    """Nobody counts here."""


def _carry(
    source: socket.socket,
    target: socket.socket,
    delay: float,
    made: float,
    *,
    read: Callable[[bytes], None] = _ignore,
    written: Callable[[bytes], None] = _ignore,
) -> None:
    """Carry one direction, in two threads: one reads and notes when a chunk is due, one waits and writes."""
    under_way: SimpleQueue[tuple[float, bytes]] = SimpleQueue()

    def reads() -> None:
        while chunk := _received(source):
            read(chunk)
            under_way.put((max(time.monotonic(), made) + delay, chunk))
        under_way.put((time.monotonic() + delay, b""))

    def writes() -> None:
        while True:
            due, chunk = under_way.get()
            time.sleep(max(0.0, due - time.monotonic()))
            with suppress(OSError):
                if not chunk:
                    target.shutdown(socket.SHUT_WR)
                    return
                written(chunk)
                target.sendall(chunk)

    for work in (reads, writes):
        threading.Thread(target=work, daemon=True).start()


def _received(source: socket.socket) -> bytes:
    """The next chunk; none at the end, however it came."""
    try:
        return source.recv(CHUNK)
    except OSError:
        return b""
