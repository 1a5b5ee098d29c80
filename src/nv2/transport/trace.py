"""What goes over the network, a line each, for `--debug`. No headers, no queries, no bodies: they hold secrets."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

from nv2.errors import Nv2Error
from nv2.plain_text import one_line
from nv2.transport.interface import Pending, Request, Response, Transport

MAX_WANTED = 300
"""Characters of what a registry says that it wants."""

Log = Callable[[str], None]


class _TracedPending:
    def __init__(self, pending: Pending, place: str, number: int, log: Log) -> None:
        self._pending = pending
        self._place = place
        self._number = number
        self._log = log

    def response(self) -> Response:
        """The answer, noted."""
        try:
            response = self._pending.response()
        except Nv2Error as e:
            self._log(f"response #{self._number}: {e}")
            raise
        where = response.request.place
        more = f"from {where}" if where != self._place else ""
        parts = (str(response.status), response.content_type, more, _wanted(response))
        self._log(f"response #{self._number}: {' '.join(part for part in parts if part)}")
        return response


def _wanted(response: Response) -> str:
    """The login that a 401 asks for."""
    header = response.headers.get("www-authenticate")
    if response.status != 401 or not header:
        return ""
    from nv2.transport.challenges import choose

    challenge = choose(header)
    if challenge is None:
        return "(wants no login that is known here)"
    goal = f" of {challenge.realm.partition('?')[0]}" if challenge.scheme == "bearer" else ""
    why = f", {challenge.error}" if challenge.error else ""
    return one_line(f"(wants {'a token' if goal else 'a password'}{goal}{why})", MAX_WANTED)


class Traced:
    """A `Transport` that notes every request and every answer. Several of one run share their `numbers`."""

    def __init__(self, transport: Transport, log: Log, numbers: Iterator[int] | None = None) -> None:
        self._transport = transport
        self._log = log
        self._numbers = numbers or itertools.count(1)

    def start(self, request: Request) -> Pending:
        """Begin `request`, noted."""
        number = next(self._numbers)
        self._log(f"request #{number}: {request.method} {request.place}")
        return _TracedPending(self._transport.start(request), request.place, number, self._log)
