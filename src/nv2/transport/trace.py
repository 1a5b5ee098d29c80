"""What goes over the network, a line each, for `--debug`. No headers, no queries, no bodies: they hold secrets."""

from __future__ import annotations

import itertools
from collections.abc import Callable

from nv2.errors import Nv2Error
from nv2.transport.interface import Pending, Request, Response, Transport

Log = Callable[[str], None]


class _TracedPending:
    def __init__(self, pending: Pending, number: int, log: Log) -> None:
        self._pending = pending
        self._number = number
        self._log = log

    def response(self) -> Response:
        """The answer, noted."""
        try:
            response = self._pending.response()
        except Nv2Error as e:
            self._log(f"response #{self._number}: {e}")
            raise
        self._log(f"response #{self._number}: {response.status} {response.content_type}".rstrip())
        return response


class Traced:
    """A `Transport` that notes every request and every answer."""

    def __init__(self, transport: Transport, log: Log) -> None:
        self._transport = transport
        self._log = log
        self._numbers = itertools.count(1)

    def start(self, request: Request) -> Pending:
        """Begin `request`, noted."""
        number = next(self._numbers)
        self._log(f"request #{number}: {request.method} {request.url.partition('?')[0]}")
        return _TracedPending(self._transport.start(request), number, self._log)
