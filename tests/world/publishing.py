"""A network on which authorities publish: by address, the bytes to serve, or what goes wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from nv2.errors import Nv2Error, Unreachable
from nv2.transport.interface import Request, Response
from tests.world.ca import CA, Pair
from tests.world.network import FunctionTransport, answer
from tests.world.ocsp import About, response

Service = bytes | int | Nv2Error | Callable[[Request], Response]
"""A body, a status, a failure, or whatever answers."""


class Publishing(FunctionTransport):
    """Serves what is published; whoever asks for anything else finds nobody. A responder answers for all paths below its own."""

    def __init__(self, services: Mapping[str, Service]) -> None:
        super().__init__(self._serve)
        self.services = dict(services)

    @property
    def asked(self) -> list[str]:
        """The services that were asked, in order."""
        return [self._service(request.url) for request in self.requests]

    def _serve(self, request: Request) -> Response:
        service = self.services.get(self._service(request.url))
        match service:
            case None:
                raise Unreachable("the connection was refused", at=request.place)
            case bytes():
                return answer(request, 200, service)
            case int():
                return answer(request, service)
            case Nv2Error():
                raise service
        return service(request)

    def _service(self, url: str) -> str:
        return next((known for known in self.services if url == known or url.startswith(f"{known}/")), url)


def ocsp_answer(
    ca: CA,
    certificate: bytes,
    now: datetime,
    said: str = "good",
    *,
    life: timedelta = timedelta(days=1),
    by: Pair | None = None,
    hash_name: str = "sha1",
) -> bytes:
    """What a responder says about `certificate`, which `ca` has issued: good, revoked or unknown.

    `by` is a delegated responder; a `life` that is negative makes an answer that has expired.
    """
    start = now - timedelta(hours=1) + min(life, timedelta())
    end = now + life if life > timedelta() else start + timedelta(minutes=30)
    reason = 1 if said == "revoked" else None
    told = About(
        certificate,
        said,
        reason,
        now - timedelta(days=1),
        this_update=start,
        next_update=end,
        hash_name=hash_name,
    )
    return response(ca, told, signed_by=by, produced_at=start)
