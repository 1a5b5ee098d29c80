"""Docker's `config.json`, where most machines have the credentials of registries: found, and read whole.

What this module does not do: say what is in it; that is `transport.credentials`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from nv2.errors import CredentialError
from nv2.files import read_file

MAX_DOCKER_CONFIG = 1024 * 1024
"""Bytes of the file: thousands of registries."""


class DockerConfigFile(NamedTuple):
    """Where the file is, or would be, and what it holds."""

    path: Path
    data: bytes | None
    """None if there is no such file."""


def docker_config_file(environ: Mapping[str, str]) -> DockerConfigFile | None:
    """The file that `environ` leads to: in `DOCKER_CONFIG`, else in `.docker` at home; None if it leads nowhere.

    Raises `CredentialError` if the file cannot be read.
    """
    folder = environ.get("DOCKER_CONFIG")
    home = environ.get("HOME") or environ.get("USERPROFILE")
    if not folder and not home:
        return None
    path = (Path(folder) if folder else Path(home or "") / ".docker") / "config.json"
    if not path.exists():
        return DockerConfigFile(path, None)
    return DockerConfigFile(
        path, read_file(path, MAX_DOCKER_CONFIG, "Docker's configuration", error=CredentialError)
    )
