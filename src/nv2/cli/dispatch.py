"""From words to a command: the table of commands, and what becomes of an error."""

from __future__ import annotations

from nv2.cli.exits import BROKEN_PIPE, DONE, INTERRUPTED, TERMINATED, exit_code, of_program
from nv2.cli.output import Output, error_document
from nv2.errors import Nv2Error, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nv2.cli.command import Command, Group


class Entry:
    """Where a command lives, loaded only when it is called: its module has `COMMAND`."""

    __slots__ = ("aliases", "module", "summary")

    def __init__(self, module: str, summary: str, aliases: tuple[str, ...] = ()) -> None:
        self.module = module
        self.summary = summary
        self.aliases = aliases


COMMANDS = {
    "sign": Entry("nv2.cli.commands.sign", "sign artifacts"),
    "attach": Entry("nv2.cli.commands.attach", "attach a signature that was made elsewhere"),
    "verify": Entry("nv2.cli.commands.verify", "verify artifacts against a key or the trust policy"),
    "list": Entry("nv2.cli.commands.list", "list the signatures of an artifact", ("ls",)),
    "inspect": Entry("nv2.cli.commands.inspect", "show what the signatures of an artifact say"),
    "tree": Entry("nv2.cli.commands.tree", "show everything that belongs to an artifact"),
    "copy": Entry("nv2.cli.commands.copy", "copy an artifact with its signatures", ("cp",)),
    "delete": Entry("nv2.cli.commands.delete", "delete signatures and artifacts", ("rm",)),
    "key": Entry("nv2.cli.commands.key", "manage signing keys"),
    "cert": Entry("nv2.cli.commands.cert", "manage trusted certificates", ("certificate",)),
    "policy": Entry("nv2.cli.commands.policy", "manage the trust policy"),
    "plugin": Entry("nv2.cli.commands.plugin", "manage plugins"),
    "bundle": Entry("nv2.cli.commands.bundle", "carry images and all that proves them over an air gap"),
    "blob": Entry("nv2.cli.commands.blob", "sign and verify files, without a registry"),
    "trust": Entry("nv2.cli.commands.trust", "withdraw trust from keys, signatures and artifacts"),
    "login": Entry("nv2.cli.commands.login", "log in to a registry"),
    "logout": Entry("nv2.cli.commands.logout", "log out of a registry"),
    "registry": Entry("nv2.cli.commands.registry", "serve a registry, or see what another one can do"),
    "demo": Entry("nv2.cli.commands.demo", "watch an image get signed, verified, tampered with and refused"),
    "completion": Entry("nv2.cli.commands.completion", "print a completion script for a shell"),
    "version": Entry("nv2.cli.commands.version", "show the version"),
}


SYNONYMS = {
    "rm": "delete",
    "remove": "delete",
    "create": "generate",
    "new": "generate",
    "get": "show",
    "pull": "copy",
    "push": "copy",
    "sync": "copy",
    "discover": "list",
    "server": "registry",
}
"""What people say, and no command is called."""


FLAGS = ("--help", "--version")
"""What may stand in the place of a command."""


class Terminated(BaseException):
    """SIGTERM came: unwinds the stack, so that temporary files go."""


def main(words: Sequence[str], output: Output) -> int:
    """Run the command line `words` (without the program's name) and return the exit code.

    The codes stand in `exits`. Under the name `notation` every other code than 0 is 1.
    """
    return of_program(_run(words, output), output.program)


def _run(words: Sequence[str], output: Output) -> int:
    try:
        return _dispatch(words, output)
    except Nv2Error as error:
        output.error(error)
        return exit_code(error)
    except KeyboardInterrupt:
        return INTERRUPTED
    except Terminated:
        return TERMINATED
    except RuntimeError as error:
        # So Python 3.11 calls a signal that comes just as a class with a cached property is made.
        if isinstance(error.__cause__, KeyboardInterrupt):
            return INTERRUPTED
        if isinstance(error.__cause__, Terminated):
            return TERMINATED
        raise
    except BrokenPipeError:
        return BROKEN_PIPE


