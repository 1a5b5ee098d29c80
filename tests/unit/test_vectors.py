"""Every vector of `tests/vectors` comes out as it says, and the recipes still make it."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from tests.vectors import make
from tests.vectors.document import WORDS, paths, read
from tests.world.judged import judged, write_stores

VECTORS = {path.stem: read(path) for path in paths()}
DIFFERENCES = Path(__file__).parents[2] / "docs" / "differences.md"


@pytest.mark.parametrize("name", VECTORS)
def test_nv2_says_what_the_vector_expects(name: str, tmp_path: Path) -> None:
    vector = VECTORS[name]
    write_stores(tmp_path / ".config" / "notation", vector.case.stores)
    answer = judged(vector.case, vector.time, tmp_path)
    assert (WORDS[answer.verdict], answer.validation) == (vector.expect, vector.validation), answer.reason


@pytest.mark.parametrize("year", [2026, 2043])
def test_a_good_vector_stays_good(year: int, tmp_path: Path) -> None:
    vector = VECTORS["jws-good"]
    write_stores(tmp_path / ".config" / "notation", vector.case.stores)
    assert judged(vector.case, datetime(year, 1, 2, tzinfo=vector.time.tzinfo), tmp_path).verdict == "trusted"


def test_the_recipes_make_the_files_to_the_byte() -> None:
    assert make.made() == {path.stem: path.read_text(encoding="utf-8") for path in paths()}


def test_every_vector_says_what_notation_says() -> None:
    assert [name for name, vector in VECTORS.items() if not vector.notation] == []


@pytest.mark.parametrize("name", [name for name, vector in VECTORS.items() if vector.differs])
def test_a_difference_to_notation_is_a_row_of_the_page(name: str) -> None:
    vector = VECTORS[name]
    assert vector.difference, f"notation: {vector.notation}"
    assert f'id="{vector.difference}"' in DIFFERENCES.read_text(encoding="utf-8")


def test_no_vector_is_trusted_here_that_notation_refuses() -> None:
    lax = [name for name, vector in VECTORS.items() if vector.differs and vector.expect == "trusted"]
    assert lax == []
