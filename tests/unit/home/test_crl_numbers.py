from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from nv2.home.crl_numbers import CrlNumbers
from nv2.home.lock import host_lock
from nv2.home.paths import Paths

SERIES, OTHER = "aa" * 32, "bb" * 32


def numbers_of(paths: Paths) -> CrlNumbers:
    return CrlNumbers(paths.crl_numbers, host_lock(paths.locks))


@pytest.fixture
def numbers(paths: Paths) -> CrlNumbers:
    return numbers_of(paths)


def test_numbers_grow_or_stay(numbers: CrlNumbers) -> None:
    assert [numbers.refusal(SERIES, number) for number in (0, 0, 7, 7, 8, 2**159)] == [None] * 6


def test_a_lower_number_is_refused_in_the_next_run_too(paths: Paths) -> None:
    assert numbers_of(paths).refusal(SERIES, 8) is None
    for number in (7, 0):
        assert f"is number {number}, and number 8 was seen" in str(numbers_of(paths).refusal(SERIES, number))
    assert numbers_of(paths).refusal(SERIES, 8) is None


def test_after_a_number_none_is_refused_but_not_before(numbers: CrlNumbers) -> None:
    assert numbers.refusal(SERIES, None) is None
    assert numbers.refusal(SERIES, 1) is None
    assert "has no number" in str(numbers.refusal(SERIES, None))


def test_who_only_asks_whether_a_number_is_older_leaves_none(numbers: CrlNumbers) -> None:
    assert numbers.older(SERIES, 9) is None
    assert numbers.refusal(SERIES, 8) is None, "9 was not remembered"
    assert [numbers.older(SERIES, number) for number in (8, 9)] == [None, None]
    assert "is number 7" in str(numbers.older(SERIES, 7))
    assert "has no number" in str(numbers.older(SERIES, None))


def test_a_record_that_cannot_be_read_is_a_warning(numbers: CrlNumbers, paths: Paths) -> None:
    (paths.crl_numbers / SERIES).mkdir(parents=True)
    assert numbers.older(SERIES, 1) is None
    assert SERIES in str(numbers.warnings[0])


def test_each_series_counts_for_itself(numbers: CrlNumbers) -> None:
    assert numbers.refusal(SERIES, 8) is None
    assert numbers.refusal(OTHER, 1) is None


@pytest.mark.parametrize("content", [b"", b"eight", b"-8", b"8" * 65, "²".encode()])
def test_a_broken_record_begins_anew_with_a_warning(
    numbers: CrlNumbers, paths: Paths, content: bytes
) -> None:
    paths.crl_numbers.mkdir(parents=True)
    (paths.crl_numbers / SERIES).write_bytes(content)
    assert numbers.refusal(SERIES, 3) is None
    assert SERIES in str(numbers.warnings[0])


def test_a_state_that_cannot_be_written_is_a_warning(numbers: CrlNumbers, paths: Paths) -> None:
    paths.state.parent.mkdir(parents=True)
    paths.state.write_text("a file stands here")
    assert numbers.refusal(SERIES, 3) is None
    assert len(numbers.warnings) == 1


def test_the_highest_of_many_processes_stays(paths: Paths) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: numbers_of(paths).refusal(SERIES, number), range(40)))
    assert (paths.crl_numbers / SERIES).read_text() == "39\n"


def test_who_does_not_learn_refuses_and_writes_nothing(paths: Paths) -> None:
    reader = CrlNumbers(paths.crl_numbers, host_lock(paths.locks), learn=False)
    assert reader.refusal(SERIES, 8) is None and not paths.state.exists()
    numbers_of(paths).refusal(SERIES, 8)
    assert reader.refusal(SERIES, 9) is None
    assert "number 8 was seen" in str(reader.refusal(SERIES, 7))
