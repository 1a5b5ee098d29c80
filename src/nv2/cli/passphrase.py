"""Where the passphrase of a key or the PIN of a token comes from: a terminal, a file, a file descriptor, or a program."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from nv2.cli.command import Call, Flag, Kind
from nv2.errors import EnvironmentFailure, SigningKeyError, UsageError
from nv2.files import read_file

MAX_PASSPHRASE = 4096
"""Bytes. Longer than any passphrase; shorter than a file named by mistake."""

FLAGS = (
    Flag("passphrase-file", "file whose first line is the passphrase of an encrypted key"),
    Flag("passphrase-fd", "file descriptor to read the passphrase of an encrypted key from", Kind.INT),
    Flag("passphrase-command", "program, with arguments, that prints the passphrase (no shell)"),
)
_WAYS = tuple(flag.name for flag in FLAGS)


def passphrase_source(call: Call) -> Callable[[str], bytes]:
    """A function from the key's name to its passphrase, asked only for an encrypted key or a token with a PIN.

    Raises `UsageError` for flags that contradict; the function raises `SigningKeyError`, `EnvironmentFailure`.
    """
    given = [name for name in _WAYS if name in call.changed]
    if len(given) > 1:
        raise UsageError(f"give --{given[0]} or --{given[1]}, not both")
    path, command = call.string("passphrase-file"), call.string("passphrase-command")
    if command is not None:
        words = _words(command)
        return lambda _: _first_line(_from_program(words))
    if path is not None:
        return lambda _: _first_line(read_file(Path(path), MAX_PASSPHRASE, "passphrase"))
    if "passphrase-fd" in call.changed:
        return lambda _: _first_line(_from_descriptor(call.number("passphrase-fd")))
    return _from_terminal


def _first_line(data: bytes) -> bytes:
    return data.partition(b"\n")[0].removesuffix(b"\r")


def _from_descriptor(number: int) -> bytes:
    try:
        with os.fdopen(number, "rb", closefd=False) as stream:
            return stream.read(MAX_PASSPHRASE)
    except ValueError:
        raise UsageError("--passphrase-fd: a file descriptor is not negative") from None
    except OSError as e:
        raise EnvironmentFailure(f"cannot read the passphrase: {e.strerror}", at=f"fd {number}") from None


def _words(command: str) -> tuple[str, ...]:
    """`command` cut into words as a shell cuts them, quotes included; nothing in it is expanded or run."""
    import shlex

    try:
        words = tuple(shlex.split(command))
    except ValueError:
        raise UsageError("--passphrase-command: a quotation mark is not closed") from None
    if not words:
        raise UsageError("--passphrase-command: names no program")
    return words


def _from_program(words: tuple[str, ...]) -> bytes:
    from nv2.notary.passphrases import printed_by

    return printed_by(words, MAX_PASSPHRASE)


def _from_terminal(name: str) -> bytes:
    import getpass

    try:
        with open("/dev/tty"):
            pass
    except OSError:
        raise SigningKeyError(
            "the key needs a passphrase, and there is no terminal to ask for it",
            at=name,
            hint="use --passphrase-file FILE, --passphrase-fd N or --passphrase-command PROGRAM",
        ) from None
    return getpass.getpass(f"Passphrase for {name}: ").encode()
