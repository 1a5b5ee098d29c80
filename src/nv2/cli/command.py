"""What a command is: a table of flags and a function. `flags` parses by it, `help` prints it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from datetime import timedelta
from enum import Enum
from typing import NamedTuple, TypeVar

from nv2.cli.output import Output

T = TypeVar("T")


class Kind(Enum):
    """What a flag's value is; the values are what help shows for it."""

    BOOL = ""
    STRING = "string"
    INT = "int"
    DURATION = "duration"
    """As Go writes them: `12h`, `3h20m`, `1.5s`."""
    STRINGS = "strings"
    """May be given several times; each occurrence is one raw value."""
    PAIRS = "key=value"
    """May be given several times; split at the first `=`, the last of equal keys wins."""


class Flag(NamedTuple):
    """A flag of a command."""

    name: str
    help: str
    kind: Kind = Kind.STRING
    short: str = ""
    default: object = None
    required: bool = False
    hidden: bool = False
    """Accepted and not shown: what older scripts still say."""


class Call(NamedTuple):
    """A command line that was parsed: what a command's function gets."""

    arguments: tuple[str, ...]
    values: Mapping[str, object]
    changed: frozenset[str]
    """Names of the flags that the caller gave."""
    output: Output
    resources: ExitStack
    """What is closed when the command ends."""

    def _typed(self, name: str, kind: type[T]) -> T | None:
        value = self.values[name]
        if value is not None and not isinstance(value, kind):
            raise TypeError(f"flag {name} is not {kind}")
        return value

    def string(self, name: str) -> str | None:
        """The value of a STRING flag; None if it was not given and has no default."""
        return self._typed(name, str)

    def on(self, name: str) -> bool:
        """Whether a BOOL flag is set."""
        return bool(self._typed(name, bool))

    def number(self, name: str) -> int:
        """The value of an INT flag, 0 by default."""
        return self._typed(name, int) or 0

    def duration(self, name: str) -> timedelta | None:
        """The value of a DURATION flag."""
        return self._typed(name, timedelta)

    def strings(self, name: str) -> tuple[str, ...]:
        """The values of a STRINGS flag."""
        return self._typed(name, tuple) or ()

    def pairs(self, name: str) -> dict[str, str]:
        """The pairs of a PAIRS flag."""
        return dict(self._typed(name, dict) or {})


class Command(NamedTuple):
    """A command. `run` returns the exit code; it raises `Nv2Error` for what goes wrong."""

    name: str
    summary: str
    run: Callable[[Call], int]
    flags: tuple[Flag, ...] = ()
    usage: str = ""
    """What follows the name and the flags: `<reference>...`."""
    arguments: tuple[int, int | None] = (0, None)
    """Least and most positional arguments."""
    missing: str = ""
    """What to say when there are too few."""
    too_many: str = ""
    """What to say when there are too many: `{}` is the first superfluous one, `{count}` how many were given."""
    aliases: tuple[str, ...] = ()
    description: str = ""
    examples: tuple[str, ...] = ()
    together: tuple[tuple[str, ...], ...] = ()
    """Flags that come together or not at all."""
    exclusive: tuple[tuple[str, ...], ...] = ()
    """Flags of which at most one may be given."""
    schema: str | None = None
    """Name of the JSON document that `--output json` prints, also on failure."""


class Group(NamedTuple):
    """Commands under one word: `nv2 key add`; under it there may be another: `nv2 blob policy show`."""

    name: str
    summary: str
    commands: tuple[Command | Group, ...]
    aliases: tuple[str, ...] = ()
    examples: tuple[str, ...] = ()

    def below(self) -> Iterator[tuple[tuple[str, ...], Command | Group]]:
        """Everything under this word at any depth, with the words that lead there from here."""
        for named in self.commands:
            yield (named.name,), named
            if isinstance(named, Group):
                yield from (((named.name, *words), found) for words, found in named.below())


OUTPUT = Flag("output", "format of the output: text or json", short="o", default="text")
"""For reading commands; `wants_json` reads it."""

DEBUG = Flag("debug", "say what goes over the network, on standard error", Kind.BOOL, short="d")
NO_NETWORK_DEBUG = DEBUG._replace(hidden=True)
"""For commands that ask no network: accepted, as by notation, with nothing to say."""
VERBOSE = Flag("verbose", "accepted for older scripts", Kind.BOOL, short="v", hidden=True)


def wants_json(call: Call, words: Mapping[str, bool] = {"text": False, "json": True}) -> bool:
    """Whether `--output` says json; `words` are the formats of the command. Raises `UsageError`."""
    from nv2.errors import UsageError

    word = call.string("output") or ""
    if word not in words:
        raise UsageError(f'invalid format: "{word}"', hint=f"possible: {', '.join(words)}")
    return words[word]
