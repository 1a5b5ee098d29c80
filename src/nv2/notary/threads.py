"""Several jobs at once, in threads; their results come in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")

MAX_AT_ONCE = 8
"""Jobs that are done at the same time; the transport bounds requests per host besides."""

NOTICE = 0.5
"""Seconds. A signal that comes just before a wait does not end it: each wait is short, then Python looks."""


def at_once(jobs: Sequence[Callable[[], T]], /, *, limit: int = MAX_AT_ONCE) -> Iterator[T]:
    """The results of `jobs`, in order, at most `limit` under way; those that have not begun when one fails are dropped.

    Those that have begun are not waited for: who interrupts a copy of gigabytes wants it to end. The
    session removes what is half-written.
    """
    if len(jobs) < 2:
        yield from (job() for job in jobs)
        return
    from concurrent.futures import ThreadPoolExecutor, wait

    pool = ThreadPoolExecutor(limit)
    try:
        waiting = deque(pool.submit(job) for job in jobs)
        while waiting:
            first = waiting.popleft()
            while not first.done():
                wait((first,), NOTICE)
            yield first.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
