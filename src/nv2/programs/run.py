"""Running programs: the only module of nv2 that starts a process."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Mapping
from typing import IO, cast

from nv2.errors import EnvironmentFailure
from nv2.programs.interface import MAX_OUTPUT, TIMEOUT, Finished

WITHHELD = ("NOTATION_USERNAME", "NOTATION_PASSWORD")
"""Variables that hold secrets of ours: no child sees them."""

WITHHELD_PREFIXES = ("PYTHON", "VIRTUAL_ENV")
"""Settings of our interpreter: a helper in Python has its own."""

_CHUNK = 64 * 1024

_END = 5.0
"""Seconds for pipes to end after the program did: a grandchild may hold them for ever."""


class LocalPrograms:
    """Runs programs of this machine, in the environment `environ` without nv2's secrets."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = {
            name: value
            for name, value in environ.items()
            if name not in WITHHELD and not name.startswith(WITHHELD_PREFIXES)
        }

    def has(self, name: str) -> bool:
        """Whether there is a program `name` in PATH."""
        import shutil  # few runs ask

        return shutil.which(name, path=self._environ.get("PATH", os.defpath)) is not None

    def run(
        self,
        arguments: tuple[str, ...],
        standard_input: bytes,
        *,
        timeout: float = TIMEOUT,
        max_output: int = MAX_OUTPUT,
    ) -> Finished:
        """Run `arguments[0]`, a path or a name in PATH; see `Programs.run`."""
        process = self._start(arguments)
        name = arguments[0]
        try:
            return _converse(process, name, standard_input, timeout, max_output)
        finally:
            # It must not outlive an interruption of ours. What it left behind when it ended by itself
            # (an agent that keeps a key chain open) is its own affair.
            _kill(process)
            process.wait()

    def _start(self, arguments: tuple[str, ...]) -> subprocess.Popen[bytes]:
        try:
            return subprocess.Popen(
                arguments,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=self._environ,
                start_new_session=True,
            )
        except FileNotFoundError:
            raise EnvironmentFailure("no such program", at=arguments[0]) from None
        except OSError as e:
            raise EnvironmentFailure(f"cannot be started: {e.strerror}", at=arguments[0]) from None


class _Reader(threading.Thread):
    """Reads a pipe to its end, or until it says too much."""

    def __init__(self, pipe: IO[bytes], process: subprocess.Popen[bytes], limit: int) -> None:
        super().__init__(daemon=True)
        self._pipe = pipe
        self._process = process
        self._limit = limit
        self.data = bytearray()
        self.start()

    @property
    def said_too_much(self) -> bool:
        """Whether the limit was passed."""
        return len(self.data) > self._limit

    def run(self) -> None:
        """Read in a thread: a full pipe would stop the program."""
        with self._pipe:
            while not self.said_too_much and (chunk := os.read(self._pipe.fileno(), _CHUNK)):
                self.data += chunk
        if self.said_too_much:
            _kill(self._process)


def _converse(
    process: subprocess.Popen[bytes], name: str, data: bytes, timeout: float, max_output: int
) -> Finished:
    pipes = (process.stdout, process.stderr)
    readers = [_Reader(cast("IO[bytes]", pipe), process, max_output) for pipe in pipes]
    threading.Thread(target=_write, args=(process.stdin, data), daemon=True).start()
    try:
        status = process.wait(timeout)
    except subprocess.TimeoutExpired:
        raise EnvironmentFailure(f"did not end within {timeout:g} seconds", at=name) from None
    for reader in readers:
        reader.join(_END)
    if any(reader.said_too_much for reader in readers):
        raise EnvironmentFailure(f"printed more than {max_output} bytes", at=name)
    return Finished(status, bytes(readers[0].data), bytes(readers[1].data))


def _write(pipe: IO[bytes], data: bytes) -> None:
    try:
        with pipe:
            pipe.write(data)
    except BrokenPipeError:
        return  # it did not want to hear it all; its exit status tells


def _kill(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        return
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return  # all of it has ended
