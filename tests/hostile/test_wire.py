"""What only sockets show of a registry that lies: redirects, lengths, packed answers."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from nv2.oci import media_types as mt
from tests.hostile.machine import (
    MIB,
    SCOPE,
    UNDECIDED,
    check_ended,
)
from tests.unit.cli.command_line import CommandLine
from tests.world.images import image
from tests.world.logins import PASSWORD
from tests.world.sockets import Received, Server, http, make_identity

OTHER = image("other")


class Wired(NamedTuple):
    """A command line, a registry on a socket that says what `script` says, and somebody else on another one."""

    line: CommandLine
    registry: Server
    other: Server
    certificate: Path


Script = Callable[[Received, "Wired"], bytes]


@pytest.fixture
def wired(line: CommandLine, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Wired]:
    script, tls = request.param
    identity = make_identity(tmp_path, "127.0.0.1")
    context = identity.server_context() if tls else None
    other = Server(lambda _: http(200, b"{}"))
    registry = Server(lambda received: script(received, found), context)
    found = Wired(line, registry, other, identity.certificate)
    yield found
    registry.close()
    other.close()


def elsewhere(received: Received, wired: Wired) -> bytes:
    if "authorization" not in received.headers:
        return http(401, WWW_Authenticate='Basic realm="x"')
    return http(307, Location=f"{wired.other.url}{received.target}")


def without_tls(_: Received, wired: Wired) -> bytes:
    return http(307, Location=f"{wired.other.url}/")


def to_the_cloud(_: Received, __: Wired) -> bytes:
    return http(307, Location="http://169.254.169.254/latest/meta-data/")


def for_ever(received: Received, _: Wired) -> bytes:
    return http(307, Location=f"{received.target}x")


BOMB = gzip.compress(bytes(64 * MIB), 1)


def bomb(_: Received, __: Wired) -> bytes:
    return http(200, BOMB, Content_Encoding="gzip", Content_Type=mt.IMAGE_MANIFEST)


def headers_for_ever(_: Received, __: Wired) -> bytes:
    return b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 100_000 + b"\r\n"


def smuggled(_: Received, __: Wired) -> bytes:
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n2\r\n{}\r\n0\r\n\r\n"


# fmt: off
WIRE: dict[str, tuple[Script, bool, str]] = {
    "a redirect to another host, which asks for nothing": (elsewhere, False, "the content has digest"),
    "a redirect from TLS to none":                       (without_tls, True, "sends from https to http"),
    "a redirect to where clouds keep their secrets":     (to_the_cloud, False, "link-local address 169.254.169.254"),
    "a redirect without end":                            (for_ever, False, "more than 5 redirects"),
    "an answer that would be 64 MiB if it were unpacked": (bomb, False, "compressed"),
    "headers without end":                               (headers_for_ever, False, "127.0.0.1"),
    "two lengths of one answer":                         (smuggled, False, "127.0.0.1"),
}
# fmt: on


@pytest.mark.parametrize(
    ("wired", "says"),
    [pytest.param((script, tls), says, id=name) for name, (script, tls, says) in WIRE.items()],
    indirect=["wired"],
)
def test_a_wire_that_lies_gets_no_yes_and_no_secret(wired: Wired, says: str) -> None:
    image = f"127.0.0.1:{wired.registry.port}/app@{OTHER.descriptor.digest}"
    way = (
        ("--ca-file", str(wired.certificate))
        if says == "sends from https to http"
        else ("--insecure-registry",)
    )
    (wired.line.directory / "leaf.crt").write_bytes(wired.certificate.read_bytes())
    ended = wired.line("verify", "-k", "leaf.crt", "-u", "alice", "-p", PASSWORD, *way, image)
    check_ended(ended, UNDECIDED, says)
    assert all("authorization" not in request.headers for request in wired.other.requests)
    assert len(wired.registry.requests) + len(wired.other.requests) <= 30
    assert PASSWORD not in ended.err
    assert SCOPE not in ended.err
