"""`nv2 registry history`, `check` and `collect`, on a directory that is served meanwhile and on one that is not."""

from __future__ import annotations

import http.client
import json
import os
from collections.abc import Iterator

import pytest

from nv2.oci import media_types as mt
from nv2.oci.digest import digest_of
from nv2.server.registry import RunningRegistry, serve
from tests.unit.cli.command_line import CommandLine
from tests.unit.cli.conftest import IMAGE
from tests.world.network import error


@pytest.fixture
def served(line: CommandLine) -> Iterator[RunningRegistry]:
    with serve(line.directory / "registry") as running:
        yield running


def send(registry: RunningRegistry, method: str, path: str, data: bytes = b"") -> int:
    connection = http.client.HTTPConnection("localhost", registry.port, timeout=30)
    connection.request(method, f"/v2/{path}", data, {"Content-Type": mt.IMAGE_INDEX})
    status = connection.getresponse().status
    connection.close()
    return status


def push(registry: RunningRegistry, number: int, tag: str = "v1") -> str:
    data = json.dumps({"schemaVersion": 2, "manifests": [], "annotations": {"n": str(number)}}).encode()
    assert send(registry, "PUT", f"app/manifests/{tag}", data) == 201
    return digest_of(data)


def test_the_history_of_a_tag_is_asked_of_the_registry(line: CommandLine, served: RunningRegistry) -> None:
    first, second = push(served, 1), push(served, 2)
    push(served, 3, "v2")
    ended = line("registry", "history", f"{served.address}/app:v1", "-o", "json")
    assert ended.code == 0, ended.err
    assert [(at["event"], at["digest"], at.get("previous")) for at in ended.document["history"]] == [
        ("set", second, first),
        ("set", first, None),
    ]
    assert ended.document["history"][0]["peer"] in ("127.0.0.1", "::1")
    shown = line("registry", "history", f"{served.address}/app")
    assert [row.split()[1] for row in shown.out.splitlines()] == ["TAG", "v2", "v1", "v1"]


def test_a_long_history_is_shown_in_pages(line: CommandLine, served: RunningRegistry) -> None:
    pushed = [push(served, number) for number in range(5)]
    seen, more = [], ()
    while True:
        page = line(
            "registry", "history", f"{served.address}/app:v1", "-n", "2", "-o", "json", *more
        ).document
        seen += [at["digest"] for at in page["history"]]
        if "before" not in page:
            break
        more = ("--before", str(page["before"]))
    assert seen == pushed[::-1]
    assert "--before" in line("registry", "history", f"{served.address}/app:v1", "-n", "2").err


def test_the_history_is_read_from_the_directory_too(line: CommandLine, served: RunningRegistry) -> None:
    digest = push(served, 1)
    for text in ("app:v1", "app"):
        ended = line("registry", "history", "--dir", "registry", text, "-o", "json")
        assert [at["digest"] for at in ended.document["history"]] == [digest]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("{address}/nobody:v1",), 3, "no such repository"),
        (("{address}/app@sha256:" + 64 * "0",), 2, "no history"),
        (("--dir", "registry", "{address}/app:v1"), 2, "without a registry"),
        (("--dir", "registry", "nobody"), 3, "no such repository"),
        (("--dir", "absent", "app"), 2, "no registry"),
        (("{address}/app:v1", "-n", "0"), 2, "between 1 and"),
    ],
)
def test_what_has_no_history(
    line: CommandLine, served: RunningRegistry, words: tuple[str, ...], code: int, said: str
) -> None:
    push(served, 1)
    ended = line("registry", "history", *(word.format(address=served.address) for word in words))
    assert ended.code == code
    assert said in ended.err


def test_a_registry_without_a_journal_says_so(line: CommandLine) -> None:
    line.reach(lambda request: error(request, 404, "UNSUPPORTED"))
    ended = line("registry", "history", "registry.example/app:v1")
    assert ended.code == 3
    assert "keeps no history" in ended.err


def test_a_sound_directory_is_called_so_and_a_damaged_one_is_exit_code_1(
    line: CommandLine, served: RunningRegistry
) -> None:
    digest = push(served, 1)
    assert line("registry", "check").code == 0
    document = line("registry", "check", "--quick", "-o", "json").document
    assert (document["sound"], document["quick"], document["counts"]["tags"]) == (True, True, 1)
    hexdigits = digest.removeprefix("sha256:")
    (line.directory / "registry" / "blobs" / "sha256" / hexdigits[:2] / hexdigits).write_bytes(b"torn")
    ended = line("registry", "check", "-o", "json")
    assert (ended.code, ended.document["damages"][0]["name"]) == (1, digest)
    assert f"damaged: size {digest}" in line("registry", "check").out


def test_what_is_damaged_is_sent_again_by_a_copy_that_rechecks(
    wabbit: CommandLine, served: RunningRegistry
) -> None:
    there = f"{served.address}/app:v1"
    assert wabbit("copy", IMAGE, there).code == 0
    for file in (wabbit.directory / "registry" / "blobs").glob("*/*/*"):
        whole = file.read_bytes()
        file.write_bytes(b"torn, and longer than it was: " + whole)
        assert "damaged in 1 place:" in wabbit("registry", "check").out
        assert wabbit("copy", "--recheck", IMAGE, there).code == 0
        assert wabbit("registry", "check").code == 0


def test_garbage_is_named_before_it_goes(line: CommandLine, served: RunningRegistry) -> None:
    lost = digest_of(b"lost")
    assert send(served, "POST", f"app/blobs/uploads/?digest={lost}", b"lost") == 201
    for file in (line.directory / "registry" / "blobs").glob("*/*/*"):
        os.utime(file, (0, 0))
    dry = line("registry", "collect", "--dry-run")
    assert (dry.code, f"would remove blob {lost} of app" in dry.out) == (0, True)
    ended = line("registry", "collect", "-o", "json")
    assert [(one["kind"], one["name"]) for one in ended.document["removed"]] == [
        ("blob", lost),
        ("file", lost),
    ]
    assert ended.document["freed"] == 4
    assert line("registry", "collect").out == ""


def test_manifests_go_only_where_that_is_chosen(line: CommandLine, served: RunningRegistry) -> None:
    digest = push(served, 1)
    push(served, 2)
    assert line("registry", "collect", "--grace", "0s").out == ""
    ended = line("registry", "collect", "--grace", "0s", "--untagged", "0s")
    assert f"removed manifest {digest} of app" in ended.out
    assert "may have to be repeated" in ended.err


@pytest.mark.parametrize("command", ["check", "collect"])
def test_a_directory_without_a_registry_is_a_mistake(line: CommandLine, command: str) -> None:
    ended = line("registry", command, "--dir", "absent")
    assert (ended.code, "no registry" in ended.err) == (2, True)
    assert not (line.directory / "absent").exists()
