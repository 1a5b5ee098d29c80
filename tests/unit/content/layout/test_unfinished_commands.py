"""A command that was interrupted on its way into an archive, or whose disk is full, and the one that comes after it."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from nv2.errors import Unreachable
from tests.unit.cli.command_line import ENVIRONMENT
from tests.unit.cli.test_interruption import SOURCE
from tests.unit.content.layout.test_unfinished_archive import members, writing
from tests.world.images import image
from tests.world.large_blobs import MIB, Source
from tests.world.registry import Registry
from tests.world.wire import Ask, Wire


class Held:
    """A registry with an image of two layers, the larger of which stops before its last bytes."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.go_on = threading.Event()
        self.made = image("x" * 4 * MIB)
        self.large = self.made.blobs[1][0]
        repository = wire.registry.repository("app")
        for _, data in self.made.blobs:
            repository.add_blob(data)
        repository.add(self.made.manifest, self.made.descriptor.media_type, "v1")
        wire.strike("GET", str(self.large.digest), self._most)  # type: ignore[arg-type]

    def _most(self, ask: Ask) -> Iterator[bytes]:
        yield ask()[:-MIB]
        self.go_on.wait(60)

    def ranges(self) -> list[str | None]:
        return [request.headers.get("range") for request in self.wire.registry.asked("GET", "/blobs/")]


@pytest.fixture
def held() -> Iterator[Held]:
    with Wire(Registry()) as wire:
        found = Held(wire)
        yield found
        found.go_on.set()


LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv.pop(1)),) * 2)
from nv2.cli.__main__ import run
run()
"""


def test_what_came_before_does_not_keep_a_disk_full_that_refuses_the_rest(held: Held, tmp_path: Path) -> None:
    held.go_on.set()
    line = ["copy", f"{held.wire.address}/app:v1", "layout:there.tar:v1"]

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *words, *line],
            cwd=tmp_path,
            env=environment(tmp_path),
            capture_output=True,
            text=True,
        )

    archive, left = tmp_path / "there.tar", tmp_path / ".nv2-there.tar.part"
    interrupted = writing(archive)
    with pytest.raises(Unreachable):
        interrupted.push(held.large, lambda: Source(held.made.blobs[1][1], breaks_at=3 * MIB))
    interrupted.close()
    assert left.stat().st_size > 3 * MIB
    held.wire.strikes.clear()
    refused = run("-c", LIMITED, str(left.stat().st_size + 1000))
    assert refused.returncode == 3 and "Error: destination" in refused.stderr, refused.stderr
    assert list(tmp_path.glob("*.tar*")) + list(tmp_path.glob(".nv2-*")) == []
    ended = run("-m", "nv2.cli")
    assert ended.returncode == 0, ended.stderr
    assert held.made.blobs[1][1] in members(archive).values()


def environment(directory: Path) -> dict[str, str]:
    return {"PYTHONPATH": SOURCE, **{name: str(directory / v) for name, v in ENVIRONMENT.items()}}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("command", ["copy", "bundle"])
def test_a_command_that_is_ended_is_finished_by_the_next_one(
    held: Held, tmp_path: Path, command: str, number: signal.Signals
) -> None:
    reference = f"{held.wire.address}/app:v1"
    words = {
        "copy": ("copy", reference, "layout:there.tar:v1"),
        "bundle": ("bundle", "create", reference, "--file", "there.tar"),
    }[command]
    line = [sys.executable, "-m", "nv2.cli", *words]
    left = tmp_path / ".nv2-there.tar.part"
    with subprocess.Popen(
        line, cwd=tmp_path, env=environment(tmp_path), stderr=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        while not (left.exists() and left.read_bytes().count(b"x") > 2 * MIB):
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(number)
    assert not (tmp_path / "there.tar").exists()
    held.go_on.set()
    held.wire.strikes.clear()
    asked = len(held.ranges())
    ended = subprocess.run(line, cwd=tmp_path, env=environment(tmp_path), capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    (begun,) = [int(text[6:-1]) for text in held.ranges()[asked:] if text]
    assert 2 * MIB < begun <= 3 * MIB
    assert held.made.blobs[1][1] in members(tmp_path / "there.tar").values()
    assert list(tmp_path.glob(".nv2-*")) == []
    if command == "bundle":
        words = ("bundle", "inspect", "there.tar")
        line = [sys.executable, "-m", "nv2.cli", *words]
        checked = subprocess.run(line, cwd=tmp_path, env=environment(tmp_path), capture_output=True)
        assert checked.returncode == 0, checked.stderr
