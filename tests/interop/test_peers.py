"""The registries and programs that the interop tests stand on come up, and are what we think they are."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.interop import peers
from tests.peers import built_peers, numbers
from tests.peers.go import REQUIREMENTS


@pytest.mark.parametrize("registry", ["distribution31", "distribution28", "olareg"])
def test_a_registry_answers_on_loopback(registry: str, request: pytest.FixtureRequest) -> None:
    address = request.getfixturevalue(registry)
    with urllib.request.urlopen(f"http://{address}/v2/") as answer:
        assert answer.status == 200


def test_notation_is_the_pinned_one_and_starts_without_keys(notation: Path, tmp_path: Path) -> None:
    assert "1.3.2" in peers.run(notation, "version", home=tmp_path).stdout
    assert peers.run(notation, "key", "list", home=tmp_path).stdout.count("\n") == 1


def test_oras_pushes_to_each_registry_that_tests_use(
    oras: Path, distribution31: str, distribution28: str, olareg: str, tmp_path: Path
) -> None:
    (tmp_path / "content.txt").write_text("hello")
    for address in (distribution31, distribution28, olareg):
        target = f"{address}/peers/pushed:v1"
        peers.run(oras, "push", "--plain-http", target, "content.txt", home=tmp_path)
        shown = peers.run(oras, "manifest", "fetch", "--plain-http", target, home=tmp_path).stdout
        assert json.loads(shown)["layers"][0]["size"] == 5


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("crane", ["version"]),
        ("regctl", ["version", "--format", "{{.VCSTag}}"]),
        ("ctr", ["--version"]),
        ("containerd", ["--version"]),
        ("skopeo", ["--version"]),
    ],
)
def test_a_client_of_registries_starts(
    name: str, words: list[str], program: Callable[[str], Path], tmp_path: Path
) -> None:
    assert peers.run(program(name), *words, home=tmp_path).returncode == 0


def test_no_peer_needs_a_newer_go_than_the_wheel_brings() -> None:
    wheel = REQUIREMENTS.read_text().split("==", 1)[1].split()[0]
    assert max(peer.go for peer in built_peers()) <= numbers(wheel)
