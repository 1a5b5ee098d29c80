"""Whose directory it is: one process serves a registry's directory at a time.

A second one would remove the uploads of the first as left-overs.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import BinaryIO

from nv2.errors import EnvironmentFailure, UsageError

INDEX = "registry.db"
OURS = frozenset({INDEX, "lock", "uploads", "blobs"})
"""What the directory of a registry that has just begun may hold."""


def claim(directory: Path) -> BinaryIO:
    """Make the directory ours until the returned file is closed."""
    try:
        directory.mkdir(0o700, parents=True, exist_ok=True)  # other users of the machine have no login
        if not (directory / INDEX).exists() and any(e.name not in OURS for e in directory.iterdir()):
            raise UsageError(
                "the directory holds other things than a registry",
                at=str(directory),
                hint="name a new or empty directory, or one that a registry made",
            )
        lock = (directory / "lock").open("ab")
    except (FileExistsError, NotADirectoryError):
        raise EnvironmentFailure("a file is where a directory belongs", at=str(directory)) from None
    except OSError as e:
        raise EnvironmentFailure(
            f"cannot keep a registry here: {os.strerror(e.errno or 0).lower()}", at=str(directory)
        ) from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise UsageError(
            "another registry serves this directory", at=str(directory), hint="name another one with --dir"
        ) from None
    return lock
