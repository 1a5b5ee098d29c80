"""What a manifest names, for those who must not lose any of it: every digest that it may mean, and no guess at its type."""

from __future__ import annotations

from collections.abc import Iterator

from nv2 import strict_json
from nv2.errors import MalformedManifest

_KEYS = ("digest", "blobSum")
"""Where the manifests of the OCI and of Docker, the first schema included, have digests."""


def names_in(data: bytes) -> frozenset[str]:
    """Every digest in the manifest, of children, blobs and its subject alike. Raises `MalformedManifest`."""
    return frozenset(_found(strict_json.loads(data, MalformedManifest)))


def _found(document: object) -> Iterator[str]:
    waiting = [document]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            yield from (part[key] for key in _KEYS if isinstance(part.get(key), str))
            waiting.extend(part.values())
        elif isinstance(part, list):
            waiting.extend(part)
