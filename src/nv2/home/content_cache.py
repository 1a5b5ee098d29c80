"""Signatures' manifests and envelopes, kept between runs under their digests: a file for each, as it came.

What is kept is bound to its repository, is held against its digest on every read, and never stands for an answer of the
registry about what there is: tags and lists of referrers are not kept. What this module does not do: decide when
something that is kept may be used (`content.remote.manifest_cache`).
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

from nv2.errors import EnvironmentFailure, Nv2Error
from nv2.files import failure, read_file, write_atomically
from nv2.home.evidence_files import own_status
from nv2.oci.digest import Digest, check_digest

MAX_KEPT = 256 * 1024
"""Bytes of one content. Signatures have a few thousand; whatever is larger is worth being asked for."""

MAX_FILES = 64
"""Files in one of the 256 folders: 16,384 in all."""

MAX_FOLDER = 512 * 1024
"""Bytes in one of the 256 folders: 128 MiB in all. The oldest make room."""

_OURS = re.compile(r"[0-9a-f]{64}|\.nv2-[0-9a-f]{16}\.tmp", re.ASCII)
"""Names of contents, and of those that a run could not finish."""


class ContentCache:
    """What is kept of one repository (`name`), below `directory`; keeps `content.interface.ContentCache`.

    Nothing here is fatal: what goes wrong is told to `note`, and the registry is asked. Any number of processes may use it
    at once, and anybody may remove any of it at any time.
    """

    def __init__(self, directory: Path, name: str, note: Callable[[str], None]) -> None:
        self._directory = directory
        self._name = name
        self._note = note
        self._broken = False

    def load(self, digest: Digest, size: int) -> bytes | None:
        """The content with that digest and size; None if it is not kept, or what is kept is not it."""
        if size > MAX_KEPT or self._broken:
            return None
        path = self._path(digest)
        try:
            if own_status(path) is None:
                return None
            data = read_file(path, MAX_KEPT, "a signature", regular=True)
            check_digest(data, digest)
        except Nv2Error as e:
            self._note(f"not used: {e}")
            return None
        return data if len(data) == size else None

    def keep(self, digest: Digest, data: bytes) -> None:
        """Keep `data`, which was held against `digest`."""
        if len(data) > MAX_KEPT or self._broken:
            return
        path = self._path(digest)
        try:
            # Not brought to the disk: half a file, after a loss of power, has another digest and is not used.
            write_atomically(path, data, durable=False)
            _make_room(path.parent)
        except EnvironmentFailure as e:
            self._give_up(e)
        except OSError as e:
            self._give_up(failure(e, path.parent))

    def _give_up(self, error: Nv2Error) -> None:
        self._broken = True
        self._note(f"nothing is kept for the next run: {error}")

    def _path(self, digest: Digest) -> Path:
        # By the name of the repository as well: who may read one repository need not be let into another, and that
        # one repository has a manifest does not mean that another has it.
        key = sha256(f"{self._name}@{digest}".encode()).hexdigest()
        return self._directory / key[:2] / key


def _make_room(folder: Path) -> None:
    """Remove the oldest of our files in `folder` until it keeps the limits. Raises `OSError`."""
    found = []
    with os.scandir(folder) as entries:
        for entry in entries:
            # Whatever else is there is somebody's: the folder may be a link to one that is none of ours.
            if not _OURS.fullmatch(entry.name):
                continue
            try:
                status = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue  # another process makes room as well
            found.append((status.st_mtime_ns, status.st_size, entry.path))
    files, size = len(found), sum(item[1] for item in found)
    for _, length, path in sorted(found) if files > MAX_FILES or size > MAX_FOLDER else ():
        if files <= MAX_FILES and size <= MAX_FOLDER:
            return
        Path(path).unlink(missing_ok=True)
        files, size = files - 1, size - length
