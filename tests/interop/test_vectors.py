"""The real notation says of every vector what the file records; `python -m tests.vectors.make --record` writes it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.interop.home import new_home
from tests.interop.layouts import notation_says
from tests.vectors.document import TRUSTED, paths, read
from tests.world.judged import write_stores

pytestmark = pytest.mark.peers


@pytest.mark.parametrize("path", paths(), ids=lambda path: path.stem)
def test_notation_says_what_is_recorded(path: Path, notation: Path, tmp_path: Path) -> None:
    vector = read(path)
    home = new_home(tmp_path, notation)
    write_stores(home.config, vector.case.stores)
    yes, printed = notation_says(home, vector.case)
    assert yes == (vector.notation == TRUSTED), printed
