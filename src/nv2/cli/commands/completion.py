"""`nv2 completion`: completion scripts for shells, made from the tables of commands and flags."""

from __future__ import annotations

from collections.abc import Iterator

from nv2.cli import exits
from nv2.cli.command import Call, Command, Group, Kind
from nv2.cli.completion_scripts import SCRIPTS, Option, Place, Word
from nv2.cli.flags import HELP
from nv2.cli.help import command_help
from nv2.errors import UsageError


def run(call: Call) -> int:
    """Print the script for one shell."""
    shell = next(iter(call.arguments), "")
    if (
        shell not in SCRIPTS and call.output.program == "notation"
    ):  # which shows its help, and calls it a success
        call.output.raw(command_help(COMMAND, "notation completion"))
        return exits.DONE
    if not shell:
        raise UsageError("missing the name of a shell")
    if shell not in SCRIPTS:
        raise UsageError(f"unknown shell {shell!r}", hint=f"shells: {', '.join(SCRIPTS)}")
    call.output.raw(SCRIPTS[shell](call.output.program, tuple(_places())))
    return exits.DONE


def _places() -> Iterator[Place]:
    """Every command line that can be completed: the root, the groups, the commands."""
    from nv2.cli.dispatch import COMMANDS, load

    words = tuple(Word(name, entry.summary, entry.aliases) for name, entry in COMMANDS.items())
    yield Place((), words)
    for name, entry in COMMANDS.items():
        loaded = load(entry)
        if isinstance(loaded, Group):
            yield Place((name,), _words(loaded))
            for path, below in loaded.below():
                if isinstance(below, Group):
                    yield Place((name, *path), _words(below))
                else:
                    yield Place((name, *path), (), _options(below))
        else:
            choices = tuple(Word(shell, f"script for {shell}") for shell in SCRIPTS) if name == _OWN else ()
            yield Place((name,), choices, _options(loaded))


def _words(group: Group) -> tuple[Word, ...]:
    return tuple(Word(below.name, below.summary, below.aliases) for below in group.commands)


def _options(command: Command) -> tuple[Option, ...]:
    return tuple(
        Option(flag.name, flag.short, flag.help, flag.kind is not Kind.BOOL)
        for flag in (*command.flags, HELP)
        if not flag.hidden
    )


_OWN = "completion"

COMMAND = Command(
    _OWN,
    "print a completion script for a shell",
    run,
    usage="<bash | zsh | fish | powershell>",
    arguments=(0, 1),
    too_many='unknown command "{}" for "nv2 completion"',
    examples=(
        "source <(nv2 completion bash)",
        "nv2 completion zsh > ~/.zfunc/_nv2",
        "nv2 completion fish > ~/.config/fish/completions/nv2.fish",
        "nv2 completion powershell | Out-String | Invoke-Expression",
    ),
)
