"""A transport that counts: requests, and how many of them had to wait for one another."""

from __future__ import annotations

from nv2.transport.interface import Pending, Request, Response, Transport


class Rounds:
    """A `Transport` over another one. A request is of the round after the last answer that was waited for."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self.requests: list[str] = []
        """`1 GET /v2/…`: the round, the method and the path of each."""
        self.waited = 0
        """Round trips in a row, so far."""

    def start(self, request: Request) -> Pending:
        number = self.waited + 1
        self.requests.append(f"{number} {request.method} /{request.url.split('/', 3)[-1]}")
        return _Counted(self, number, self._transport.start(request))


class _Counted:
    def __init__(self, rounds: Rounds, number: int, pending: Pending) -> None:
        self._rounds = rounds
        self._number = number
        self._pending = pending

    def response(self) -> Response:
        self._rounds.waited = max(self._rounds.waited, self._number)
        return self._pending.response()
