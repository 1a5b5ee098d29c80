"""Docker's `certs.d` directories: whom to believe, and who we are, towards one registry.

In `HOST[:PORT]/`, `*.crt` are authorities, and `NAME.cert` with `NAME.key` is a client certificate with its key.
Docker's own rules: https://docs.docker.com/engine/security/certificates/. Nothing is written here.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from nv2.errors import ConfigurationError

SYSTEM = Path("/etc/docker/certs.d")
"""Where Docker's daemon looks when it is not rootless."""

MAX_FILES = 100
"""Files that a directory may hold: a few authorities and one client certificate."""

_FLAGS = "--ca-file, --client-cert and --client-key name other files"


class DockerCertificates(NamedTuple):
    """What a directory holds, as paths of files in PEM."""

    authorities: tuple[str, ...] = ()
    client_certificate: str | None = None
    client_key: str | None = None


def certificate_directories(environ: Mapping[str, str], platform: str = sys.platform) -> tuple[Path, ...]:
    """Where `certs.d` directories may be, in order: Docker Desktop's, that of a rootless daemon, the machine's."""
    home = environ.get("HOME") or environ.get("USERPROFILE")
    desktop = environ.get("DOCKER_CONFIG") or (home and Path(home, ".docker"))
    rootless = environ.get("XDG_CONFIG_HOME") or (home and Path(home, ".config"))
    machine = SYSTEM
    if platform == "win32":
        machine = Path(environ.get("PROGRAMDATA") or r"C:\ProgramData", "docker", "certs.d")
    found = (desktop and Path(desktop, "certs.d"), rootless and Path(rootless, "docker", "certs.d"), machine)
    return tuple(path for path in found if path)


def docker_certificates(
    directories: Iterable[Path], names: Sequence[str], platform: str = sys.platform
) -> DockerCertificates | None:
    """What the first directory says that there is for one of `names` (`host:port`, or `host`); None if there is none.

    A place that this user may not enter counts as none. Raises `ConfigurationError` for a directory that is there and
    cannot be read, for half a pair, and for several client certificates.
    """
    for directory in directories:
        for name in names:
            # A colon is no part of a file name on Windows; Docker leaves it out there.
            place = directory / (name.replace(":", "") if platform == "win32" else name)
            if os.path.isdir(place):  # unlike `Path.is_dir`, it says no where this user may not look
                return read_certificates(place)
    return None


def read_certificates(place: Path) -> DockerCertificates:
    """What the directory `place` holds. Raises `ConfigurationError` as `docker_certificates`."""
    files = {path.name: path for path in _listed(place)}
    authorities = tuple(str(files[name]) for name in sorted(files) if name.endswith(".crt"))
    stems = {name.rpartition(".")[0] for name in files if name.endswith((".cert", ".key"))}
    pairs = [(place / f"{stem}.cert", place / f"{stem}.key") for stem in sorted(stems)]
    for pair in pairs:
        _check_pair(pair, files)
    if len(pairs) > 1:
        raise ConfigurationError("more than one client certificate", at=str(place), hint=_FLAGS)
    return DockerCertificates(authorities, *(str(path) for path in (pairs[0] if pairs else ())))


def _check_pair(pair: Sequence[Path], files: Mapping[str, Path]) -> None:
    for path, other in (pair, pair[::-1]):
        if path.name not in files:
            raise ConfigurationError(
                f"there is no {path.name} that belongs to {other.name}",
                at=str(path.parent),
                hint=f"authorities end in .crt, client certificates in .cert. {_FLAGS}",
            )


def _listed(place: Path) -> list[Path]:
    """The files that count, all of which this user may read."""
    try:
        found = [path for path in place.iterdir() if path.suffix in (".crt", ".cert", ".key")]
    except OSError as e:
        raise ConfigurationError(
            f"cannot read the directory: {e.strerror}", at=str(place), hint=_FLAGS
        ) from None
    if len(found) > MAX_FILES:
        raise ConfigurationError(f"more than {MAX_FILES} certificates and keys", at=str(place))
    for path in found:
        if not os.access(path, os.R_OK):
            raise ConfigurationError("cannot be read by this user", at=str(path), hint=_FLAGS)
    return found
