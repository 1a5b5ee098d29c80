"""A user name and a password on the command line, or in the environment, are for one registry."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.unit.cli.command_line import CommandLine
from tests.world.sockets import Server, http, serving


@pytest.fixture
def doors() -> Iterator[tuple[Server, Server]]:
    """Two registries that want credentials."""

    def refuse(_: object) -> bytes:
        return http(401, WWW_Authenticate='Basic realm="here"')

    with serving(refuse) as one, serving(refuse) as other:
        yield one, other


def test_no_registry_is_asked_anything_where_one_password_would_have_to_do_for_two(
    wabbit: CommandLine, doors: tuple[Server, Server]
) -> None:
    names = [f"localhost:{door.port}/image:v1" for door in doors]
    ended = wabbit("verify", "-k", "wabbit.pub", "-u", "wabbit", "-p", "s3cret", *names)
    assert ended.code == 3
    assert "one user name and password, and two registries" in ended.err
    assert [door.requests for door in doors] == [[], []]


def test_a_source_does_not_get_the_password_of_the_destination(
    line: CommandLine, doors: tuple[Server, Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTATION_USERNAME", "wabbit")
    monkeypatch.setenv("NOTATION_PASSWORD", "s3cret")
    ended = line("copy", *(f"localhost:{door.port}/image:v1" for door in doors))
    assert ended.code == 3
    assert "one user name and password, and two registries" in ended.err
    assert [door.requests for door in doors] == [[], []]


def test_one_registry_gets_the_password_for_all_its_repositories(
    line: CommandLine, doors: tuple[Server, Server]
) -> None:
    door = doors[0]
    ended = line(
        "copy", "-u", "wabbit", "-p", "s3cret", *(f"localhost:{door.port}/{name}:v1" for name in "ab")
    )
    assert "was refused (401)" in ended.err
    assert [("authorization" in request.headers) for request in door.requests] == [False, True]
