"""What the pages on Python show works as it stands there, against a real registry on this machine."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import nv2
from nv2.server.registry import serve
from tests.unit.cli.command_line import CommandLine
from tests.world.ca import CA, pem, self_signed
from tests.world.images import push_image

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "library.md").read_text(encoding="utf-8")
TASK = (DOCS / "tasks" / "verify-from-python.md").read_text(encoding="utf-8")
BLOCKS, STEPS = (
    re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL) for page in (PAGE, TASK)
)
SIGNATURES = dict(re.findall(r"^\| `nv2\.(\w+)\((.*?)\)`", PAGE, re.MULTILINE))
WRITTEN = "registry.example.com/net-monitor:v1"


class World:
    """A directory with a key, a registry with an image, and the page's code."""

    def __init__(self, directory: Path, address: str, digest: str) -> None:
        self.directory = directory
        self.image = f"{address}/net-monitor:v1"
        self.pinned = f"{address}/net-monitor@{digest}"

    def run(self, *blocks: str) -> dict[str, Any]:
        """The names that the code of the page leaves."""
        names: dict[str, Any] = {}
        for block in blocks:
            exec(compile(block.replace(WRITTEN, self.image), "the page", "exec"), names)  # noqa: S102
        return names


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    CommandLine(tmp_path, monkeypatch)  # a home of its own
    pair = self_signed("CN=build,O=wabbit-networks.io,ST=WA,C=US", "EC-256")
    (tmp_path / "wabbit-networks.key").write_bytes(pair.pem_key() + pair.pem_chain())
    (tmp_path / "wabbit-networks.key").chmod(0o600)
    (tmp_path / "wabbit-networks.crt").write_bytes(pem([pair.leaf]))
    with serve(tmp_path / "registry", "127.0.0.1", 0) as running:
        yield World(tmp_path, running.address, push_image(running.address, "net-monitor"))


def test_the_first_block_signs_and_verifies(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert WRITTEN in BLOCKS[0]
    names = world.run(BLOCKS[0])
    signed, trusted = names["signed"], names["trusted"]
    assert signed.artifact.shown == world.pinned
    assert trusted.verdict.verdict.value == "trusted"
    assert dict(trusted.verdict.trusted_by.facts.user_metadata) == {"build": "1234"}
    assert capsys.readouterr().out.splitlines() == [
        f"signature: {signed.manifest.digest}",
        "trusted: CN=build,O=wabbit-networks.io,ST=WA,C=US",
    ]


def test_the_second_block_goes_on_with_a_session(world: World) -> None:
    assert world.run(*BLOCKS[:2])["references"] == [world.pinned]


def test_the_task_page_verifies_signs_copies_and_keeps_what_it_found(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    signed = nv2.sign(world.image, key="wabbit-networks.key")
    names = world.run(*STEPS)
    assert names["deploy"] == [world.pinned] * 2
    assert json.loads(names["record"])["signatures"][0]["digest"] == signed.manifest.digest
    store = names["store"]
    assert store.referrers(store.resolve("v1")).descriptors
    assert nv2.list_signatures("layout:net-monitor:v1").signatures
    said = capsys.readouterr().out.splitlines()
    assert said[0] == f"deploy {world.pinned}" and "2 signatures" in said


@pytest.mark.parametrize(
    ("tag", "said"),
    [
        ("v1", "refused: signature verification failed: no signature"),
        ("absent", "registry: .*no such tag absent"),
    ],
)
def test_the_task_page_refuses_what_it_should(world: World, tag: str, said: str) -> None:
    world.image = world.image.replace(":v1", f":{tag}")
    with pytest.raises(SystemExit, match=said):
        world.run(STEPS[0])


def test_the_first_block_says_who_is_not_trusted(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    stranger = CA("Mallory").issue("CN=mallory,O=o,ST=WA,C=US", "EC-256")
    (world.directory / "wabbit-networks.crt").write_bytes(pem([stranger.leaf]))
    assert "trusted" not in world.run(BLOCKS[0])
    assert capsys.readouterr().out.splitlines()[1].startswith("not trusted: signature verification failed")


@pytest.mark.parametrize("name", SIGNATURES)
def test_the_table_has_every_argument(name: str) -> None:
    taken = inspect.signature(getattr(nv2, name)).parameters
    written = [word.lstrip("*") for word in SIGNATURES[name].split(", ") if word != "*"]
    if written != ["…"]:
        assert written == (list(taken) if name != "parse_reference" else ["text"])


def test_the_table_has_every_public_name() -> None:
    for name in nv2.__all__:
        if name != "__version__":
            assert f"nv2.{name}" in PAGE
