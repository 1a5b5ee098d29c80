"""Content files by digest: `blobs/<algorithm>/<first two digits>/<digits>`.

A file is there whole or not at all: it is written elsewhere, synced, and renamed. What this module does not
do: know which repository has which content; that is the index's.
"""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

from nv2.files import sync_directory
from nv2.oci.digest import Digest
from nv2.server.messages import FileSlice

RENEWAL = 600.0
"""Seconds for which content that somebody asked for need not be renewed: far less than any grace of a collection."""


class ContentFiles:
    """The content under `directory`. Digests given to it are of an algorithm that nv2 can compute."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        directory.mkdir(exist_ok=True)

    def path(self, digest: Digest) -> Path:
        """Where content of `digest` lies; its grammar was checked, so no part of it leads elsewhere."""
        algorithm, _, encoded = digest.partition(":")
        return self._directory / algorithm / encoded[:2] / encoded

    def adopt(self, file: Path, digest: Digest) -> None:
        """Make the synced `file`, whose digest was checked, the content of `digest`.

        On return its name is on the disk too. Content that was there is replaced: it is the same, or damaged.
        """
        path = self.path(digest)
        made = [parent for parent in path.parents[:2] if not parent.exists()]
        path.parent.mkdir(parents=True, exist_ok=True)
        file.replace(path)
        for directory in (path.parent, *(parent.parent for parent in made)):
            sync_directory(directory)

    def open(self, digest: Digest, size: int | None = None) -> FileSlice | None:
        """The whole content as an open file, or None if it is not there; with `size`, in other than as many bytes."""
        try:
            file = self.path(digest).open("rb")
        except FileNotFoundError:
            return None
        found = os.fstat(file.fileno()).st_size
        if size is not None and found != size:
            file.close()
            return None
        return FileSlice(file, 0, found)

    def size(self, digest: Digest) -> int | None:
        """Bytes of the content, or None if it is not there."""
        try:
            return self.path(digest).stat().st_size
        except FileNotFoundError:
            return None

    def written(self, digest: Digest) -> float | None:
        """When the content was written or renewed, in seconds since 1970; None if it is not there."""
        try:
            return self.path(digest).stat().st_mtime
        except FileNotFoundError:
            return None

    def is_rested(self, digest: Digest) -> bool:
        """Whether the content is there and was neither written nor renewed for `RENEWAL` seconds."""
        written = self.written(digest)
        return written is not None and written < time.time() - RENEWAL

    def renew(self, digest: Digest) -> None:
        """Let the content count as written now; what collects garbage goes by this time."""
        with contextlib.suppress(FileNotFoundError):
            os.utime(self.path(digest))

    def remove(self, digest: Digest) -> None:
        """Remove the content; whoever has it open still reads it to the end."""
        with contextlib.suppress(FileNotFoundError):
            self.path(digest).unlink()
