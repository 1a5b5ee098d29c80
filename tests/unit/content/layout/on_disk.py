"""What lies in the directory of a layout."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nv2.content.layout.store import LayoutStore
from nv2.oci.descriptor import Descriptor
from tests.world.artifacts import (
    thread_lock,
)


def reopened(directory: Path) -> LayoutStore:
    return LayoutStore(directory, lock=thread_lock())


def files(directory: Path) -> dict[str, bytes]:
    return {str(p.relative_to(directory)): p.read_bytes() for p in directory.rglob("*") if p.is_file()}


def index_of(directory: Path) -> Any:
    return json.loads((directory / "index.json").read_bytes())


def blob_path(directory: Path, descriptor: Descriptor) -> Path:
    return directory / "blobs" / descriptor.digest.replace(":", "/")


def change_index(directory: Path, change: Callable[[Any], None]) -> None:
    document = index_of(directory)
    change(document)
    (directory / "index.json").write_text(json.dumps(document))
