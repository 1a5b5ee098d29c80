"""What a copy says of itself: piece by piece as it goes on, and all of it at the end."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable
from enum import Enum
from typing import NamedTuple, Protocol

from nv2.errors import Nv2Error
from nv2.oci.descriptor import Descriptor


class Outcome(Enum):
    """What became of one piece of content."""

    COPIED = "copied"
    MOUNTED = "mounted"
    SKIPPED = "skipped"
    """It was there already."""
    LEFT = "left"
    """Not meant to be copied; `Left` says why."""


class Once(Protocol):
    """Lets `job` bring one piece of content, unless it has come by another copy meanwhile: that is `SKIPPED`, too."""

    def __call__(self, key: Hashable, job: Callable[[], Outcome | Nv2Error], /) -> Outcome | Nv2Error: ...


def always(_: Hashable, job: Callable[[], Outcome | Nv2Error], /) -> Outcome | Nv2Error:
    """There is no other copy."""
    return job()


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


class Watcher(Protocol):
    """Hears how a copy goes on."""

    def expect(self, pieces: int, size: int) -> None:
        """So many more pieces, of so many bytes together, are to be done; fewer, if it is negative."""

    def moved(self, size: int) -> None:
        """Bytes of a blob left the source. Called in whatever thread moves them."""

    def done(self, outcome: Outcome, descriptor: Descriptor) -> None:
        """One more piece is done."""


class Ledger:
    """What was done so far, told to `watcher`, if there is one."""

    def __init__(self, watcher: Watcher | None) -> None:
        self.watcher = watcher
        self.problems: list[str] = []
        self._done: dict[Outcome, list[Descriptor]] = {outcome: [] for outcome in Outcome}
        self._left: list[Left] = []

    def expect(self, descriptors: Collection[Descriptor]) -> None:
        """These are to be done."""
        if self.watcher:
            self.watcher.expect(len(descriptors), sum(item.size for item in descriptors))

    def drop(self, descriptor: Descriptor) -> None:
        """This will not be done, though it was expected."""
        if self.watcher:
            self.watcher.expect(-1, -descriptor.size)

    def enter(self, outcome: Outcome, descriptor: Descriptor) -> None:
        """One more piece was done."""
        self._done[outcome].append(descriptor)
        if self.watcher:
            self.watcher.done(outcome, descriptor)

    def leave(self, descriptor: Descriptor, reason: str) -> None:
        """Note what is left; nothing is done about it, so nobody hears of it now."""
        self._left.append(Left(descriptor, reason))

    def result(self, root: Descriptor) -> CopyResult:
        """What was done to copy `root`."""
        copied, mounted, skipped, foreign = (tuple(self._done[outcome]) for outcome in Outcome)
        left = (*(Left(blob, FOREIGN) for blob in foreign), *self._left)
        sent = sum(descriptor.size for descriptor in copied)
        return CopyResult(root, copied, mounted, skipped, left, tuple(self.problems), sent)
