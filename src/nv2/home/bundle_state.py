"""Which bundles were here: an older one must not bring back an older policy, nor move a tag to an older image."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import NamedTuple, TypeVar

from nv2.errors import ConfigurationError
from nv2.files import write_atomically
from nv2.home.json_files import read_object
from nv2.home.paths import Paths
from nv2.plain_text import parse_instant, rfc3339

MAX_STATE = 4096
"""Bytes: one name, one instant and one digest."""

T = TypeVar("T")


class TakenOver(NamedTuple):
    """The bundle whose policy was taken over last."""

    created: datetime
    digest: str
    """Of its contents."""


class Arrived(NamedTuple):
    """What a tag was imported from last."""

    created: datetime
    """When the bundle was made."""
    artifact: str
    """The digest that the tag got."""


def last_taken_over(paths: Paths) -> TakenOver | None:
    """None where none was. Raises `ConfigurationError` if the file cannot be read: then nobody knows."""
    return _read(_policies(paths), TakenOver, "policyCreated", "policyBundle")


def note_taken_over(paths: Paths, taken: TakenOver) -> None:
    """Remember `taken`. Raises `EnvironmentFailure`."""
    _write(_policies(paths), {"policyCreated": rfc3339(taken.created), "policyBundle": taken.digest})


def last_arrived(paths: Paths, name: str) -> Arrived | None:
    """What was imported last as `name`, with its tag. None and errors as for `last_taken_over`."""
    return _read(_arrivals(paths, name), Arrived, "created", "artifact")


def note_arrived(paths: Paths, name: str, arrived: Arrived) -> None:
    """Remember it. Raises `EnvironmentFailure`."""
    document = {"name": name, "created": rfc3339(arrived.created), "artifact": arrived.artifact}
    _write(_arrivals(paths, name), document)


def _read(file: Path, kind: Callable[[datetime, str], T], instant: str, digest: str) -> T | None:
    fields = read_object(file, MAX_STATE, "a note about bundles", ConfigurationError)
    if fields is None:
        return None
    created = parse_instant(fields.require(instant, str))
    if created is None:
        raise ConfigurationError("is not an instant", at=f"{file}: {instant}")
    return kind(created, fields.require(digest, str))


def _write(file: Path, document: dict[str, str]) -> None:
    write_atomically(file, json.dumps(document).encode())


def _policies(paths: Paths) -> Path:
    return paths.state / "bundles.json"


def _arrivals(paths: Paths, name: str) -> Path:
    return paths.state / "imported" / hashlib.sha256(name.encode()).hexdigest()
