"""The latest instant that is known to have passed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from nv2.home.clock_floor import ClockFloor
from nv2.home.lock import host_lock
from nv2.home.paths import Paths

INSTANT = datetime(2026, 11, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def floor_of(paths: Paths) -> ClockFloor:
    return ClockFloor(paths.clock_floor, host_lock(paths.locks))


def test_nothing_is_known_at_first(paths: Paths) -> None:
    assert floor_of(paths).read() is None and not paths.clock_floor.exists()


def test_it_rises_and_never_sinks_in_later_runs_too(paths: Paths) -> None:
    for given, expected in ((INSTANT, INSTANT), (INSTANT - DAY, INSTANT), (INSTANT + DAY, INSTANT + DAY)):
        floor_of(paths).raise_to(given)
        assert floor_of(paths).read() == expected


@pytest.mark.parametrize("text", ["", "tomorrow", "2026-11-01T12:00:00", "\xff", "2026-11-01T12:00:00Z" * 9])
def test_a_file_that_cannot_be_understood_is_a_warning_and_is_written_anew(paths: Paths, text: str) -> None:
    paths.clock_floor.parent.mkdir(parents=True)
    paths.clock_floor.write_bytes(text.encode("latin-1"))
    floor = floor_of(paths)
    assert floor.read() is None and str(paths.clock_floor) in str(floor.warnings[0])
    floor.raise_to(INSTANT)
    assert floor_of(paths).read() == INSTANT
