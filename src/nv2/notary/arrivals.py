"""What several copies that are under way at once share: whatever one of them brings, the others need not."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager

from nv2.copying import Outcome
from nv2.errors import Nv2Error
from nv2.notary.hands import Hands
from nv2.notary.threads import NOTICE

MAX_REMEMBERED = 50_000
"""Pieces of content that are known to have arrived, about 400 bytes each; the oldest are forgotten, and asked for again."""

ARRIVED = (Outcome.COPIED, Outcome.MOUNTED, Outcome.SKIPPED)


class Together:
    """What copies share, of which `number` hands do everything."""

    def __init__(self, number: int) -> None:
        self.hands = Hands(number)
        self._changed = threading.Condition()
        self._busy: set[Hashable] = set()
        self._there: dict[Hashable, None] = {}

    @contextmanager
    def alone(self, key: Hashable) -> Iterator[bool]:
        """Wait for whoever is at `key`, and let nobody else begin with it meanwhile; whether it has arrived."""
        while not self._begin(key):
            with self.hands.resting():
                self._wait(key)
        try:
            yield key in self._there
        finally:
            with self._changed:
                self._busy.discard(key)
                self._changed.notify_all()

    def _begin(self, key: Hashable) -> bool:
        """Whether nobody is at `key`: then whoever asks is."""
        with self._changed:
            if key in self._busy:
                return False
            self._busy.add(key)
            return True

    def _wait(self, key: Hashable) -> None:
        with self._changed:
            while key in self._busy:
                self._changed.wait(NOTICE)

    def once(self, place: str, key: Hashable, job: Callable[[], Outcome | Nv2Error]) -> Outcome | Nv2Error:
        """What became of the content `key` of `place`: by `job`, unless another copy has brought it there."""
        with self.alone((place, key)) as there:
            if there:
                return Outcome.SKIPPED
            outcome = job()
            if outcome in ARRIVED:
                self._remember((place, key))
            return outcome

    def _remember(self, key: Hashable) -> None:
        with self._changed:
            self._there[key] = None
            if len(self._there) > MAX_REMEMBERED:
                del self._there[next(iter(self._there))]
