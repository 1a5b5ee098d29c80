"""A lane: everything about one origin. Its worker threads, its idle connections, and its wish to be left alone."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nv2.transport.connections import Connection

WORKER_IDLE = 10.0
"""Seconds that a worker without work stays."""


_here = threading.local()
"""`serves` is set in the threads that are workers, of whichever lane."""


class Lane:
    """At most `limit` requests to one origin under way; connections are shared by all of them.

    A request that a worker makes itself, to have the body of another one, is not counted. Workers are daemon threads: a process that ends does not wait for an answer nobody wants.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._changed = threading.Condition()
        self._work: deque[Callable[[], None]] = deque()
        self._workers = 0
        self._free = 0
        self._opening = 0
        self._idle: list[Connection] = []
        self._not_before = 0.0

    def submit(self, work: Callable[[], None]) -> None:
        """Let a worker do `work`, which must not raise."""
        with self._changed:
            # Who copies within a registry sends what comes from it. If all workers waited here for one that is
            # free, none ever would be.
            if self._workers >= self._limit and getattr(_here, "serves", False):
                threading.Thread(target=work, name="nv2-transport", daemon=True).start()
                return
            self._work.append(work)
            if self._free:
                self._changed.notify()
            # Who is opening a connection is free soon, and has one then.
            if self._free + self._opening < len(self._work) and self._workers < self._limit:
                self._employ(self._serve)

    def prepare(self, count: int, open_one: Callable[[], Connection]) -> None:
        """Have `count` workers, each of which begins by opening a connection for whichever request comes first."""
        with self._changed:
            while self._workers < min(count, self._limit):
                self._opening += 1
                self._employ(lambda: self._open_and_serve(open_one))

    def _employ(self, duty: Callable[[], None]) -> None:
        self._workers += 1
        threading.Thread(target=duty, name="nv2-transport", daemon=True).start()

    def _open_and_serve(self, open_one: Callable[[], Connection]) -> None:
        with suppress(Exception):  # the request that would have used it tries again, and says why not
            self._keep(open_one())
        with self._changed:
            self._opening -= 1
        self._serve()

    def _serve(self) -> None:
        _here.serves = True
        while work := self._next():
            work()
            # The work holds a request and its answer: not for longer than it takes.
            del work

    def _next(self) -> Callable[[], None] | None:
        with self._changed:
            self._free += 1
            try:
                if not self._work:
                    self._changed.wait_for(lambda: bool(self._work), WORKER_IDLE)
                if self._work:
                    return self._work.popleft()
                self._workers -= 1
                return None
            finally:
                self._free -= 1

    def take(self) -> Connection | None:
        """An idle connection that looks alive, the one used last; the others are closed on the way."""
        while True:
            with self._changed:
                if not self._idle:
                    return None
                connection = self._idle.pop()
            if connection.is_usable():
                return connection
            connection.close()

    def give(self, connection: Connection) -> None:
        """Keep `connection` for the next request, unless there are enough."""
        connection.reused = True
        self._keep(connection)

    def _keep(self, connection: Connection) -> None:
        connection.rest()
        with self._changed:
            if len(self._idle) < self._limit:
                self._idle.append(connection)
                return
        connection.close()

    def pause(self, seconds: float) -> None:
        """Nobody shall send to this origin for so long (it answered 429)."""
        with self._changed:
            self._not_before = max(self._not_before, time.monotonic() + seconds)

    def pause_left(self) -> float:
        """Seconds until the origin may be asked again; 0 mostly."""
        return max(0.0, self._not_before - time.monotonic())

    def close(self) -> None:
        """Close the idle connections."""
        with self._changed:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()
