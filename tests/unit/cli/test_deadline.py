"""What a registry is asked about one artifact ends in time."""

from __future__ import annotations

import pytest

from tests.unit.cli.command_line import CommandLine
from tests.world.sockets import http, serving


@pytest.mark.parametrize("words", [("verify", "-k", "wabbit.pub"), ("inspect",), ("list",)])
def test_a_registry_is_asked_no_longer_than_the_time_for_one_artifact(
    wabbit: CommandLine, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    monkeypatch.setattr("nv2.transport.deadline.MAX_READING", 0.0)
    with serving(lambda _: http(404)) as server:
        ended = wabbit(*words, f"localhost:{server.port}/image:v1")
    assert ended.code == 3
    assert "seconds for everything about one artifact are over" in ended.err
    assert server.requests == []
