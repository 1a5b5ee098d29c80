from __future__ import annotations

from pathlib import Path

import pytest

from nv2.home.paths import Paths


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    """The directories of somebody whose home is a temporary directory."""
    return Paths.from_environment({"HOME": str(tmp_path)}, "linux")
