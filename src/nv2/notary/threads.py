"""Several jobs at once, in threads; their results come in order."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Generic, TypeVar

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
    heap = Heap(jobs)
    for _ in range(min(limit, len(jobs))):
        threading.Thread(target=heap.work, name="nv2-job", daemon=True).start()
    try:
        for index in range(len(jobs)):
            yield heap.result(index)
    finally:
        heap.drop()


class Abandoned(Exception):
    """Whoever wanted the results has gone."""


class Heap(Generic[T]):
    """Jobs, and what came of those that were done. After `gone` is set nobody begins one, or waits for one.

    `concurrent.futures` does the same, and loads `logging`, which costs more than they do.
    """

    def __init__(self, jobs: Sequence[Callable[[], T]], gone: threading.Event | None = None) -> None:
        self._waiting = deque(enumerate(jobs))
        self._count = len(jobs)
        self._done: dict[int, tuple[T] | BaseException] = {}
        self._changed = threading.Condition()
        self._gone = gone or threading.Event()

    def add(self, job: Callable[[], T]) -> None:
        """One more job, after the others."""
        self._waiting.append((self._count, job))
        self._count += 1

    def take(self) -> Callable[[], object] | None:
        """A job that nobody has begun, for whoever calls it now; None if there is none, or nobody wants any."""
        if self._gone.is_set():
            return None
        try:
            index, job = self._waiting.popleft()
        except IndexError:
            return None
        return lambda: self._do(index, job)

    def work(self) -> None:
        """One job after the other, until none is left."""
        while job := self.take():
            job()

    def _do(self, index: int, job: Callable[[], T]) -> None:
        outcome: tuple[T] | BaseException
        try:
            outcome = (job(),)
        except BaseException as e:  # raised where the result is wanted
            outcome = e
        with self._changed:
            self._done[index] = outcome
            self._changed.notify_all()

    def has(self, index: int) -> bool:
        """Whether the job was done."""
        return index in self._done

    def wait(self, index: int) -> None:
        """Until the job was done. Raises `Abandoned`."""
        with self._changed:
            while index not in self._done:
                if self._gone.is_set():
                    raise Abandoned
                self._changed.wait(NOTICE)

    def result(self, index: int) -> T:
        """What came of the job; waits for it. Raises what it raised, or `Abandoned`."""
        self.wait(index)
        outcome = self._done.pop(index)
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome[0]

    def drop(self) -> None:
        """Begin no further job."""
        self._waiting.clear()
