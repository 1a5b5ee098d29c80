from __future__ import annotations

import subprocess

import pytest

from nv2.cli.completion_scripts import SCRIPTS, Option, Place, Word
from nv2.cli.dispatch import COMMANDS
from tests.unit.cli.command_line import CommandLine

PLACES = (
    Place((), (Word("key", "keys, and 'more'", ("k",)), Word("sign", "sign"))),
    Place(("key",), (Word("list", "list keys", ("ls",)), Word("add", "add a key"))),
    Place(("key", "list"), (), (Option("output", "o", "format: text or json", True),)),
    Place(("key", "add"), (), (Option("default", "", "mark", False),)),
    Place(("sign",), (), (Option("key", "k", "key", True), Option("help", "h", "help", False))),
)


def completed(script: str, *words: str) -> list[str]:
    """What bash offers for the last of `words`."""
    quoted = " ".join(f"'{word}'" for word in words)
    lines = f"{script}\nCOMP_WORDS=({quoted})\nCOMP_CWORD={len(words) - 1}\n_nv2_completion\necho ${{COMPREPLY[*]}}"
    ended = subprocess.run(["bash", "--norc", "-c", lines], capture_output=True, text=True, check=True)
    assert ended.stderr == ""
    return ended.stdout.split()


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (("",), ["key", "sign"]),
        (("k",), ["key"]),
        (("key", ""), ["list", "add"]),
        (("k", ""), ["list", "add"]),
        (("key", "ls", "-"), ["--output", "-o"]),
        (("key", "add", "--"), ["--default"]),
        (("sign", "--key", "x", "--h"), ["--help"]),
        (("sign", ""), []),
        (("nonsense", ""), ["key", "sign"]),
    ],
)
def test_bash_offers_what_may_follow(words: tuple[str, ...], offered: list[str]) -> None:
    assert completed(SCRIPTS["bash"]("nv2", PLACES), "nv2", *words) == offered


def test_the_printed_script_knows_every_command(line: CommandLine) -> None:
    ended = line("completion", "bash")
    assert ended.code == 0
    assert set(completed(ended.out, "nv2", "")) == set(COMMANDS)
    assert set(completed(ended.out, "nv2", "certificate", "")) >= {"add", "list", "show", "delete"}
    assert "--trusted-identity" in completed(ended.out, "nv2", "policy", "init", "--")
    assert completed(ended.out, "nv2", "completion", "z") == ["zsh"]
    assert "allow-referrers-api" not in ended.out


@pytest.mark.parametrize(
    ("shell", "lines"),
    [
        (
            "zsh",
            (
                "#compdef nv2",
                "        ' key') offered=('list:list keys' 'add:add a key') flags=() ;;",
                "            ' key'|' k') at=' key' ;;",
                "        '') offered=('key:keys, and '\\''more'\\''' 'sign:sign') flags=() ;;",
            ),
        ),
        (
            "fish",
            (
                "            case ' key list' ' key ls'",
                "complete -c nv2 -n '__nv2_at \\' key\\'' -f -a 'list' -d 'list keys'",
                "complete -c nv2 -n '__nv2_at \\' key list\\'' -l output -s o -r -d 'format: text or json'",
                "complete -c nv2 -n '__nv2_at \\'\\'' -f -a 'key' -d 'keys, and \\'more\\''",
            ),
        ),
        (
            "powershell",
            (
                "            ' key ls' { $at = ' key list' }",
                "        ' key add' = @('--default|mark')",
                "        '' = @('key|keys, and ''more''', 'sign|sign')",
            ),
        ),
    ],
)
def test_the_other_shells_get_the_same_tables(shell: str, lines: tuple[str, ...]) -> None:
    script = SCRIPTS[shell]("nv2", PLACES).splitlines()
    assert [line for line in lines if line not in script] == []


def test_a_shell_must_be_a_known_one(line: CommandLine) -> None:
    assert "missing the name of a shell" in line("completion").err
    ended = line("completion", "csh")
    assert ended.code == 2
    assert "shells: bash, zsh, fish, powershell" in ended.err


def test_under_the_name_notation_notation_is_completed(line: CommandLine) -> None:
    assert (
        "complete -o default -F _notation_completion notation\n"
        in line("completion", "bash", program="notation").out
    )
