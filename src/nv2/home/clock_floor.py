"""The latest instant that evidence proves to have passed, so that a clock that is set back makes nothing fresh again."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

from nv2.content.interface import Lock
from nv2.errors import EnvironmentFailure, Nv2Error
from nv2.files import read_file, write_atomically
from nv2.plain_text import parse_instant, rfc3339

_MAX_FILE = 64
"""Bytes of an instant."""


class ClockFloor:
    """The instant in the file `path`; None if nothing proves any. What went wrong is in `warnings`."""

    def __init__(self, path: Path, lock: Lock) -> None:
        self._path = path
        self._lock = lock
        self.warnings: list[Nv2Error] = []

    def read(self) -> datetime | None:
        """The instant. A file that cannot be understood is one that says nothing, with a warning."""
        try:
            if not os.path.lexists(self._path):
                return None
            data = read_file(self._path, _MAX_FILE, "an instant", regular=True)
        except EnvironmentFailure as e:
            self.warnings.append(e)
            return None
        found = parse_instant(data.decode("ascii", "replace").strip())
        if found is None:
            self.warnings.append(EnvironmentFailure("is not an instant; it begins anew", at=str(self._path)))
        return found

    def raise_to(self, instant: datetime) -> None:
        """Remember `instant`, unless a later one is known."""
        try:
            with self._lock(str(self._path)):
                known = self.read()
                if known is None or instant > known:
                    write_atomically(self._path, f"{rfc3339(instant)}\n".encode())
        except EnvironmentFailure as e:
            self.warnings.append(e)
