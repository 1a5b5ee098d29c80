"""Help texts, made from the tables of commands and flags."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nv2.cli.command import Command, Flag, Group, Kind
from nv2.cli.flags import HELP
from nv2.cli.output import as_program

EXAMPLES = (
    "nv2 demo",
    'nv2 key generate ci --subject "CN=ci,O=example.com,ST=WA,C=US"',
    "nv2 sign -k ci registry.example.com/net-monitor@sha256:...",
    "nv2 verify -k ci registry.example.com/net-monitor@sha256:...",
)
"""What a newcomer may try first."""


def root_help(program: str, commands: Mapping[str, str]) -> str:
    """What `nv2 --help` prints; `commands` are names and summaries."""
    width = max(map(len, commands)) + 2
    listed = "\n".join(f"  {name.ljust(width)}{summary}" for name, summary in commands.items())
    return (
        f"{program}: sign OCI artifacts, keep the signatures beside them, decide what may run\n\n"
        f"Usage:\n  {program} <command> [flags]\n\nCommands:\n{listed}\n\n"
        f"{_examples(EXAMPLES, program)}\n\n"
        f'Use "{program} <command> --help" for more about a command.\n'
    )


def group_help(group: Group, path: str) -> str:
    """What `nv2 key --help` prints."""
    width = max(len(command.name) for command in group.commands) + 2
    listed = "\n".join(f"  {command.name.ljust(width)}{command.summary}" for command in group.commands)
    return (
        f"{group.summary}\n\nUsage:\n  {path} <command> [flags]\n\nCommands:\n{listed}\n\n"
        f"{_examples(group.examples, path.partition(' ')[0])}\n\n"
        f'Use "{path} <command> --help" for more about a command.\n'
    )


def command_help(command: Command, path: str) -> str:
    """What `nv2 sign --help` prints."""
    program = path.partition(" ")[0]
    parts = [
        as_program(command.description or _sentence(command.summary), program),
        f"Usage:\n  {path} [flags] {command.usage}".rstrip(),
    ]
    if command.aliases:
        parts.append(f"Aliases:\n  {', '.join((command.name, *command.aliases))}")
    if command.examples:
        parts.append(_examples(command.examples, program))
    shown = [flag for flag in (*command.flags, HELP) if not flag.hidden]
    left = [_left(flag) for flag in shown]
    width = max(map(len, left)) + 3
    rows = [f"{name.ljust(width)}{_right(flag)}" for name, flag in zip(left, shown, strict=True)]
    parts.append("Flags:\n" + "\n".join(rows))
    return "\n\n".join(parts) + "\n"


def _examples(examples: Sequence[str], program: str) -> str:
    names = (("_nv2", f"_{program}"), ("/nv2.fish", f"/{program}.fish"))  # of files that are called as it is
    lines = [f"  {as_program(line, program)}" for line in examples]
    for ours, named in names:
        lines = [line.replace(ours, named) for line in lines]
    return "Examples:\n" + "\n".join(lines)


def _sentence(summary: str) -> str:
    return f"{summary[0].upper()}{summary[1:]}."


def _left(flag: Flag) -> str:
    short = f"-{flag.short}, " if flag.short else "    "
    return f"  {short}--{flag.name} {flag.kind.value}".rstrip()


def _right(flag: Flag) -> str:
    if flag.default in (None, False, "", 0):
        return flag.help
    default = f'"{flag.default}"' if flag.kind is Kind.STRING else str(flag.default)
    return f"{flag.help} (default {default})"
