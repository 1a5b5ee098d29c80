"""A link named `notation` to the installed program: it goes by that name in all that it says, signs and exits with."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

from nv2._version import __version__
from nv2.cli.command import Command
from nv2.cli.completion_scripts import SCRIPTS
from nv2.cli.dispatch import COMMANDS, load
from nv2.cli.output import as_program
from tests.unit.cli.command_line import CommandLine
from tests.unit.cli.conftest import IMAGE


def _installed() -> str:
    found = shutil.which("nv2", path=sysconfig.get_path("scripts"))
    assert found, "nv2 is not installed beside the interpreter that runs the tests"
    return found


class Link:
    """Runs the link."""

    def __init__(self, home: Path) -> None:
        self.path = home / "bin" / "notation"
        self.path.parent.mkdir()
        self.path.symlink_to(_installed())
        self.home = home

    def __call__(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.path, *words],
            env={"PATH": os.defpath, "HOME": str(self.home), "NOTATION_CONFIG": str(self.home / "config")},
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )


@pytest.fixture
def link(wabbit: CommandLine) -> Link:
    return Link(wabbit.directory)


def test_the_link_names_itself(link: Link) -> None:
    assert link("version").stdout.startswith("Notation - a tool to sign and verify artifacts.\n")
    assert link("--help").stdout.startswith("notation: ")
    refused = link("verify", "a.example/b:v1")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "hint: create one with 'notation policy init'" in refused.stderr


def test_the_link_signs_by_its_name_and_what_is_not_decided_ends_with_1(link: Link) -> None:
    assert link("sign", "-k", "wabbit.key", IMAGE).returncode == 0
    shown = json.loads(link("inspect", "-o", "json", IMAGE).stdout)
    agent = shown["signatures"][0]["unsignedAttributes"]["signingAgent"]
    assert agent.startswith(f"notation-go/{__version__}")
    assert link("verify", "-k", "leaf.crt", IMAGE).returncode == 0
    for words in (
        ("verify", "-k", "leaf.crt", "layout:absent:v1"),
        ("verify", "--nonsense", IMAGE),
        ("verify", "-k", "root.crt", IMAGE),
        ("verify", "-k", "wabbit.key", IMAGE),
        ("nonsense",),
    ):
        assert link(*words).returncode in (0, 1), words


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_link_with_1(link: Link, number: signal.Signals) -> None:
    with subprocess.Popen(
        [link.path, "registry", "serve", "--dir", "r", "--listen", "localhost:0"],
        env={"PATH": os.defpath, "HOME": str(link.home)},
        cwd=link.home,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stderr and process.stdout
        process.stdout.readline()
        process.send_signal(number)
        process.communicate(timeout=120)
    assert process.returncode in (0, 1)


def test_a_reader_that_has_left_ends_the_link_with_1(link: Link) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        ended = subprocess.run(
            [link.path, "--help"],
            env={"PATH": os.defpath, "HOME": str(link.home)},
            stdout=writing,
            timeout=60,
        )
    finally:
        os.close(writing)
    assert ended.returncode == 1


def _helps() -> Iterator[tuple[str, ...]]:
    yield ()
    for name, entry in COMMANDS.items():
        yield (name,)
        found = load(entry)
        if not isinstance(found, Command):
            yield from ((name, *path) for path, _ in found.below())


@pytest.mark.parametrize("words", tuple(_helps()), ids=" ".join)
def test_no_help_speaks_of_nv2(line: CommandLine, words: tuple[str, ...]) -> None:
    assert "nv2" not in line(*words, "--help", program="notation").out.replace("nv2.", "")


@pytest.mark.parametrize("shell", SCRIPTS)
def test_completion_is_for_notation(line: CommandLine, shell: str) -> None:
    assert "nv2" not in line("completion", shell, program="notation").out


def test_the_demo_shows_commands_of_that_name(line: CommandLine) -> None:
    ended = line("demo", program="notation")
    assert ended.code == 0, ended.err
    assert "$ notation verify " in ended.out
    assert "  notation registry serve " in ended.out
    assert "$ nv2 " not in ended.out


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("'nv2 login'", "'notation login'"),
        ("see nv2 sign --id", "see notation sign --id"),
        ("/home/a/nv2/x: nv2 failed", "/home/a/nv2/x: notation failed"),
        ("localhost:5000/nv2:v1, ./nv2.key", "localhost:5000/nv2:v1, ./nv2.key"),
    ],
)
def test_command_lines_change_their_name_and_paths_do_not(text: str, named: str) -> None:
    assert as_program(text, "notation") == named
    assert as_program(text, "nv2") == text
