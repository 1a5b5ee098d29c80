"""The open connections of a listener: how many, which of them rest, and their orderly end."""

from __future__ import annotations

import contextlib
import socket
import threading

MOST = 256
"""Connections at a time, a thread each; a busy build machine uses some tens."""

ADMISSION = 2.0
"""Seconds that a new connection waits for a place before it is turned away, where all others are busy."""


class Connections:
    """A connection is admitted, is by turns busy and at rest, and leaves."""

    def __init__(self, most: int = MOST, admission: float = ADMISSION) -> None:
        self._places = threading.BoundedSemaphore(most)
        self._admission = admission
        self._busy: dict[socket.socket, bool] = {}
        self._changed = threading.Condition()
        self._ending = False

    def admit(self, connection: socket.socket) -> bool:
        """Take a place, if need be that of the one that rests longest; False if none became free in time."""
        if not self._places.acquire(blocking=False):
            self._end_longest_resting()
            if not self._places.acquire(timeout=self._admission):
                return False
        with self._changed:
            self._busy[connection] = True
        return True

    def leave(self, connection: socket.socket) -> None:
        """Give the place back."""
        with self._changed:
            known = self._busy.pop(connection, None) is not None
            self._changed.notify_all()
        if known:
            self._places.release()

    def rest(self, connection: socket.socket) -> bool:
        """The connection waits for a request; False if there will be none, because the listener ends."""
        with self._changed:
            self._busy.pop(connection, None)
            self._busy[connection] = False  # behind those that rest already
            return not self._ending

    def work(self, connection: socket.socket) -> None:
        """A request has begun to arrive."""
        with self._changed:
            self._busy[connection] = True

    def end(self, grace: float) -> None:
        """Close resting connections, wait up to `grace` seconds for the busy ones, then close those too."""
        with self._changed:
            self._ending = True
            _shut([connection for connection, busy in self._busy.items() if not busy], socket.SHUT_RD)
            if not self._changed.wait_for(lambda: not self._busy, timeout=grace):
                _shut(list(self._busy), socket.SHUT_RDWR)
                self._changed.wait_for(lambda: not self._busy, timeout=grace)

    def _end_longest_resting(self) -> None:
        with self._changed:
            resting = next((connection for connection, busy in self._busy.items() if not busy), None)
            if resting:
                self._busy[resting] = True  # it is on its way out: the next to come looks for another
                _shut([resting], socket.SHUT_RD)


def _shut(connections: list[socket.socket], how: int) -> None:
    for connection in connections:
        with contextlib.suppress(OSError):  # it has just been closed from the other side
            # Not the method of a TLS connection: that would let another thread go on reading in the clear.
            socket.socket.shutdown(connection, how)
