"""A file of `-k`, or a policy, that cannot be used: the connections are open by then, and it is still said once."""

from __future__ import annotations

import threading
import time

import pytest

from tests.unit.cli.command_line import CommandLine
from tests.unit.cli.conftest import IMAGE
from tests.world.sockets import Received, Server, http, serving

DIGEST = f"sha256:{'0' * 64}"
LONG = 20.0


def nothing(_: Received) -> bytes:
    return http(404, b"{}")


def references(server: Server) -> list[str]:
    return [f"localhost:{server.port}/{name}@{DIGEST}" for name in ("one", "two", "three")]


def workers() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name == "nv2-transport"}


@pytest.fixture
def others() -> set[threading.Thread]:
    """Workers that earlier tests have left: they stay for a while."""
    return workers()


def wait_for_the_end_of(server: Server, others: set[threading.Thread]) -> None:
    """Nobody is connected, and no worker stays."""
    end = time.monotonic() + LONG
    while (server.connections != server.ended or workers() - others) and time.monotonic() < end:
        time.sleep(0.01)
    assert server.connections == server.ended and not workers() - others


@pytest.mark.parametrize("output", [[], ["--output", "json"]], ids=["text", "json"])
@pytest.mark.parametrize("content", [b"no certificate", b""], ids=["junk", "empty"])
def test_an_unusable_key_file_is_one_usage_error_of_the_run(
    line: CommandLine, output: list[str], content: bytes
) -> None:
    (line.directory / "junk.crt").write_bytes(content)
    with serving(nothing) as server:
        ended = line("verify", *output, "-k", "junk.crt", *references(server))
    assert ended.code == 2 and ended.out == ""
    assert ended.err.count("junk.crt") == 1 and ended.err.count("Error: ") == 1


@pytest.mark.parametrize("count", [1, 3])
def test_one_reference_or_several_say_the_same_of_an_unusable_key(wabbit: CommandLine, count: int) -> None:
    ended = wabbit("verify", "-k", "wabbit.crt", *[IMAGE] * count)
    assert ended.code == 2 and ended.err.count("holds 2 certificates") == 1


@pytest.mark.parametrize("output", [[], ["--output", "json"]], ids=["text", "json"])
def test_a_private_key_that_cannot_be_read_is_one_error_of_the_run(
    line: CommandLine, output: list[str]
) -> None:
    broken = b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"
    (line.directory / "broken.key").write_bytes(broken)
    with serving(nothing) as server:
        ended = line("verify", *output, "-k", "broken.key", *references(server))
    assert ended.code == 3 and ended.err.count("Error: ") == 1
    if output:
        assert "broken.key" in str(ended.document["error"])
        assert "results" not in ended.document


@pytest.mark.parametrize("policy", [None, "{", '{"version": "9"}'], ids=["absent", "no-json", "version"])
@pytest.mark.parametrize("output", [[], ["--output", "json"]], ids=["text", "json"])
def test_a_policy_that_cannot_be_used_is_one_error_of_the_run(
    line: CommandLine, output: list[str], policy: str | None, others: set[threading.Thread]
) -> None:
    line.config.mkdir()
    if policy is not None:
        (line.config / "trustpolicy.json").write_text(policy)
    with serving(nothing) as server:
        ended = line("verify", *output, *references(server))
        wait_for_the_end_of(server, others)
        assert not server.requests
    assert ended.code == 3 and ended.err.count("Error: ") == 1
    if output:
        assert set(ended.document) == {"schema", "error"}


def test_where_the_level_skips_no_connection_stays_open(
    line: CommandLine, others: set[threading.Thread]
) -> None:
    line.config.mkdir()
    statement = '{"name":"a","registryScopes":["*"],"signatureVerification":{"level":"skip"}}'
    policy = '{"version":"1.0","trustPolicies":[' + statement + "]}"
    (line.config / "trustpolicy.json").write_text(policy)
    with serving(nothing) as server:
        assert line("verify", *references(server)).code == 3
        wait_for_the_end_of(server, others)


def test_a_usage_error_that_the_flags_show_opens_no_connection(line: CommandLine) -> None:
    with serving(nothing) as server:
        assert line("verify", "-k", "a.crt", "--scope", "a.example/b", *references(server)).code == 2
        assert not server.connections


def test_an_interruption_leaves_no_connection_open(
    line: CommandLine, monkeypatch: pytest.MonkeyPatch, others: set[threading.Thread]
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("nv2.notary.trust_here.load_policy", interrupted)
    with serving(nothing) as server:
        assert line("verify", *references(server)).code == 130
        wait_for_the_end_of(server, others)
