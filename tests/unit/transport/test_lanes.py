from __future__ import annotations

import threading

from nv2.transport.lanes import Lane

LONG = 10.0
"""Seconds after which a thread would wait for ever."""


def test_a_worker_that_waits_for_a_further_request_gets_its_answer() -> None:
    """As an upload does whose body comes from the same registry, while all other workers do the same."""
    lane, all_here, answered = Lane(2), threading.Barrier(2), threading.Semaphore(0)

    def upload() -> None:
        body = threading.Event()
        all_here.wait(LONG)
        lane.submit(body.set)
        if body.wait(LONG):
            answered.release()

    for _ in range(2):
        lane.submit(upload)
    assert all(answered.acquire(timeout=2 * LONG) for _ in range(2))
