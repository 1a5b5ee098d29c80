"""A registry in memory behind a real socket on loopback, and whatever can go wrong between the two.

with Wire(Registry(referrers_api=False)) as wire:
    wire.strike("GET", "/manifests/", truncated)     # every such request from now on
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import NamedTuple

from nv2.content.interface import opener
from nv2.transport.interface import Request
from tests.world.registry import Registry
from tests.world.sockets import Received, Reset, Server, http

Ask = Callable[[], bytes]
"""Asks the registry; its answer as bytes."""

How = Callable[[Ask], bytes | None]
"""What comes back instead of the answer; None ends the connection."""


def dead(ask: Ask) -> None:
    """The registry ends the connection before it did anything."""


def lost(ask: Ask) -> None:
    """The registry did what it was asked to, and died before it answered."""
    ask()


def stalled(ask: Ask) -> None:
    """Nothing comes for longer than anybody waits."""
    threading.Event().wait(5)


def reset(ask: Ask) -> bytes:
    """The connection is cut after a part of the head."""
    raise Reset(ask()[:12])


def truncated(ask: Ask) -> bytes:
    """The end of the answer is missing."""
    return ask()[:-5]


def busy(ask: Ask) -> bytes:
    """The registry has had enough of us."""
    return http(429, b'{"errors":[{"code":"TOOMANYREQUESTS"}]}', Content_Type="application/json")


def broken(ask: Ask) -> bytes:
    """The registry has a defect."""
    return http(500, b"internal server error", Content_Type="text/plain")


def page(ask: Ask) -> bytes:
    """Somebody between us and the registry answers everything with a page."""
    return http(200, b"<html>Please log in</html>", Content_Type="text/html")


def gone(ask: Ask) -> bytes:
    """What was there a moment ago is not any more."""
    return http(404, b'{"errors":[{"code":"UNKNOWN"}]}', Content_Type="application/json")


class _Strike(NamedTuple):
    method: str
    part: str
    how: How


class Wire:
    """`registry` at `address`; each request has a connection of its own."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self.strikes: list[_Strike] = []
        self._server = Server(self._script, one_each=True)
        self.address = registry.host = f"localhost:{self._server.port}"

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.close()

    def strike(self, method: str, part: str, how: How) -> None:
        """Let every request with `method` and `part` in its address end like this."""
        self.strikes.append(_Strike(method, part, how))

    def _script(self, received: Received) -> bytes | None:
        def ask() -> bytes:
            url, body = f"http://{self.address}{received.target}", received.body
            return _rendered(
                self.registry, Request(received.method, url, received.headers, opener(body), len(body))
            )

        for strike in self.strikes:
            if strike.method == received.method and strike.part in received.target:
                return strike.how(ask)
        return ask()


def _rendered(registry: Registry, request: Request) -> bytes:
    response = registry(request)
    lines = [f"HTTP/1.1 {response.status} Whatever"]
    lines += [f"{name}: {value}" for name, value in response.headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + response.stream.read()
