"""Start the registries of other projects, each on a port of its own, and run their programs.

A registry keeps its content in memory or in a folder given, allows deletes, asks for no login and listens on
loopback only. Whoever starts one ends it, and nothing else: `with distribution31(program, folder) as address:`.
"""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from tests.world.sockets import reserved_port

T = TypeVar("T")

READY_WITHIN = 120.0
"""Seconds; a registry needs 0.1, the daemon of Docker a few, and the machine may be busy."""

STEP = 0.02
"""Seconds between two looks at a program that is starting."""


class NotReady(Exception):
    """A program did not come up; says what it printed."""


@contextmanager
def distribution(
    program: Path,
    folder: Path,
    *,
    auth: Mapping[str, object] | None = None,
    tls: Mapping[str, object] | None = None,
) -> Iterator[str]:
    """CNCF Distribution, 2.8 or 3.1: no referrers API. Gives `localhost:PORT`, with TLS `127.0.0.1:PORT`.

    `auth` and `tls` are those parts of its configuration.
    """
    configuration = folder / "distribution.yml"
    # JSON is YAML. The port is chosen by the system and read from the log, so that no two can want the same.
    configuration.write_text(
        json.dumps(
            {
                "version": 0.1,
                "log": {"level": "info", "accesslog": {"disabled": True}},
                "storage": {
                    "filesystem": {"rootdirectory": str(folder / "content")},
                    "delete": {"enabled": True},
                },
                "http": {
                    "addr": "127.0.0.1:0",
                    "secret": "not used by more than one process",
                    **({"tls": tls} if tls else {}),
                },
                **({"auth": auth} if auth else {}),
            }
        )
    )
    with _running([str(program), "serve", str(configuration)], folder) as (process, log):
        port = _wait(process, log, lambda: _port_in(log))
        yield f"{'127.0.0.1' if tls else 'localhost'}:{port}"


@contextmanager
def olareg(program: Path, folder: Path) -> Iterator[str]:
    """olareg: referrers API, content in memory. Gives `localhost:PORT`."""
    with reserved_port() as port:
        command = [str(program), "serve", "--addr", "127.0.0.1", "--port", str(port), "--store-type", "mem"]
        more = ["--api-delete", "--api-blob-delete", "--gc-frequency", "-1s"]
        with running([*command, *more], folder, port) as address:
            yield address


@contextmanager
def running(command: list[str], folder: Path, port: int) -> Iterator[str]:
    """Any other registry, once it answers on `port`. Gives `localhost:PORT`."""
    with _running(command, folder) as (process, log):
        _wait(process, log, lambda: _answers(port))
        yield f"localhost:{port}"


def run(
    program: Path,
    *arguments: str,
    home: Path,
    environment: Mapping[str, str] | None = None,
    check: bool = True,
) -> subprocess.CompletedProcess[str]:
    """Run a peer with `home` as its home and configuration folder, and nothing of this process's environment."""
    clean = {
        "HOME": str(home),
        "PATH": os.defpath,
        "XDG_CONFIG_HOME": str(home / ".config"),
        **(environment or {}),
    }
    finished = subprocess.run(
        [str(program), *arguments], env=clean, cwd=home, capture_output=True, text=True, timeout=120
    )
    if check and finished.returncode:
        shown = f"{program.name} {' '.join(arguments)}"
        raise AssertionError(f"{shown}: exit {finished.returncode}\n{finished.stdout}{finished.stderr}")
    return finished


@contextmanager
def _running(command: list[str], folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    log = folder / "log.txt"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={"HOME": str(folder), "PATH": os.defpath, "OTEL_TRACES_EXPORTER": "none"},
        )
    try:
        yield process, log
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(process: subprocess.Popen[bytes], log: Path, look: Callable[[], T | None]) -> T:
    deadline = time.monotonic() + READY_WITHIN
    while time.monotonic() < deadline:
        found = look()
        # Dead although something answers: the port was taken by somebody else, and it is he who answers.
        if process.poll() is not None:
            raise NotReady(
                f"{process.args!r} ended with {process.returncode}:\n{log.read_text(errors='replace')}"
            )
        if found is not None:
            return found
        time.sleep(STEP)
    raise NotReady(
        f"{process.args!r} is not ready after {READY_WITHIN:g} s:\n{log.read_text(errors='replace')}"
    )


def _port_in(log: Path) -> int | None:
    found = re.search(r"listening on 127\.0\.0\.1:(\d+)", log.read_text(errors="replace"))
    return int(found[1]) if found else None


def _answers(port: int) -> bool | None:
    with socket.socket() as probe:
        probe.settimeout(1)
        return True if probe.connect_ex(("127.0.0.1", port)) == 0 else None
