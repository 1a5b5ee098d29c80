"""A disk that takes no more: one error, nothing half-written, and what was there is as it was.

The limit of file size stands for the disk: it fails a write in the middle, at any byte, without any rights.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.unit.cli.command_line import CommandLine
from tests.unit.cli.conftest import IMAGE
from tests.unit.cli.test_interruption import COMMANDS, Interrupted, environment, nothing_unfinished
from tests.world.images import image
from tests.world.registry import Registry
from tests.world.wire import Wire

pytestmark = pytest.mark.skipif(os.name != "posix", reason="limits are of POSIX")

PROGRAM = """
import resource, signal, sys
sys.dont_write_bytecode = True  # cut short by the limit, it would stay and break whoever loads it next
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
limit = int(sys.argv.pop(1))
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
from nv2.cli.__main__ import run
run()
"""


class Ended(NamedTuple):
    """How a process ended."""

    code: int
    errors: list[str]


def _run(here: Path, words: tuple[str, ...], *, limit: int = -1, stdout: str = os.devnull) -> Ended:
    with open(stdout, "wb") as output:
        finished = subprocess.run(
            [sys.executable, "-c", PROGRAM, str(limit), *words],
            cwd=here,
            env=environment(here),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
        )
    assert "Traceback" not in finished.stderr
    return Ended(
        finished.returncode, [line for line in finished.stderr.splitlines() if line.startswith("Error: ")]
    )


def _tree(here: Path) -> dict[str, bytes]:
    return {str(path.relative_to(here)): path.read_bytes() for path in here.rglob("*") if path.is_file()}


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
@pytest.mark.parametrize("limit", [0, 150])
def test_what_cannot_be_written_is_one_error(wabbit: CommandLine, command: Interrupted, limit: int) -> None:
    here = wabbit.directory
    command.prepare(here)
    before = _tree(here)
    ended = _run(here, command.words, limit=limit)
    assert ended.code == 3
    assert 1 <= len(ended.errors) <= 2  # one for each reference
    nothing_unfinished(here)
    command.whole(here)
    assert {name: data for name, data in _tree(here).items() if name in before} == before
    assert _run(here, command.words).code == 0


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full here")
@pytest.mark.parametrize(
    "words",
    [
        ("--help",),
        ("version",),
        ("list", IMAGE),
        ("verify", "-o", "json", "-k", "leaf.crt", IMAGE),
        ("sign", "-k", "wabbit.key", IMAGE),
        ("key", "list"),
        ("completion", "bash"),
    ],
    ids=lambda words: words[0],
)
def test_output_that_nobody_can_keep_is_an_error(wabbit: CommandLine, words: tuple[str, ...]) -> None:
    wabbit("sign", "-k", "wabbit.key", IMAGE)
    ended = _run(wabbit.directory, words, stdout="/dev/full")
    assert ended.code == 3
    assert ended.errors == ["Error: cannot write the output: No space left on device"]


def test_a_signature_that_cannot_be_recorded_here_is_attached_all_the_same(wabbit: CommandLine) -> None:
    made = image("app")
    with Wire(Registry(referrers_api=False)) as wire:
        repository = wire.registry.repository("app")
        for _, data in made.blobs:
            repository.add_blob(data)
        name = f"{wire.address}/app@{repository.add(made.manifest, made.descriptor.media_type)}"
        before = _tree(wabbit.directory)
        ended = _run(wabbit.directory, ("sign", "-k", "wabbit.key", name), limit=0)
        assert (ended.code, ended.errors) == (0, [])
        nothing_unfinished(wabbit.directory)
        assert _tree(wabbit.directory) == before
        assert _run(wabbit.directory, ("verify", "-k", "leaf.crt", name)).code == 0
