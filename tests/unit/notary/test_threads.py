"""Several jobs at once."""

from __future__ import annotations

import threading
from functools import partial

import pytest

from nv2.notary.threads import MAX_AT_ONCE, at_once


def test_results_come_in_order_whoever_is_done_first() -> None:
    first = threading.Event()
    jobs = [lambda: first.wait(10) and "slow", lambda: first.set() or "fast"]
    assert list(at_once(jobs)) == ["slow", "fast"]


def test_a_single_job_needs_no_thread() -> None:
    assert list(at_once([threading.get_ident])) == [threading.get_ident()]
    assert list(at_once([])) == []


def test_only_so_many_are_done_at_a_time() -> None:
    together = threading.Barrier(MAX_AT_ONCE)
    assert len(set(at_once([partial(together.wait, 10)] * MAX_AT_ONCE))) == MAX_AT_ONCE
    running: list[int] = []
    most = 0
    lock = threading.Lock()

    def count() -> None:
        nonlocal most
        with lock:
            running.append(1)
            most = max(most, len(running))
        with lock:
            running.pop()

    list(at_once([count] * 200))
    assert most <= MAX_AT_ONCE


def test_what_has_not_begun_when_one_fails_is_dropped() -> None:
    done: list[int] = []
    hold = threading.Event()

    def job(number: int) -> None:
        if number == 0:
            raise ValueError("0")
        hold.wait(10)
        done.append(number)

    with pytest.raises(ValueError, match="0"):
        list(at_once([partial(job, number) for number in range(100)]))
    hold.set()
    assert len(done) <= 2 * MAX_AT_ONCE
