"""Manifests that were read or written already, in this run or, with signatures, in an earlier one: not fetched again."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import NamedTuple

from nv2.content.interface import ContentCache
from nv2.oci import media_types as mt
from nv2.oci.descriptor import Descriptor
from nv2.oci.digest import Digest
from nv2.oci.manifest import is_manifest

MAX_REMEMBERED = 16 * 1024 * 1024
"""Bytes of manifests that one store remembers; the oldest go first."""


class Remembered(NamedTuple):
    """A manifest that has its digest."""

    descriptor: Descriptor
    data: bytes


class Manifests:
    """The manifests that one store remembers; safe for threads."""

    def __init__(self) -> None:
        self._found: dict[Digest, Remembered] = {}
        self._size = 0
        self._lock = threading.Lock()

    def get(self, digest: Digest) -> Remembered | None:
        """The manifest, if it is remembered."""
        return self._found.get(digest)

    def drop(self, digest: Digest) -> None:
        """Forget a manifest, because it was deleted."""
        with self._lock:
            self._forget(digest)

    def keep(self, descriptor: Descriptor, data: bytes) -> None:
        """Remember `data`, which was checked against `descriptor`."""
        with self._lock:
            self._forget(descriptor.digest)
            self._found[descriptor.digest] = Remembered(Descriptor(*descriptor[:3]), data)
            self._size += len(data)
            while self._size > MAX_REMEMBERED:
                self._forget(next(iter(self._found)))

    def _forget(self, digest: Digest) -> None:
        if forgotten := self._found.pop(digest, None):
            self._size -= len(forgotten.data)


_ENVELOPES = frozenset(mt.ENVELOPES.values())


class Kept:
    """What was kept of a repository in earlier runs. It may be used once the registry has listed referrers in this one.

    Whoever is not let in any more, or asks for what is gone, hears so from the registry, whatever is kept here. `cache`
    is called when it is first needed; without it, nothing is found and nothing kept.
    """

    def __init__(self, cache: Callable[[], ContentCache] | None) -> None:
        self._make = cache
        self._cache: ContentCache | None = None

    def answered(self) -> None:
        """The registry itself, and no mirror of it, has just said who refers to an artifact of the repository."""
        if self._cache is None and self._make:
            self._cache = self._make()

    def find(self, descriptor: Descriptor) -> bytes | None:
        """The content, held against its digest; None if it must be asked for."""
        if self._cache is None or not _is_kind(descriptor):
            return None
        return self._cache.load(descriptor.digest, descriptor.size)

    def keep(self, descriptor: Descriptor, data: bytes) -> None:
        """Keep `data`, which was held against `descriptor`, for later runs."""
        if self._cache is not None and _is_kind(descriptor):
            self._cache.keep(descriptor.digest, data)


def _is_kind(descriptor: Descriptor) -> bool:
    """Whether it is a manifest or a signature's envelope; layers are large, and read once."""
    return is_manifest(descriptor.media_type) or descriptor.media_type in _ENVELOPES
