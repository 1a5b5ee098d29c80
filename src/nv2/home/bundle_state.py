"""Which signed bundle this machine took its trust policy from: an older one must not bring an older policy back."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from nv2.errors import ConfigurationError
from nv2.files import write_atomically
from nv2.home.json_files import read_object
from nv2.home.paths import Paths
from nv2.plain_text import rfc3339

MAX_STATE = 4096
"""Bytes: one instant and one digest."""


class TakenOver(NamedTuple):
    """The bundle whose policy was taken over last."""

    created: datetime
    digest: str
    """Of its contents."""


def last_taken_over(paths: Paths) -> TakenOver | None:
    """None where none was. Raises `ConfigurationError` if the file cannot be read: then nobody knows."""
    fields = read_object(_file(paths), MAX_STATE, "a note about bundles", ConfigurationError)
    if fields is None:
        return None
    text = fields.require("policyCreated", str)
    try:
        created = datetime.fromisoformat(text)
    except ValueError:
        created = None
    if created is None or created.tzinfo is None:
        raise ConfigurationError("is not an instant", at=f"{_file(paths)}: policyCreated")
    return TakenOver(created, fields.require("policyBundle", str))


def note_taken_over(paths: Paths, taken: TakenOver) -> None:
    """Remember `taken`. Raises `EnvironmentFailure`."""
    document = {"policyCreated": rfc3339(taken.created), "policyBundle": taken.digest}
    write_atomically(_file(paths), json.dumps(document).encode())


def _file(paths: Paths) -> Path:
    return paths.state / "bundles.json"
