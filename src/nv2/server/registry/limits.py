"""The limits of the embedded registry: each with its unit and its reason."""

from __future__ import annotations

from typing import NamedTuple

from nv2.oci.manifest import MAX_MANIFEST


class Limits(NamedTuple):
    """Tests make them small."""

    manifest: int = MAX_MANIFEST
    """Bytes of a manifest: what the specification asks of every registry, and clients read at most."""

    page: int = MAX_MANIFEST
    """Bytes of a page of referrers: it is an index, so clients bound it as they bound manifests."""

    entries: int = 10_000
    """Tags or repositories in one page: about a megabyte."""

    uploads: int = 1_000
    """Uploads begun and not ended: each has a file, and a client needs about one per layer."""

    upload_rest: float = 24 * 3600.0
    """Seconds after which an upload that nobody continued is dropped."""

    upload_yield: float = 3600.0
    """Seconds after which such an upload makes room for another one, where there are too many."""

    reserve: int = 8 * 1024 * 1024
    """Bytes of the disk that pushes leave free: on a disk that is full to the last, nothing could be deleted either,
    because the index must write that down."""

    sparse: bool = False
    """Whether a manifest is taken though blobs of it are missing, which the specification leaves open."""
