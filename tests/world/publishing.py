"""A network on which authorities publish: by address, the bytes to serve, or what goes wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from nv2.errors import Nv2Error, Unreachable
from nv2.transport.interface import Request, Response
from tests.world.network import FunctionTransport, answer

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
