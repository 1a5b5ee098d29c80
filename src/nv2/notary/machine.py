"""This machine's set-up, for what needs no registry: the directories, and the lock of whoever changes them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from nv2.content.interface import Lock
from nv2.home.lock import host_lock
from nv2.home.paths import Paths


class Machine(NamedTuple):
    """The directories of a user, and `now`, read once."""

    paths: Paths
    lock: Lock
    now: datetime

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> Machine:
        """What `environ` (the process's by default) names. Raises `ConfigurationError`."""
        paths = Paths.from_environment(os.environ if environ is None else environ)
        return cls(paths, host_lock(paths.locks), datetime.now(UTC))
