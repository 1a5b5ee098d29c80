"""The programs under test, in a home of their own: one key, one trust store and one strict policy for both."""

from __future__ import annotations

import compileall
import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from tests.peers import find

SUBJECT = "C=US,ST=WA,O=wabbit-networks.io"
KEY = "bench"
LAUNCHER = Path(__file__).with_name("launcher.py")


class Run(NamedTuple):
    """What one process cost."""

    wall: float
    """Milliseconds."""
    peak: float
    """Resident memory, MiB."""


class Program(NamedTuple):
    """A program and the environment it runs in."""

    name: str
    command: tuple[str, ...]
    environment: dict[str, str]

    def run(self, *arguments: str) -> Run:
        """Run it in a process of its own, which must succeed."""
        command = [*self.command, *arguments]
        finished = subprocess.run(
            [sys.executable, "-I", "-S", str(LAUNCHER), *command],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        wall, peak, code = finished.stdout.split() or ("0", "0", "not started")
        if code != "0":
            sys.exit(f"{' '.join(command)}: exit {code}\n{finished.stderr}")
        return Run(float(wall), float(peak) / 1024)


class Programs(NamedTuple):
    """What is measured against what."""

    bare: Program
    """The interpreter that runs nv2, doing nothing."""
    nv2: Program
    notation: Program | None
    """None where it is not here: see `make peers`."""


def prepare(folder: Path) -> Programs:
    """Both programs with `folder` as their home, and byte code compiled, which is not what is measured."""
    config = folder / "notation"
    environment = {
        "HOME": str(folder),
        "PATH": os.defpath,
        "NOTATION_CONFIG": str(config),
        "XDG_CONFIG_HOME": str(folder),
        "XDG_CACHE_HOME": str(folder / "cache"),
        "XDG_STATE_HOME": str(folder / "state"),
    }
    _compile("nv2", "cryptography")
    bare = Program("bare python", (sys.executable, "-I", "-c", "pass"), environment)
    nv2 = Program("nv2", (str(Path(sys.executable).with_name("nv2")),), environment)
    nv2.run("key", "generate", KEY, "--subject", SUBJECT, "--default")
    nv2.run("cert", "add", "--type", "ca", "--store", KEY, str(config / "localkeys" / f"{KEY}.crt"))
    _write_policy(config / "trustpolicy.json")
    notation = find("notation")
    return Programs(bare, nv2, Program("notation", (str(notation),), environment) if notation else None)


def _compile(*packages: str) -> None:
    for package in packages:
        found = find_spec(package)
        for place in found.submodule_search_locations or () if found else ():
            compileall.compile_dir(place, quiet=2)


def _write_policy(path: Path) -> None:
    statement = {
        "name": KEY,
        "registryScopes": ["*"],
        "signatureVerification": {"level": "strict"},
        "trustStores": [f"ca:{KEY}"],
        "trustedIdentities": [f"x509.subject:{SUBJECT}"],
    }
    path.write_text(json.dumps({"version": "1.0", "trustPolicies": [statement]}))
    path.chmod(0o600)
