"""A destination that is asked and not written to: what would a copy do?

Whoever writes to a `Rehearsal` hears what the store has already, and changes nothing in it. What only writing
shows stays open: whether the store would take the content, and whether the source has the bytes of every blob.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import BinaryIO

from nv2.content.interface import Opener, Referrers, Store, can_mount, done, is_distant
from nv2.errors import Nv2Error
from nv2.oci.descriptor import Descriptor


class Rehearsal:
    """Keeps `content.interface.Store`: answers as `store` does, and forgets what it is told to write."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.distant = is_distant(store)

    def resolve(self, name: str) -> Descriptor:
        """What `name` names now."""
        return self._store.resolve(name)

    def fetch(self, descriptor: Descriptor, limit: int) -> bytes:
        """The whole content."""
        return self._store.fetch(descriptor, limit)

    def fetch_many(self, descriptors: Sequence[Descriptor], limit: int) -> Iterator[bytes | Nv2Error]:
        """`fetch` of each."""
        return self._store.fetch_many(descriptors, limit)

    def open(self, descriptor: Descriptor) -> BinaryIO:
        """The content as a stream."""
        return self._store.open(descriptor)

    def referrers(self, subject: Descriptor, artifact_type: str | None = None) -> Referrers:
        """What refers to `subject` now."""
        return self._store.referrers(subject, artifact_type)

    def exists(self, descriptor: Descriptor) -> bool:
        """Whether the content is there now."""
        return self._store.exists(descriptor)

    def would_mount(self, source: object) -> bool:
        """Whether blobs would be asked for from `source`."""
        return can_mount(self._store) and self._store.would_mount(source)

    def mount(self, descriptor: Descriptor, source: object) -> bool:  # noqa: ARG002
        """As `would_mount`: a registry may refuse yet, and then the content is sent."""
        return self.would_mount(source)

    def push(self, descriptor: Descriptor, source: Opener) -> None:
        """Nothing; `source` is not opened."""

    def provide(
        self,
        descriptor: Descriptor,  # noqa: ARG002
        source: Opener,  # noqa: ARG002
        subject: Descriptor,  # noqa: ARG002
    ) -> Callable[[], object]:
        """Nothing."""
        return done

    def tag(self, descriptor: Descriptor, tag: str) -> None:
        """Nothing."""

    def attach(self, subject: Descriptor, manifests: Sequence[Descriptor]) -> None:
        """Nothing."""
