"""A layout in a directory."""

from __future__ import annotations

from pathlib import Path

import pytest

from nv2.content.layout.store import LayoutStore
from tests.world.artifacts import (
    thread_lock,
)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "layout"


@pytest.fixture
def store(directory: Path) -> LayoutStore:
    return LayoutStore(directory, create=True, lock=thread_lock())
