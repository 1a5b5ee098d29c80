"""How long the listener waits for a client: the stream that reads from its socket knows it.

One rule bounds a request from its first byte to its last: a client may keep us waiting for `GRACE`
seconds, plus one second for each `SLOWEST` bytes it has sent. Only time spent waiting counts, so a long
fsync of ours is not held against anybody.
"""

from __future__ import annotations

import io
import socket
import time
from typing import TYPE_CHECKING

from nv2.server.messages import BadMessage, Disconnected

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

IDLE = 60.0
"""Seconds that an open connection may rest between two requests; clients open a new one at little cost."""

MAX_HEAD = 128 * 1024
"""Bytes of a request's head, which lies in memory before anybody knows who asks; a line of it has half of that."""

GRACE = 20.0
"""Seconds of waiting that every request may cost: enough to unpack a layer's first bytes."""

SLOWEST = 1024
"""Bytes per second that a client must send on average once its grace is used up."""


class PatientReader(io.RawIOBase):
    """The reading side of `connection`; wrap it in a `BufferedReader`.

    Reading raises `Disconnected` when the patience is used up or the connection breaks, and `BadMessage` when a
    head is longer than `MAX_HEAD`.
    """

    def __init__(self, connection: socket.socket, idle: float = IDLE, grace: float = GRACE) -> None:
        self._connection = connection
        self._idle, self._grace = idle, grace
        self.renew()

    begun: float
    """When the first bytes since the last `renew` came, by the monotonic clock; 0 before."""

    def renew(self) -> None:
        """A new request may come."""
        self._received = 0
        self._waited = 0.0
        self.begun = 0.0
        self._in_head = True

    def end_head(self) -> None:
        """The head has been read; bodies have limits of their own."""
        self._in_head = False

    @property
    def received(self) -> int:
        """Bytes since the last `renew`."""
        return self._received

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Wait for bytes, but no longer than this client deserves."""
        wait = self._grace + self._received / SLOWEST - self._waited if self._received else self._idle
        if wait <= 0:
            raise Disconnected("the client was too slow")
        if self._in_head and self._received >= MAX_HEAD:
            raise BadMessage(431, f"a head has at most {MAX_HEAD} bytes")
        started = time.monotonic()
        try:
            self._connection.settimeout(wait)
            count = self._connection.recv_into(buffer)
        except TimeoutError:
            raise Disconnected("the client was too slow" if self._received else "idle") from None
        except OSError as e:
            raise Disconnected(f"the connection broke: {e}") from None
        now = time.monotonic()
        if self._received:
            self._waited += now - started
        else:
            self.begun = now
        self._received += count
        return count
