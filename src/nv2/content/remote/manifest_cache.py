"""Manifests that were read or written already, so that what was resolved is not fetched again."""

from __future__ import annotations

import threading
from typing import NamedTuple

from nv2.oci.descriptor import Descriptor
from nv2.oci.digest import Digest

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
        self._lock = threading.Lock()

    def get(self, digest: Digest) -> Remembered | None:
        """The manifest, if it is remembered."""
        return self._found.get(digest)

    def keep(self, descriptor: Descriptor, data: bytes) -> None:
        """Remember `data`, which was checked against `descriptor`."""
        with self._lock:
            self._found[descriptor.digest] = Remembered(Descriptor(*descriptor[:3]), data)
            size = sum(len(item.data) for item in self._found.values())
            while size > MAX_REMEMBERED:
                size -= len(self._found.pop(next(iter(self._found))).data)
