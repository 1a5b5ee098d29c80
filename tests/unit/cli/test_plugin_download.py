"""`nv2 plugin install --url` from a server on loopback, with TLS and an authority of its own."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.cli.command_line import CommandLine, Ended
from tests.world.plugins import METADATA
from tests.world.sockets import Identity, Received, Server, http, make_identity, serving

PLUGIN = f"#!/bin/sh\ncat <<'END'\n{json.dumps(dict(METADATA))}\nEND\n".encode()
DIGEST = hashlib.sha256(PLUGIN).hexdigest()


@pytest.fixture
def identity(tmp_path: Path) -> Identity:
    return make_identity(tmp_path)


@pytest.fixture
def storage(identity: Identity) -> Iterator[Server]:
    """A server that has the plugin."""
    with serving(lambda _: http(body=PLUGIN), identity.server_context()) as server:
        yield server


def installed(line: CommandLine, url: str, *words: str, checksum: str = DIGEST) -> Ended:
    return line("plugin", "install", "--url", url, "--sha256sum", checksum, *words)


def sent_to(line: CommandLine, location: str, identity: Identity, name: str = "notation-acme") -> Ended:
    """What comes of a server that redirects to `location`."""
    with serving(lambda _: http(302, Location=location), identity.server_context()) as server:
        return installed(line, f"{server.url}/{name}", "--ca-file", str(identity.certificate))


def nothing_there(line: CommandLine) -> bool:
    return not (line.config / "plugins").exists() and not [*line.config.glob(".nv2*")]


def test_a_plugin_comes_over_tls_by_an_authority_of_ones_own(
    line: CommandLine, storage: Server, identity: Identity
) -> None:
    url = f"{storage.url}/notation-acme"
    ended = installed(line, url, "--ca-file", str(identity.certificate))
    assert ended.out.splitlines() == [
        f"Downloading plugin from {url}",
        "Download completed",
        "Successfully installed plugin acme, version 1.0.0",
    ]
    assert (line.config / "plugins" / "acme" / "notation-acme").read_bytes() == PLUGIN
    (request,) = storage.requests
    assert "authorization" not in request.headers


def test_a_redirect_to_another_host_with_tls_is_followed_and_the_checksum_decides(
    line: CommandLine, storage: Server, identity: Identity
) -> None:
    location = f"{storage.url}/notation-acme?signature=x"
    assert sent_to(line, location, identity, "latest").code == 0
    other = http(302, Location=location)
    with serving(lambda _: other, identity.server_context()) as server:
        words = (f"{server.url}/x", "--force", "--ca-file", str(identity.certificate))
        ended = installed(line, *words, checksum="00" * 32)
    assert (ended.code, "checksum does not match" in ended.err) == (3, True)


def test_a_server_of_an_unknown_authority_is_asked_for_nothing(line: CommandLine, storage: Server) -> None:
    ended = installed(line, f"{storage.url}/notation-acme")
    assert (ended.code, storage.requests) == (3, [])
    assert nothing_there(line)


def test_a_redirect_away_from_tls_is_refused(line: CommandLine, identity: Identity) -> None:
    asked: list[Received] = []

    def plain(request: Received) -> bytes:
        asked.append(request)
        return http(body=PLUGIN)

    with serving(plain) as server:
        ended = sent_to(line, f"{server.url}/notation-acme", identity)
    assert (ended.code, asked) == (3, []), ended.err
    assert nothing_there(line)


# fmt: off
METADATA_SERVICES = (
    "https://169.254.169.254/notation-acme",
    "https://[fe80::1]/notation-acme",
    "https://[::ffff:169.254.169.254]/notation-acme",
    "https://2852039166/notation-acme",
    "http://169.254.169.254/notation-acme",
    "file:///etc/notation-acme",
)
# fmt: on


@pytest.mark.parametrize("location", METADATA_SERVICES)
def test_a_redirect_to_a_link_local_address_is_refused_before_anybody_is_called(
    location: str, line: CommandLine, identity: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    import socket

    called = []
    connect = socket.socket.connect

    def noting(self: socket.socket, address: object) -> None:
        called.append(str(address))
        if "127.0.0.1" not in str(address):
            raise OSError(101, "Network is unreachable")
        connect(self, address)  # type: ignore[arg-type]

    monkeypatch.setattr(socket.socket, "connect", noting)
    ended = sent_to(line, location, identity)
    assert ended.code == 3, ended.err
    if location.startswith("https"):  # neither when it is named at once
        assert installed(line, location).code == 3
    assert not [address for address in called if "127.0.0.1" not in address]
    assert nothing_there(line)


def test_redirects_without_end_are_one_error(line: CommandLine, identity: Identity) -> None:
    with serving(lambda _: http(302, Location="/again/notation-acme"), identity.server_context()) as server:
        ended = installed(line, f"{server.url}/notation-acme", "--ca-file", str(identity.certificate))
        assert len(server.requests) < 30
    assert (ended.code, len(ended.error_lines)) == (3, 1)
