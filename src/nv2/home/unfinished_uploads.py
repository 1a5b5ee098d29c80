"""Uploads of large blobs that were begun here, so that a second run can go on with them.

One small file for each, readable by its owner only: the address of an upload may be all that it takes to add to it.
Safe to delete: then uploads begin anew. Nothing here is believed; the registry says how far an upload is, and checks
the whole by its digest.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import threading
from pathlib import Path
from typing import ClassVar

from nv2.errors import EnvironmentFailure
from nv2.files import write_atomically
from nv2.home.json_files import read_object

MAX_NOTE = 64 * 1024
"""Bytes of one: a few headers' worth, for some addresses carry a state of several KiB."""

MAX_NOTES = 256
"""Uploads that are remembered; the oldest go first. Registries forget theirs after a week or sooner."""


class FileUploadNotes:
    """`UploadNotes` of `content/remote/pieces` whose files lie in `directory`. Safe for threads.

    What cannot be read or written counts as unknown: it costs a repeated upload, and nothing else.
    """

    _ours: ClassVar[set[Path]] = set()
    """Under way in this process, in whichever session."""
    _guard: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def claim(self, name: str) -> str | None:
        """Where the upload of `name` goes on; None if there is none, or a process that runs is at it."""
        path = self._path(name)
        try:
            note = read_object(path, MAX_NOTE, "a note about an upload", EnvironmentFailure)
            if note is None or note.require("name", str) != name:
                return None
            url, owner = note.require("url", str), note.require("process", int)
        except EnvironmentFailure:
            return None
        with self._guard:
            if path in self._ours or (owner != os.getpid() and _runs(owner)):
                return None
            self._ours.add(path)
        self.keep(name, url)
        return url

    def keep(self, name: str, url: str) -> None:
        """It goes on at `url`, and this process is at it."""
        path = self._path(name)
        with self._guard:
            self._ours.add(path)
        data = json.dumps({"name": name, "url": url, "process": os.getpid()}).encode()
        is_new = not path.exists()
        with contextlib.suppress(EnvironmentFailure):
            if len(data) <= MAX_NOTE:
                write_atomically(path, data, durable=False)  # a torn one counts as unknown
        if is_new:
            self._make_room()

    def leave(self, name: str) -> None:
        """This process is not at it any more."""
        with self._guard:
            self._ours.discard(self._path(name))

    def drop(self, name: str) -> None:
        """It has ended."""
        path = self._path(name)
        with contextlib.suppress(OSError):
            path.unlink()

    def _path(self, name: str) -> Path:
        return self._directory / f"{hashlib.sha256(name.encode()).hexdigest()}.json"

    def _make_room(self) -> None:
        with contextlib.suppress(OSError):
            found = [(entry.stat().st_mtime, entry.path) for entry in os.scandir(self._directory)]
            for _, path in sorted(found)[:-MAX_NOTES]:
                os.unlink(path)


def _runs(process: int) -> bool:
    """Whether there is such a process here. A number that was given anew only costs the resumption."""
    if not 0 < process < 1 << 31:
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True  # somebody else's
    return True
