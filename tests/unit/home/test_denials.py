from __future__ import annotations

from pathlib import Path

import pytest

from nv2.errors import DenialListError
from nv2.home.denials import MAX_DENIALS, change_denials, load_denials
from nv2.home.paths import Paths


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths.from_environment({"HOME": str(tmp_path), "NV2_CONFIG": str(tmp_path / "own")})


def test_a_list_that_could_not_be_read_again_is_not_written(paths: Paths) -> None:
    change_denials(paths, lambda _: b"short")
    with pytest.raises(DenialListError, match="more than"):
        change_denials(paths, lambda _: bytes(MAX_DENIALS + 1))
    assert load_denials(paths) == b"short"


def test_a_change_that_fails_leaves_the_list_and_nothing_else(paths: Paths) -> None:
    change_denials(paths, lambda _: b"short")

    def fail(_: bytes | None) -> bytes:
        raise DenialListError("no")

    with pytest.raises(DenialListError):
        change_denials(paths, fail)
    assert [path.name for path in paths.denials.parent.iterdir()] == ["denials.json"]
    assert load_denials(paths) == b"short"
