"""The program port: run a program with bounded input, output and time."""

from __future__ import annotations

from typing import NamedTuple, Protocol

MAX_OUTPUT = 1024 * 1024
"""Bytes read from a program's standard output or error."""

TIMEOUT = 30.0
"""Seconds a credential helper may take; a person may have to unlock a key chain."""


class Finished(NamedTuple):
    """A program that ended by itself."""

    status: int
    output: bytes
    errors: bytes


class Programs(Protocol):
    """Whoever can run programs."""

    def run(
        self,
        arguments: tuple[str, ...],
        standard_input: bytes,
        *,
        timeout: float = TIMEOUT,
        max_output: int = MAX_OUTPUT,
    ) -> Finished:
        """Run `arguments[0]`, a path or a name in PATH, in a clean environment.

        `max_output` bounds standard output and standard error, each. Raises `EnvironmentFailure` if it cannot be
        started, takes too long or says too much.
        """
