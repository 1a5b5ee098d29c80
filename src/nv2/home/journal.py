"""What this machine attached to which artifact, so that an entry that others displaced can be put back.

A registry cannot say which manifests it has that nothing lists. Only who attached them knows; hence this
record, one small file for each artifact. It says what was about to be attached, not that it worked.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from nv2.content.interface import Lock
from nv2.errors import EnvironmentFailure
from nv2.files import write_atomically
from nv2.home.json_files import read_object
from nv2.oci.descriptor import Descriptor, parse_descriptor

MAX_JOURNAL = 4 * 1024 * 1024
"""Bytes of the record of one artifact: as many as the index may have that lists the same entries."""


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
        return before

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
