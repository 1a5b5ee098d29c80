"""How long the listener waits for a client: the streams that read from its socket and write to it know it.

One rule bounds a request from its first byte to its last: a client may keep us waiting for `GRACE`
seconds, plus one second for each `SLOWEST` bytes it has sent. Only time spent waiting counts, so a long
fsync of ours is not held against anybody. Answers have a like one: `SEND_GRACE` seconds, of which each `SLOWEST`
bytes that the client takes give one back. What they give back has an end, since an answer may have many gigabytes.
"""

from __future__ import annotations

import errno
import io
import os
import selectors
import socket
import ssl
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from nv2.server.messages import BadMessage, Disconnected

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

    from nv2.server.messages import FileSlice

IDLE = 60.0
"""Seconds that an open connection may rest between two requests; clients open a new one at little cost."""

MAX_HEAD = 128 * 1024
"""Bytes of a request's head, which lies in memory before anybody knows who asks; a line of it has half of that."""

GRACE = 20.0
"""Seconds of waiting that every request may cost: enough to unpack a layer's first bytes."""

SLOWEST = 1024
"""Bytes per second that a client must send or take on average once its grace is used up: less than a telephone line has."""

SEND_GRACE = 60.0
"""Seconds for which a client may take nothing of an answer: it may be unpacking what it has."""

TRY = 2.0
"""Seconds after which sending is tried though the system does not call for it: it does when a third of its buffer is
free, megabytes at times, which a slow line takes minutes for."""

PIECE = 56 * 1024
"""Bytes of a file that are read at a time where the kernel cannot send it, which a client at the slowest rate takes in time: over TLS they count when all went."""

_NO_SENDFILE = frozenset({errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP})
"""What systems answer that cannot send this file by the kernel."""

_Selector = getattr(selectors, "PollSelector", selectors.SelectSelector)
"""Needs no descriptor of its own, and where there is `poll`, waits for any number."""


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


class PatientWriter(io.RawIOBase):
    """The writing side of `connection`; wrap it in a `BufferedWriter`, and flush that before `send_file`.

    Both raise `Disconnected` when the patience is used up, and `OSError` if the connection breaks.
    """

    def __init__(self, connection: socket.socket, grace: float = SEND_GRACE) -> None:
        self._connection = connection
        self._grace = self._left = grace
        self.sent = 0
        """Bytes since the last `renew`."""

    def renew(self) -> None:
        """Another answer begins."""
        self._left = self._grace
        self.sent = 0

    def writable(self) -> bool:
        """Yes."""
        return True

    def write(self, data: ReadableBuffer) -> int:
        """Send some of `data`: how many bytes went."""
        some = memoryview(data)[:PIECE]
        return self._sent(lambda: self._connection.send(some))

    def send_file(self, part: FileSlice) -> int:
        """Send `part`, by the kernel where it can: how many bytes went, fewer only if the file has fewer."""
        send = self._by_reading if isinstance(self._connection, ssl.SSLSocket) else self._by_kernel
        end, place = part.offset + part.size, part.offset
        while place < end:
            try:
                count = send(part, place, end - place)
            except OSError as e:
                # What is in memory has no descriptor, and some file systems do not know how.
                if send == self._by_reading or not (isinstance(e, ValueError) or e.errno in _NO_SENDFILE):
                    raise
                send = self._by_reading
                continue
            if not count:
                break
            place += count
        return place - part.offset

    def _by_kernel(self, part: FileSlice, place: int, size: int) -> int:
        if not hasattr(os, "sendfile"):
            raise OSError(errno.ENOSYS, "there is no sendfile")
        ours, file = self._connection.fileno(), part.file.fileno()
        return self._sent(lambda: os.sendfile(ours, file, place, size))

    def _by_reading(self, part: FileSlice, place: int, size: int) -> int:
        part.file.seek(place)
        data = part.file.read(min(size, PIECE))
        return self._sent(lambda: self._connection.send(data)) if data else 0

    def _sent(self, send: Callable[[], int]) -> int:
        """What `send` sent, as soon as it could."""
        self._connection.settimeout(0)
        while True:
            if self._left <= 0:
                raise Disconnected("the client read too slowly")
            try:
                count = send()
            except (BlockingIOError, ssl.SSLWantWriteError):
                self._wait(selectors.EVENT_WRITE)
            except ssl.SSLWantReadError:  # keys are agreed on anew
                self._wait(selectors.EVENT_READ)
            else:
                self._left = min(self._grace, self._left + count / SLOWEST)
                self.sent += count
                return count

    def _wait(self, event: int) -> None:
        started = time.monotonic()
        with _Selector() as selector:
            selector.register(self._connection, event)
            selector.select(min(self._left, TRY))
        self._left -= time.monotonic() - started
