"""Where from, and where to."""

from __future__ import annotations

import pytest

from nv2.content.memory import MemoryStore
from tests.unit.copying.stores import Recording


@pytest.fixture
def source() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def destination() -> Recording:
    return Recording()
