"""A limit for everything that is asked about one artifact, so that a slow registry cannot hold us for days.

Each request has its own limit; thousands of them in a row, each a little faster than that, have none.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from nv2.errors import Unreachable
from nv2.transport.interface import Pending, Request, Transport

MAX_READING = 600.0
"""Seconds for everything that is asked about one artifact to judge or to show it. A thousand signatures over a
slow line take one minute; without a limit, a registry that drips its answers could hold us for days."""


class Hurried:
    """A `Transport` whose requests all end within `seconds` from now.

    After that `start` raises `Unreachable`. For what is held in memory; a stream that may take its
    time is cut off like everything else.
    """

    def __init__(
        self, transport: Transport, seconds: float, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._transport = transport
        self._seconds = seconds
        self._clock = clock
        self._deadline = clock() + seconds

    def start(self, request: Request) -> Pending:
        """Begin `request`, with no more time than is left."""
        left = self._deadline - self._clock()
        if left <= 0:
            raise Unreachable(
                f"not asked: the {self._seconds:g} seconds for everything about one artifact are over",
                at=request.place,
            )
        own = request.total_timeout
        return self._transport.start(request._replace(total_timeout=left if own is None else min(own, left)))
