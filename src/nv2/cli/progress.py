"""How far a copy is: one line that changes on a terminal, a line now and then in a log, nothing in a pipe.

Nothing is shown of what is done within a second.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from nv2.copying import Outcome
from nv2.oci.manifest import is_manifest

if TYPE_CHECKING:
    from nv2.cli.output import Output
    from nv2.oci.descriptor import Descriptor

AFTER = 1.0
"""Seconds before anything is shown: what is shorter needs no patience."""

REDRAW = 0.1
"""Seconds between two states of the line on a terminal: as fast as eyes read numbers."""

LOGGED = 10.0
"""Seconds between two lines of a log."""

SPAN = 5.0
"""Seconds over which the rate is taken: an average of everything would not show that the line got slow."""

ENOUGH = 1024 * 1024
"""Bytes, or a hundredth of all, before the time left is told: configs and signatures come first, and say nothing of the line."""


class Medium(Enum):
    """Where progress is shown; as `Output.watched_by` calls it."""

    TERMINAL = "terminal"
    LOG = "log"

    @property
    def pause(self) -> float:
        """Seconds between two showings."""
        return REDRAW if self is Medium.TERMINAL else LOGGED


class _Sample(NamedTuple):
    at: float
    moved: int


class Progress:
    """Hears what a copy does, in whatever thread, and shows it by `show`. Close it at the end.

    `clear` takes the line away that `show` wrote last, where lines can be taken away. Of several `artifacts` each is a `part`.
    """

    def __init__(
        self,
        medium: Medium,
        show: Callable[[str], object],
        clear: Callable[[], object],
        clock: Callable[[], float] = time.monotonic,
        *,
        artifacts: int = 1,
    ) -> None:
        self._medium = medium
        self._show = show
        self._clear = clear
        self._clock = clock
        # An interruption just as `aside` is entered holds it until the traceback goes: `close` must not wait for that.
        self._lock = threading.RLock()
        self._began = clock()
        self._shown = self._began + AFTER - medium.pause
        self._pieces = self._all_pieces = 0
        self._spared = self._moved = self._size = 0
        self._samples = [_Sample(self._began, 0)]
        self._ended = False
        self._artifacts = artifacts
        self._known = self._over = 0

    @contextmanager
    def part(self) -> Iterator[_Part]:
        """One of several artifacts. What was expected of it and not done by its end is expected no longer."""
        part = _Part(self)
        try:
            yield part
        finally:
            part.learn()
            with self._lock:
                self._over += 1
                self._all_pieces -= part.pieces
                self._size -= part.size

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Show nothing while something else is printed."""
        with self._lock:
            self._clear()
            yield

    def learn(self) -> None:
        """The size of one more artifact is known."""
        with self._lock:
            self._known += 1

    def expect(self, pieces: int, size: int) -> None:
        """So many more pieces, of so many bytes all together, will be done."""
        with self._lock:
            self._all_pieces += pieces
            self._size += size

    def moved(self, size: int) -> None:
        """Bytes were sent."""
        with self._lock:
            self._moved += size
            self._tick()

    def done(self, outcome: Outcome, descriptor: Descriptor) -> None:
        """One more piece is done. What the source need not give counts as arrived, and not as moved."""
        blob_was_sent = outcome is Outcome.COPIED and not is_manifest(descriptor.media_type)
        with self._lock:
            self._pieces += 1
            self._spared += 0 if blob_was_sent else descriptor.size
            self._tick()

    def close(self) -> None:
        """Show nothing more; a line on a terminal goes."""
        with self._lock:
            if not self._ended:
                self._ended = True
                self._clear()

    def _tick(self) -> None:
        now = self._clock()
        if self._ended or now - self._shown < self._medium.pause or now - self._began < AFTER:
            return
        self._shown = now
        self._samples = [s for s in self._samples if now - s.at <= SPAN] or self._samples[-1:]
        rate = _rate(self._samples[0], _Sample(now, self._moved))
        self._samples.append(_Sample(now, self._moved))
        self._show(self._line(rate))

    def _line(self, rate: float) -> str:
        arrived = min(self._moved + self._spared, self._size)
        said = [f"{self._over} of {self._artifacts} artifacts"] if self._artifacts > 1 else []
        said += [
            f"{self._pieces} of {self._all_pieces} pieces",
            f"{readable_size(arrived)} of {readable_size(self._size)}",
        ]
        if rate > 0:
            said.append(f"{readable_size(int(rate))}/s")
        is_measured = rate > 0 and self._moved >= min(ENOUGH, self._size / 100)
        if is_measured and (self._artifacts == 1 or self._known == self._artifacts):
            said.append(f"{readable_time((self._size - arrived) / rate)} left")
        return ", ".join(said)


class _Part:
    """Hears what the copy of one of several artifacts does; its jobs may be done in several threads."""

    def __init__(self, whole: Progress) -> None:
        self._whole = whole
        self._lock = threading.Lock()
        self._is_known = False
        self.pieces = self.size = 0
        """What is still expected."""

    def learn(self) -> None:
        """Its size is known."""
        if not self._is_known:
            self._is_known = True
            self._whole.learn()

    def expect(self, pieces: int, size: int) -> None:
        """As `Progress.expect`."""
        self.learn()
        self._count(pieces, size)
        self._whole.expect(pieces, size)

    def moved(self, size: int) -> None:
        """As `Progress.moved`."""
        self._whole.moved(size)

    def done(self, outcome: Outcome, descriptor: Descriptor) -> None:
        """As `Progress.done`."""
        self._count(-1, -descriptor.size)
        self._whole.done(outcome, descriptor)

    def _count(self, pieces: int, size: int) -> None:
        with self._lock:
            self.pieces += pieces
            self.size += size


@contextmanager
def progress_on(output: Output, artifacts: int = 1) -> Iterator[Progress | None]:
    """Progress for what is done inside, where somebody watches; nothing of it is left on a terminal."""
    watched_by = output.watched_by()
    if watched_by is None:
        yield None
        return
    medium = Medium(watched_by)
    show = output.passing if medium is Medium.TERMINAL else output.note
    progress = Progress(medium, show, lambda: output.passing(""), artifacts=artifacts)
    try:
        yield progress
    finally:
        progress.close()


def _rate(before: _Sample, now: _Sample) -> float:
    """Bytes per second."""
    return (now.moved - before.moved) / (now.at - before.at) if now.at > before.at else 0.0


def readable_size(size: int) -> str:
    """Bytes as people read them: `512 B`, `1.5 KiB`, `20 MiB`."""
    amount = float(size)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if amount < 1024 or unit == "GiB":
            break
        amount /= 1024
    return f"{amount:.1f} {unit}" if unit != "B" and amount < 10 else f"{amount:.0f} {unit}"


def readable_time(seconds: float) -> str:
    """Seconds as people read them: `5 s`, `2 min 5 s`, `1 h 2 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
