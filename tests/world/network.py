"""A network made of functions: `Request -> Response`, so that any failure is one line."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from nv2.errors import Nv2Error, Unreachable
from nv2.transport.interface import Pending, Request, Response

Answer = Callable[[Request], Response]


class Settled(NamedTuple):
    """A request that has its answer, or its error, already."""

    outcome: Response | Nv2Error

    def response(self) -> Response:
        if isinstance(self.outcome, Nv2Error):
            raise self.outcome
        return self.outcome


class FunctionTransport:
    """A `Transport` over one function, or over one for each `host[:port]`; keeps the requests it was given."""

    def __init__(self, answer: Answer | Mapping[str, Answer]) -> None:
        self._answer = answer
        self.requests: list[Request] = []

    def start(self, request: Request) -> Pending:
        self.requests.append(request)
        try:
            return Settled(self._find(request)(request))
        except Nv2Error as error:
            return Settled(error)

    def _find(self, request: Request) -> Answer:
        if callable(self._answer):
            return self._answer
        host = urlsplit(request.url).netloc
        if host not in self._answer:
            raise Unreachable("cannot find the host", at=host)
        return self._answer[host]


def answer(
    request: Request, status: int, body: bytes = b"", headers: Mapping[str, str] | None = None
) -> Response:
    """The response to `request`; header names become lower case, the length is added."""
    found = {"content-length": str(len(body))}
    found.update({name.lower(): value for name, value in (headers or {}).items()})
    return Response(status, found, io.BytesIO(b"" if request.method == "HEAD" else body), request)


def answer_json(
    request: Request, status: int, document: Any, headers: Mapping[str, str] | None = None
) -> Response:
    """A response with a JSON document."""
    return answer(
        request,
        status,
        json.dumps(document).encode(),
        {"Content-Type": "application/json", **(headers or {})},
    )


def error(request: Request, status: int, code: str, message: str = "") -> Response:
    """A response with an error document (distribution-spec, "Error Codes")."""
    return answer_json(request, status, {"errors": [{"code": code, "message": message or code.lower()}]})
