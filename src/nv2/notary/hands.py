"""Several things at once, each of which has several jobs at once, and never more jobs than there are hands."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from nv2.notary.threads import NOTICE, Heap

T = TypeVar("T")

AHEAD = 4
"""Things begun before their turn to be handed out, for each hand: they wait in memory."""


class Hands:
    """`number` threads for everything. Things come first, in their order; a hand that finds none helps with the jobs of another.

    Who does a thing in `each` hands its jobs to the call of this object, which does them with the same hand, and with
    those that are idle.
    """

    def __init__(self, number: int) -> None:
        self._number = number
        self._idle = number
        self._returning = 0
        self._changed = threading.Condition()
        self._heaps: list[Heap[Any]] = []
        self._gone = threading.Event()

    def each(self, things: Sequence[Callable[[], T]]) -> Generator[T]:
        """The results of `things`, in order, for a thread that is no hand. When it is closed, nothing more is begun."""
        ahead = AHEAD * self._number
        heap = Heap(things[:ahead], self._gone)
        self._enter(heap)
        try:
            for index in range(len(things)):
                yield heap.result(index)
                if index + ahead < len(things):
                    heap.add(things[index + ahead])
                    self._employ()
        finally:
            self._gone.set()
            self._leave(heap)

    def __call__(self, jobs: Sequence[Callable[[], T]], /) -> Iterator[T]:
        """The results of `jobs`, in order, for a hand. Those that have not begun when one fails are dropped.

        Those that have begun are not waited for. Raises `Abandoned` if nobody wants the thing any more.
        """
        heap = Heap(jobs, self._gone)
        if len(jobs) > 1:
            self._enter(heap)
        try:
            for index in range(len(jobs)):
                while not heap.has(index) and (job := heap.take()):
                    job()
                if not heap.has(index):
                    with self.resting():  # whoever does it may be waiting for a hand
                        heap.wait(index)
                yield heap.result(index)
        finally:
            heap.drop()
            self._leave(heap)

    @contextmanager
    def resting(self) -> Iterator[None]:
        """For a hand that waits for another one: meanwhile there is an idle one more. It goes on before anything is begun."""
        with self._changed:
            self._idle += 1
            self._changed.notify_all()
        self._employ()
        try:
            yield
        finally:
            with self._changed:
                self._returning += 1
                while not self._idle:
                    self._changed.wait(NOTICE)
                self._returning -= 1
                self._idle -= 1
            self._employ()

    def _enter(self, heap: Heap[T]) -> None:
        with self._changed:
            self._heaps.append(heap)
        self._employ()

    def _leave(self, heap: Heap[T]) -> None:
        with self._changed:
            self._heaps = [other for other in self._heaps if other is not heap]

    def _employ(self) -> None:
        """Give idle hands something to do."""
        with self._changed:
            while self._idle > self._returning and (job := self._next()):
                self._idle -= 1
                threading.Thread(target=self._work, args=(job,), name="nv2-job", daemon=True).start()

    def _next(self) -> Callable[[], object] | None:
        """Something that nobody has begun: a thing before a job."""
        return next((job for heap in self._heaps if (job := heap.take())), None)

    def _work(self, job: Callable[[], object] | None) -> None:
        while job is not None:
            job()
            with self._changed:
                job = None if self._returning else self._next()
                if job is None:
                    self._idle += 1
                    self._changed.notify_all()
