"""A slice of the differential run; `make differential` runs all of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.differential.explained import ROWS
from tests.differential.run import results

DIFFERENCES = Path(__file__).parents[2] / "docs" / "differences.md"

EACH = 50
"""Cases of one test: enough to see every kind of change, in two seconds."""


@pytest.mark.peers
@pytest.mark.parametrize("first", [1, 51, 101])
def test_no_verdict_differs_without_a_reason(first: int, notation: Path, tmp_path: Path) -> None:
    found = list(results(range(first, first + EACH), tmp_path, notation))
    assert [result for result in found if result.fails] == []
    assert {"both yes", "both no"} <= {result.kind for result in found}


@pytest.mark.parametrize("row", sorted(ROWS))
def test_every_row_that_explains_is_on_the_page(row: str) -> None:
    assert f'<a id="{row}"></a>' in DIFFERENCES.read_text(encoding="utf-8")
