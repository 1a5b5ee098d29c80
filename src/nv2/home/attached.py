"""What this machine attached to which artifact, so that an entry that others displaced can be put back.

A registry cannot say which manifests it has that nothing lists. Only who attached them knows; hence this
record, one small file for each artifact. It says what was about to be attached, not that it worked. It
is forgotten when healing finds the manifest gone, or so many artifacts later.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Collection, Sequence
from pathlib import Path

from nv2.content.interface import Lock
from nv2.errors import EnvironmentFailure
from nv2.files import delete_file, write_atomically
from nv2.home.json_files import read_object
from nv2.oci.descriptor import Descriptor, parse_descriptor

MAX_JOURNAL = 4 * 1024 * 1024
"""Bytes of the record of one artifact: as many as the index may have that lists the same entries."""


MAX_SUBJECTS = 10_000
"""Artifacts that are remembered, at about one KiB each; of more, those go that were least recently signed."""

_ROOM = MAX_SUBJECTS // 10
"""Artifacts forgotten at a time, so that the directory need not be looked through for each new one."""


class FileJournal:
    """A `Journal` whose files lie in `directory`; nothing is made before something is recorded."""

    def __init__(self, directory: Path, lock: Lock) -> None:
        self._directory = directory
        self._lock = lock

    def recall(self, subject: str) -> tuple[Descriptor, ...]:
        """What was recorded of `subject`, oldest first. Raises `EnvironmentFailure`."""
        path = self._path(subject)
        fields = read_object(path, MAX_JOURNAL, "a record of attached signatures", EnvironmentFailure)
        if fields is None:
            return ()
        if fields.require("subject", str) != subject:
            raise EnvironmentFailure(f"this is not the record of {subject}", at=str(path))
        return tuple(map(parse_descriptor, fields.objects("manifests")))

    def record(self, subject: str, manifests: Sequence[Descriptor]) -> tuple[Descriptor, ...]:
        """Add `manifests` to the record; what was in it before. Raises `EnvironmentFailure`."""
        path = self._path(subject)
        with self._lock(str(path)):
            before = self.recall(subject)
            after = {item.digest: item.to_json() for item in (*before, *manifests)}
            if len(after) > len(before):
                _write(path, {"subject": subject, "manifests": list(after.values())})
        if not before:
            _make_room(self._directory)
        return before

    def forget(self, subject: str, digests: Collection[str]) -> None:
        """Drop these from the record, and the file with the last one. Raises `EnvironmentFailure`."""
        path = self._path(subject)
        with self._lock(str(path)):
            before = self.recall(subject)
            after = [item.to_json() for item in before if item.digest not in digests]
            if before and not after:
                delete_file(path)
            elif len(after) < len(before):
                _write(path, {"subject": subject, "manifests": after})

    def _path(self, subject: str) -> Path:
        return self._directory / f"{hashlib.sha256(subject.encode()).hexdigest()}.json"


def _write(path: Path, document: dict[str, object]) -> None:
    data = json.dumps(document, separators=(",", ":")).encode()
    if len(data) > MAX_JOURNAL:
        raise EnvironmentFailure(
            f"the record would have more than {MAX_JOURNAL} bytes",
            at=str(path),
            hint="remove the file; what it recorded stays attached",
        )
    write_atomically(path, data)


def _make_room(directory: Path) -> None:
    """Forget the oldest if there are too many. Another process may do the same: what is gone is gone."""
    try:
        names = [name for name in os.listdir(directory) if name.endswith(".json")]
    except OSError:
        return  # What was recorded is recorded; there is only more of it than there need be.
    if len(names) <= MAX_SUBJECTS:
        return
    by_age = sorted((_written(directory / name), name) for name in names)
    for _, name in by_age[: len(names) - MAX_SUBJECTS + _ROOM]:
        with contextlib.suppress(OSError):
            (directory / name).unlink()


def _written(path: Path) -> float:
    """When the file was written; one that is gone counts as the oldest."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
