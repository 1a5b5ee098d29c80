"""Daemons of containers, each with a place of its own for what it keeps. They are started by root."""

from __future__ import annotations

import contextlib
import os
import socket as sockets
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.conftest import MISSING
from tests.interop import peers

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason=f"{MISSING}root, to start daemons of containers")


@contextlib.contextmanager
def running(command: list[str], socket: Path, environment: Mapping[str, str], folder: Path) -> Iterator[None]:
    """A daemon that listens at `socket`."""
    with (folder / "daemon.log").open("wb") as log:
        process = subprocess.Popen(
            command, env={"PATH": os.environ["PATH"], **environment}, stdout=log, stderr=log
        )
    with process:
        try:
            deadline = time.monotonic() + peers.READY_WITHIN
            while not _answers(socket):
                assert process.poll() is None, (folder / "daemon.log").read_text()
                assert time.monotonic() < deadline
                time.sleep(0.05)
            yield
        finally:
            process.terminate()


def _answers(place: Path) -> bool:
    """Whether somebody listens there: the name is there a moment before."""
    with contextlib.closing(sockets.socket(sockets.AF_UNIX)) as probe:
        return probe.connect_ex(str(place)) == 0


@contextlib.contextmanager
def docker(daemon: Path, environment: Mapping[str, str]) -> Iterator[tuple[str, ...]]:
    """A machine with Docker and no images: the words that make the client speak with it."""
    with tempfile.TemporaryDirectory() as name:  # the path of a socket is short
        folder = Path(name)
        socket = folder / "d.sock"
        command = [str(daemon), "--bridge=none", "--iptables=false", "--ip6tables=false"]
        command += ["--storage-driver=vfs", "--data-root", f"{name}/data", "--exec-root", f"{name}/exec"]
        with running([*command, "-p", f"{name}/pid", "-H", f"unix://{socket}"], socket, environment, folder):
            yield "-H", f"unix://{socket}"


def docker_context(home: Path) -> None:
    """What the smallest image is built of, in the folder `context`."""
    (home / "context").mkdir()
    (home / "context" / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /\n")
