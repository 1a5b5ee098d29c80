"""The access log: a line of JSON for each request that was answered.

What this module does not do: write down secrets. Headers are not logged but for what the client calls itself, nor is
the query of a request.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from nv2.errors import EnvironmentFailure
from nv2.server.messages import Served


def line(served: Served, now: datetime) -> str:
    """The line for `served`, answered at `now`."""
    told = served._asdict()
    told["path"] = told.pop("target").partition("?")[0]
    told["seconds"] = round(served.seconds, 6)
    return json.dumps({"time": now.isoformat(timespec="milliseconds"), **told}, separators=(",", ":"))


class AccessLog:
    """A file that lines are added to. `reopen` it after it was moved away."""

    def __init__(self, path: Path, warn: Callable[[str], None]) -> None:
        """Open `path`, which only its owner and group may read when it is made. Raises `EnvironmentFailure`."""
        self._path, self._warn = path, warn
        self._lock = threading.Lock()
        self._failed = False
        self._file = _open(path)

    def __call__(self, served: Served) -> None:
        """Add a line. A full disk ends no request: it is said once, until a line can be written again."""
        data = (line(served, datetime.now(UTC)) + "\n").encode()
        with self._lock:
            try:
                os.write(self._file, data)
                self._failed = False
            except OSError as e:
                if not self._failed:
                    self._warn(f"{self._path}: the access log cannot be written: {e.strerror}")
                self._failed = True

    def reopen(self) -> None:
        """Go on in a file of the old name. Raises `EnvironmentFailure`; then the old one is kept."""
        file = _open(self._path)
        with self._lock:
            old, self._file = self._file, file
        os.close(old)

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._file)


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
    except OSError as e:
        raise EnvironmentFailure(f"cannot be written: {e.strerror}", at=str(path)) from None
