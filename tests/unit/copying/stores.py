"""Stores that remember what was done to them, and what is in them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from nv2.content.interface import Opener
from nv2.content.memory import MemoryStore
from nv2.copying import Outcome
from nv2.oci.descriptor import Descriptor
from nv2.oci.digest import Digest

T = TypeVar("T")

ABSENT = Digest("sha256:" + "0" * 64)


class Recording(MemoryStore):
    """Keeps a log of what was written, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.log: list[str] = []

    def push(self, descriptor: Descriptor, source: Opener) -> None:
        super().push(descriptor, source)
        self.log.append(descriptor.digest)

    def attach(self, subject: Descriptor, manifests: Sequence[Descriptor]) -> None:
        super().attach(subject, manifests)
        self.log.append(f"attach {subject.digest}")

    def tag(self, descriptor: Descriptor, tag: str) -> None:
        super().tag(descriptor, tag)
        self.log.append(f"tag {tag}")


class Told:
    """A watcher that remembers what it was told."""

    def __init__(self) -> None:
        self.pieces = self.size = self.bytes = 0
        self.outcomes: list[tuple[Outcome, Descriptor]] = []

    def expect(self, pieces: int, size: int) -> None:
        self.pieces += pieces
        self.size += size

    def moved(self, size: int) -> None:
        self.bytes += size

    def done(self, outcome: Outcome, descriptor: Descriptor) -> None:
        self.outcomes.append((outcome, descriptor))


class Mounting(MemoryStore):
    """Can take blobs from `origin`."""

    def __init__(self, origin: MemoryStore) -> None:
        super().__init__()
        self.origin = origin

    def would_mount(self, source: object) -> bool:
        return source is self.origin

    def mount(self, descriptor: Descriptor, source: object) -> bool:
        if source is self.origin:
            self.contents[descriptor.digest] = self.origin.contents[descriptor.digest]
        return source is self.origin


def digests(*descriptors: Descriptor) -> set[str]:
    return {descriptor.digest for descriptor in descriptors}


def everything(store: MemoryStore) -> tuple[object, ...]:
    return store.contents, set(store.manifests), store.tags, store.listed
