"""A passphrase that a program prints, wired: a password manager, or a script of one's own."""

from __future__ import annotations

import os

from nv2.errors import SigningKeyError
from nv2.programs.run import LocalPrograms


def printed_by(words: tuple[str, ...], limit: int) -> bytes:
    """What the program `words[0]` prints on standard output, at most `limit` bytes.

    It is run without a shell, without standard input and without nv2's own secrets in its environment. What it printed
    never is in an error. Raises `SigningKeyError`, `EnvironmentFailure`.
    """
    finished = LocalPrograms(os.environ).run(words, b"")
    if finished.status:
        raise SigningKeyError(
            f"the program that should print the passphrase ended with exit code {finished.status}",
            at=words[0],
            hint="run it yourself to see what it says",
        )
    if not finished.output.strip():
        raise SigningKeyError("printed no passphrase", at=words[0])
    if len(finished.output) > limit:
        raise SigningKeyError(f"printed more than {limit} bytes, no passphrase", at=words[0])
    return finished.output
