"""A lane: everything about one origin. Its worker threads, its idle connections, and its wish to be left alone."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nv2.transport.connections import Connection

WORKER_IDLE = 10.0
"""Seconds that a worker without work stays."""

FRESH = 1.0
"""Seconds that the failure of an early connection speaks for a request: after that, another try is worth it."""


_here = threading.local()
"""`serves` is set in the threads that are workers, of whichever lane."""


class Lane:
    """At most `limit` requests to one origin under way; connections are shared by all of them.

    A request that a worker makes itself, to have the body of another one, is not counted. Workers are daemon threads: a process that ends does not wait for an answer nobody wants.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._changed = threading.Condition()
        self._work: deque[tuple[Callable[[], None], int]] = deque()
        self._workers = 0
        self._free = 0
        self._opening = 0
        self._closings = 0
        self._idle: list[Connection] = []
        self._failures: list[tuple[float, Exception]] = []
        self._not_before = 0.0

    def submit(self, work: Callable[[], None]) -> None:
        """Let a worker do `work`, which must not raise."""
        with self._changed:
            # Who copies within a registry sends what comes from it. If all workers waited here for one that is
            # free, none ever would be.
            if self._workers >= self._limit and getattr(_here, "serves", False):
                threading.Thread(target=work, name="nv2-transport", daemon=True).start()
                return
            self._work.append((work, self._closings))
            if self._free:
                self._changed.notify()
            # Who is opening a connection is free soon, and has one then.
            if self._free + self._opening < len(self._work) and self._workers < self._limit:
                self._employ(partial(self._serve, self._closings))

    def prepare(self, count: int, open_one: Callable[[], Connection]) -> None:
        """Have `count` connections, idle ones included: each that is missing is opened by a worker of its own.

        They are for whichever requests come first. What goes wrong is raised by the next `take`.
        """
        with self._changed:
            while self._workers < min(count, self._limit) and len(self._idle) + self._opening < count:
                self._opening += 1
                self._employ(partial(self._open_and_serve, open_one, self._closings))

    def _employ(self, duty: Callable[[], None]) -> None:
        self._workers += 1
        threading.Thread(target=duty, name="nv2-transport", daemon=True).start()

    def _open_and_serve(self, open_one: Callable[[], Connection], closings: int) -> None:
        self._open_early(open_one, closings)
        self._serve(closings)

    def _open_early(self, open_one: Callable[[], Connection], closings: int) -> None:
        try:
            connection = open_one()
        except Exception as e:  # said by the request that would have used it
            with self._changed:
                if closings == self._closings:
                    self._failures.append((time.monotonic() + FRESH, e.with_traceback(None)))
        else:
            self._keep(connection, closings)
        with self._changed:
            self._opening -= 1

    def _serve(self, closings: int) -> None:
        _here.serves = True
        while found := self._next(closings):
            work, closings = found
            work()
            # The work holds a request and its answer: not for longer than it takes.
            del work, found

    def _next(self, closings: int) -> tuple[Callable[[], None], int] | None:
        with self._changed:
            self._free += 1
            try:
                self._changed.wait_for(lambda: self._work or self._closings > closings, WORKER_IDLE)
                if self._work:
                    return self._work.popleft()
                self._workers -= 1
                return None
            finally:
                self._free -= 1

    def take(self) -> Connection | None:
        """An idle connection that looks alive, the one used last; the others are closed on the way.

        Raises what kept an early connection from being opened, once, if there is none to use instead.
        """
        while True:
            with self._changed:
                if not self._idle:
                    self._raise_failure()
                    return None
                connection = self._idle.pop()
            if connection.is_usable():
                return connection
            connection.close()

    def _raise_failure(self) -> None:
        while self._failures:
            until, failure = self._failures.pop()
            if time.monotonic() < until:
                raise failure

    def release(self) -> Callable[[Connection], None]:
        """What takes the connection of a request that begins now, for the next one: not once the lane was closed."""
        return partial(self.give, closings=self._closings)

    def give(self, connection: Connection, closings: int | None = None) -> None:
        """Keep `connection` for the next request, unless there are enough."""
        connection.reused = True
        self._keep(connection, closings)

    def _keep(self, connection: Connection, closings: int | None = None) -> None:
        connection.rest()
        with self._changed:
            wanted = closings in (None, self._closings)  # else the lane was closed while it was opened
            if wanted and len(self._idle) < self._limit:
                self._failures.clear()  # it can be done
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
        """Close the idle connections, and those being opened or used as soon as they are free; idle workers go."""
        with self._changed:
            idle, self._idle = self._idle, []
            self._failures.clear()
            self._closings += 1
            self._changed.notify_all()
        for connection in idle:
            connection.close()
