"""Help of every command fits a screen, shows examples that work, and mistakes lead to it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator

import pytest

from nv2.cli import flags
from nv2.cli.command import Command, Group
from nv2.cli.dispatch import COMMANDS, load
from nv2.cli.help import EXAMPLES as FIRST_EXAMPLES
from tests.unit.cli.command_line import CommandLine

LINES, COLUMNS = 40, 100
CONTINUED = "\\\n"


def _every() -> Iterator[tuple[str, Command]]:
    for name, entry in COMMANDS.items():
        loaded = load(entry)
        if isinstance(loaded, Group):
            yield from (
                (f"{name} {' '.join(words)}", below)
                for words, below in loaded.below()
                if isinstance(below, Command)
            )
        else:
            yield name, loaded


def _of(example: str, known: Iterable[str]) -> str:
    """The command that an example calls."""
    return next(name for name in known if f"{example} ".startswith(f"nv2 {name} "))


EVERY = dict(_every())
WORDS = ("", *EVERY, *(name for name in COMMANDS if name not in EVERY))
GROUPS = {name: load(entry) for name, entry in COMMANDS.items() if name not in EVERY}
EXAMPLES = [
    *((name, example) for name, command in EVERY.items() for example in command.examples),
    *((_of(example, EVERY), example) for example in FIRST_EXAMPLES),
    *((_of(example, EVERY), example) for group in GROUPS.values() for example in group.examples),
]


@pytest.mark.parametrize("words", WORDS)
@pytest.mark.parametrize("program", ["nv2", "notation"])
def test_help_fits_a_screen(line: CommandLine, program: str, words: str) -> None:
    shown = line(*words.split(), "--help", program=program)
    assert (shown.code, shown.err) == (0, "")
    assert len(shown.out.splitlines()) <= LINES
    assert [row for row in shown.out.splitlines() if len(row) > COLUMNS] == []


@pytest.mark.parametrize("name", EVERY)
def test_a_command_has_an_example_of_its_own(name: str) -> None:
    command = EVERY[name]
    assert command.examples
    assert all(re.search(rf"\bnv2 {name.split()[0]}\b", example) for example in command.examples)


@pytest.mark.parametrize("words", ["", *GROUPS])
@pytest.mark.parametrize("program", ["nv2", "notation"])
def test_help_of_the_program_and_of_a_group_has_examples(line: CommandLine, program: str, words: str) -> None:
    examples = GROUPS[words].examples if words else FIRST_EXAMPLES
    assert examples and all(f"nv2 {words}" in example for example in examples)
    shown = line(*words.split(), "--help", program=program).out
    assert all(example.replace("nv2 ", f"{program} ") in shown for example in examples)


@pytest.mark.parametrize("name", EVERY)
def test_help_begins_with_a_sentence(line: CommandLine, name: str) -> None:
    first = line(*name.split(), "--help").out.partition("\n\n")[0]
    assert first[0].isupper() and first.endswith(".")


@pytest.mark.parametrize(("name", "example"), EXAMPLES)
def test_an_example_is_a_command_line_that_its_command_takes(name: str, example: str) -> None:
    found = re.search(r"nv2 ([^|<>()#]+)", example.replace(CONTINUED, " "))
    assert found
    words, path, command = shlex.split(found[1]), name.split(), EVERY[name]
    assert words[0] == path[0]
    if len(path) > 1:
        assert words[len(path) - 1] in (command.name, *command.aliases)
    flags.check(command, flags.parse(command.flags, words[len(path) :]))


@pytest.mark.parametrize("words", ["sign", "blob sign"])
def test_help_says_that_a_key_may_be_in_a_token(line: CommandLine, words: str) -> None:
    (flag,) = [row for row in line(*words.split(), "--help").out.splitlines() if "-k, --key" in row]
    assert "PKCS#11 URI" in flag
