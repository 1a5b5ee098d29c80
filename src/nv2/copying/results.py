"""What a copy says of itself: piece by piece as it goes on, and all of it at the end."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import NamedTuple

from nv2.oci.descriptor import Descriptor


class Outcome(Enum):
    """What became of one piece of content."""

    COPIED = "copied"
    MOUNTED = "mounted"
    SKIPPED = "skipped"
    """It was there already."""
    LEFT = "left"
    """Not meant to be copied; `Left` says why."""


class CopyEvent(NamedTuple):
    """One more piece of content is done."""

    outcome: Outcome
    descriptor: Descriptor
    done: int
    """Pieces, this one included."""
    total: int
    """Pieces in all."""


class Left(NamedTuple):
    """A piece of content that was not meant to be copied."""

    descriptor: Descriptor
    reason: str
    """Why, in a few words: one of those below, or what the trust policy found."""


FOREIGN = "its maker publishes it elsewhere"
SUBJECT = "the subject of what was copied"
OTHER_TYPE = "of a type that was not asked for"
NOT_THERE = "what it belongs to is not at the destination"


class CopyResult(NamedTuple):
    """What a copy came to. Blobs and manifests alike, each once."""

    root: Descriptor
    copied: tuple[Descriptor, ...]
    mounted: tuple[Descriptor, ...]
    skipped: tuple[Descriptor, ...]
    left: tuple[Left, ...]
    problems: tuple[str, ...]
    """Referrers that were left out because they, or a part of them, cannot be read; one line each."""
    bytes_sent: int
    """Bytes of what was copied."""


Listener = Callable[[CopyEvent], None]


def nobody(_: CopyEvent) -> None:
    """Nobody listens."""


class Ledger:
    """What was done so far. `total` is how many pieces there are to do."""

    def __init__(self, progress: Listener) -> None:
        self.total = 0
        self.problems: list[str] = []
        self._progress = progress
        self._done: dict[Outcome, list[Descriptor]] = {outcome: [] for outcome in Outcome}
        self._left: list[Left] = []

    def enter(self, outcome: Outcome, descriptor: Descriptor) -> None:
        """One more piece was done, and who listens hears of it."""
        self._done[outcome].append(descriptor)
        done = sum(len(listed) for listed in self._done.values())
        self._progress(CopyEvent(outcome, descriptor, done, self.total))

    def leave(self, descriptor: Descriptor, reason: str) -> None:
        """Note what is left; nothing is done about it, so nobody hears of it now."""
        self._left.append(Left(descriptor, reason))

    def result(self, root: Descriptor) -> CopyResult:
        """What was done to copy `root`."""
        copied, mounted, skipped, foreign = (tuple(self._done[outcome]) for outcome in Outcome)
        left = (*(Left(blob, FOREIGN) for blob in foreign), *self._left)
        sent = sum(descriptor.size for descriptor in copied)
        return CopyResult(root, copied, mounted, skipped, left, tuple(self.problems), sent)
