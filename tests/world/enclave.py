"""A network namespace of its own: programs in it reach each other over loopback, and nothing else."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

_OPEN = ("unshare", "--net", "sh", "-c", "ip link set lo up && echo ready && exec cat")
NV2 = (sys.executable, "-I", "-m", "nv2.cli")


def refusal() -> str:
    """Why no namespace can be made here; empty if one can."""
    try:
        tried = subprocess.run([*_OPEN[:-1], "ip link set lo up"], capture_output=True, text=True, timeout=30)
    except OSError as e:
        return str(e)
    return "" if tried.returncode == 0 else tried.stderr.strip() or f"exit {tried.returncode}"


class Enclave(NamedTuple):
    """The namespace of the process `holder`."""

    holder: int

    def command(self, *words: str) -> list[str]:
        """What runs `words` inside."""
        return ["nsenter", f"--net=/proc/{self.holder}/ns/net", *words]

    def run(
        self, words: Sequence[str], environment: Mapping[str, str], directory: Path
    ) -> subprocess.CompletedProcess[str]:
        """Run a program inside, to its end."""
        return subprocess.run(
            self.command(*words),
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", **environment},
            cwd=directory,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
        )

    @contextmanager
    def registry(self, directory: Path) -> Iterator[str]:
        """The embedded registry, inside; gives its address."""
        command = self.command(*NV2, "registry", "serve", "--dir", str(directory), "--listen", "127.0.0.1:0")
        environment = {"PATH": "/usr/bin:/bin", "HOME": str(directory)}
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
            try:
                line = process.stdout.readline() if process.stdout else ""
                assert ":" in line, f"the registry did not start: {line!r}"
                yield next(word for word in line.split() if word.rpartition(":")[2].isdigit())
            finally:
                process.terminate()


@contextmanager
def enclave() -> Iterator[Enclave]:
    """A namespace for the length of a `with`."""
    pipe = subprocess.PIPE
    with subprocess.Popen(_OPEN, stdin=pipe, stdout=pipe, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield Enclave(process.pid)
        finally:
            process.terminate()
