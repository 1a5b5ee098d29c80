"""A request under way: the clock that it runs against, and the hand-over of its answer between two threads.

What this module does not do: start threads, or know what work a request is.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from nv2.errors import Unreachable
from nv2.transport.interface import Request, Response
from nv2.transport.urls import parse_url

if TYPE_CHECKING:
    from nv2.transport.connections import Connection
    from nv2.transport.urls import Reach

GRACE = 1.0
"""Seconds that the waiting caller grants the worker to report a time-out by itself."""

NOTICE = 0.5
"""Seconds. A signal that comes just before a wait does not end it: each wait is short, then Python looks."""


class Job:
    """A request under way (`Pending`): a worker does it, and somebody waits for its answer."""

    def __init__(self, request: Request, closings: int) -> None:
        self.request = request
        self.closings = closings
        """How often the transport had been closed when this began."""
        now, timeout = time.monotonic(), request.total_timeout
        self.deadline = None if timeout is None else now + timeout
        limits = [limit for limit in (timeout, request.head_timeout) if limit is not None]
        self.seconds = min(limits, default=math.inf)
        """Until the head of the answer must be there."""
        self.head_deadline = now + self.seconds if limits else None
        self.reach: Reach | None = None
        """How far those are who answered last, where the request has an address rule."""
        self.connection: Connection | None = None
        self._settled = threading.Event()
        self._lock = threading.Lock()
        self._given_up = False
        self._response: Response | None = None
        self._error: BaseException | None = None

    def run(self, work: Callable[[Job], Response]) -> None:
        """Do the work, in a worker. Whatever it raises is raised again where the answer is awaited."""
        if self._given_up:
            return
        try:
            self._settle(work(self), None)
        except BaseException as e:
            self._settle(None, e)

    def _settle(self, response: Response | None, error: BaseException | None) -> None:
        with self._lock:
            self._response, self._error, self.connection = response, error, None
            self._settled.set()
            unwanted = response if self._given_up else None
        if unwanted:
            unwanted.discard()

    def response(self) -> Response:
        """Wait for the answer. Raises `Unreachable` when the request's time is over, too."""
        end = math.inf if self.head_deadline is None else max(self.head_deadline, time.monotonic()) + GRACE
        while not self._settled.wait(NOTICE):
            if time.monotonic() > end:
                self._give_up()
                break
        if self._error:
            raise self._error
        if not self._response:
            raise Unreachable(f"no answer within {self.seconds:g} seconds", at=self._place)
        return self._response

    @property
    def _place(self) -> str:
        return parse_url(self.request.url).origin.place

    def _give_up(self) -> None:
        with self._lock:
            self._given_up = not self._settled.is_set()
            if self.connection:
                self.connection.abort()

    def has_time_for(self, seconds: float) -> bool:
        """Whether waiting so long leaves time for an answer."""
        return self.head_deadline is None or time.monotonic() + seconds < self.head_deadline