def _dispatch(words: Sequence[str], output: Output) -> int:
    if not words or words[0] in ("-h", "--help", "help"):
        return _help(words[1:] if words[:1] == ["help"] else (), output)
    if words[0] == "--version":
        if len(words) == 1:
            return _version(output)
        words = ["version", *words[1:]]
    entry = _entry(words[0], output.program)
    return _run_named(load(entry), words[1:], f"{output.program} {words[0]}", output)


def _version(output: Output) -> int:
    """What scripts ask first, and often: without the machinery of flags, which would double its time."""
    from nv2.cli.version_text import version_lines

    output.lines(version_lines(output.program))
    return DONE


def _help(words: Sequence[str], output: Output) -> int:
    from nv2.cli.help import root_help

    # notation answers a topic that is none with its help, and calls it a success.
    if words and (output.program != "notation" or _is_command(words[0])):
        return _dispatch([*words, "--help"], output)
    output.raw(root_help(output.program, {name: entry.summary for name, entry in COMMANDS.items()}))
    return 0


def _is_command(word: str) -> bool:
    return any(word == name or word in entry.aliases for name, entry in COMMANDS.items())


def _entry(word: str, program: str) -> Entry:
    for name, entry in COMMANDS.items():
        if word == name or word in entry.aliases:
            return entry
    raise _unknown(word, program, list(COMMANDS))


def _unknown(word: str, path: str, known: Sequence[str]) -> UsageError:
    import difflib

    flag = word.startswith("-")
    if SYNONYMS.get(word) in known:
        near = [SYNONYMS[word]]
    else:
        near = difflib.get_close_matches(word, FLAGS if flag else known, 1)
    other = f"flags come after the command; see '{path} --help'" if flag else f"see '{path} --help'"
    hint = f"did you mean '{path} {near[0]}'?" if near else other
    kind = "flag" if flag else "command"
    return UsageError(f'unknown {kind} "{word}" for "{path}"', hint=hint)


def load(entry: Entry) -> Command | Group:
    """The command behind an entry."""
    from importlib import import_module

    loaded: Command | Group = import_module(entry.module).COMMAND
    return loaded


def _run_named(named: Command | Group, words: Sequence[str], path: str, output: Output) -> int:
    from nv2.cli.command import Group

    if not isinstance(named, Group):
        return run_command(named, words, path, output)
    position = _position(named, words)
    for below in named.commands:
        if position is not None and words[position] in (below.name, *below.aliases):
            rest = [*words[:position], *words[position + 1 :]]
            return _run_named(below, rest, f"{path} {below.name}", output)
    if position is not None and output.program != "notation":  # which prints the help and calls it a success
        raise _unknown(words[position], path, [command.name for command in named.commands])
    from nv2.cli.help import group_help

    output.raw(group_help(named, path))
    return 0


def _position(group: Group, words: Sequence[str]) -> int | None:
    """Where the sub-command's name stands: flags of it, with their values, may come before."""
    from nv2.cli.command import Command, Kind

    takes_value = {
        word
        for _, command in group.below()
        if isinstance(command, Command)
        for flag in command.flags
        if flag.kind is not Kind.BOOL
        for word in (f"--{flag.name}", f"-{flag.short}")
    }
    skip = False
    for position, word in enumerate(words):
        if skip or word.startswith("-"):
            skip = not skip and word in takes_value
            continue
        return position
    return None


def run_command(command: Command, words: Sequence[str], path: str, output: Output) -> int:
    """Parse, check and run. With `--output json` a failure is a document too (but for usage errors).

    A usage error without advice leads to the help of the command.
    """
    try:
        return _run_command(command, words, path, output)
    except UsageError as error:
        error.hint = error.hint or f"see '{path} --help'"
        raise


def _run_command(command: Command, words: Sequence[str], path: str, output: Output) -> int:
    from contextlib import ExitStack

    from nv2.cli import flags
    from nv2.cli.command import Call

    parsed = flags.parse(command.flags, words)
    if parsed.values["help"]:
        from nv2.cli.help import command_help

        output.raw(command_help(command, path))
        return 0
    flags.check(command, parsed)
    try:
        with ExitStack() as resources:
            return command.run(Call(parsed.arguments, parsed.values, parsed.changed, output, resources))
    except UsageError:
        raise
    except Nv2Error as error:
        if command.schema and parsed.values.get("output") == "json" and not output.printed:
            output.json({"schema": command.schema, "error": error_document(error)})
        raise
