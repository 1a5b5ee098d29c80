"""Real programs of other projects that the tests talk to: which, in which version, and where they are.

Each has a folder here with a Go module that pins it and everything it is made of by hash: the `tool` line
says what is built, the `require` line of its module which version. `plugin` is a program of our own. `make peers` builds them (`install`) into a
cache outside the clone; nothing here looks at anything but that cache and, for what comes from the system, PATH.
"""

from __future__ import annotations

import os
import re
import shutil
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent

FROM_THE_SYSTEM = ("docker", "docker-registry", "dockerd", "openssl", "skopeo", "softhsm2-util")
"""Peers that the system's package manager installs: CNCF Distribution 2.8 is Debian's `docker-registry`, SoftHSM2 `softhsm2`;
`docker` and `dockerd` its `docker.io`; `openssl` and `skopeo` are everybody's."""


class Peer(NamedTuple):
    """A program that is built from a Go module."""

    name: str
    version: str
    package: str
    go: tuple[int, ...]
    """The oldest Go that builds it."""

    @property
    def module(self) -> Path:
        """The folder of its pinned Go module."""
        return HERE / self.name

    @property
    def binary(self) -> str:
        """The file name of the program."""
        return self.package.rsplit("/", 1)[-1]


def built_peers() -> tuple[Peer, ...]:
    """Every peer that has a Go module here, by name."""
    return tuple(_read(path) for path in sorted(HERE.glob("*/go.mod")))


def names() -> tuple[str, ...]:
    """Every peer, wherever it comes from."""
    return (*(peer.name for peer in built_peers()), *FROM_THE_SYSTEM)


def cache() -> Path:
    """Where built peers are kept: `$NV2_PEERS_CACHE`, else `nv2/peers` in the user's cache."""
    if own := os.environ.get("NV2_PEERS_CACHE"):
        return Path(own)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "nv2" / "peers"


def place(peer: Peer, go_version: str) -> Path:
    """The program of `peer` as built by that Go, whether it is there or not."""
    return cache() / f"{peer.name}-{peer.version}-{go_version}" / peer.binary


def find(name: str) -> Path | None:
    """The program of the peer `name`, built by the newest Go if there are several; None if it is not here."""
    if name in FROM_THE_SYSTEM:
        found = shutil.which(name)
        return Path(found) if found else None
    peer = next(peer for peer in built_peers() if peer.name == name)
    programs = [
        path for path in cache().glob(f"{peer.name}-{peer.version}-go*/{peer.binary}") if path.is_file()
    ]
    return max(programs, key=lambda path: numbers(path.parent.name.rsplit("-go", 1)[-1]), default=None)


def numbers(version: str) -> tuple[int, ...]:
    """`go1.26.8` as (1, 26, 8), so that versions compare."""
    return tuple(int(part) for part in re.findall(r"\d+", version))


def _read(go_mod: Path) -> Peer:
    text = go_mod.read_text()
    package = _only(r"^tool (\S+)$", text, go_mod)
    modules = re.findall(r"^(?:require)?\s+(\S+) (v\S+)", text, re.MULTILINE)
    versions = (version for module, version in modules if package.startswith(f"{module}/"))
    version = next(versions, None) or _own_version(go_mod.parent)
    return Peer(go_mod.parent.name, version, package, numbers(_only(r"^go (\S+)$", text, go_mod)))


def _own_version(folder: Path) -> str:
    """For a program of our own, whose sources lie in `folder`: another one whenever they change."""
    sources = (path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())
    return f"v0-{sha256(b''.join(sources)).hexdigest()[:12]}"


def _only(pattern: str, text: str, where: Path) -> str:
    found = re.findall(pattern, text, re.MULTILINE)
    if len(found) != 1:
        raise ValueError(f"{where}: expected one line like {pattern}, found {len(found)}")
    return str(found[0])
