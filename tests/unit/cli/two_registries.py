"""Two registries for a command line."""

from __future__ import annotations

from nv2.content.remote.store import RemoteStore
from nv2.transport.interface import Request, Response
from tests.world.artifacts import thread_lock
from tests.world.network import FunctionTransport
from tests.world.registry import Registry


class Two:
    """Two registries without the referrers API, as a function."""

    def __init__(self) -> None:
        self.here = Registry("here.test", referrers_api=False)
        self.there = Registry("there.test", referrers_api=False)

    def __call__(self, request: Request) -> Response:
        return (self.here if "//here.test/" in request.url else self.there)(request)

    def store(self, registry: Registry, repository: str) -> RemoteStore:
        transport = FunctionTransport(registry)
        return RemoteStore(registry.host, repository, transport, plain_http=True, lock=thread_lock())

    def names(self, repository: str) -> set[str]:
        """The tags there that somebody gave."""
        return {tag for tag in self.there.repository(repository).tags if not tag.startswith("sha256-")}
