"""Where the passphrase of an encrypted key comes from: a terminal, a file, or a file descriptor."""

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
)


def passphrase_source(call: Call) -> Callable[[str], bytes]:
    """A function from the key's name to its passphrase, asked only for an encrypted key."""
    path = call.string("passphrase-file")
    given = [name for name in ("passphrase-file", "passphrase-fd") if name in call.changed]
    if len(given) > 1:
        raise UsageError("give --passphrase-file or --passphrase-fd, not both")
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


def _from_terminal(name: str) -> bytes:
    import getpass

    try:
        with open("/dev/tty"):
            pass
    except OSError:
        raise SigningKeyError(
            "the key is encrypted and there is no terminal to ask for its passphrase",
            at=name,
            hint="use --passphrase-file FILE or --passphrase-fd N",
        ) from None
    return getpass.getpass(f"Passphrase for {name}: ").encode()
