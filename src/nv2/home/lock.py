"""Locks between the threads and processes of one host.

A lock is an advisory lock on a file. The system drops it with the process, so a crash leaves none
behind. What it does not do: exclude other hosts, even where they share the directory over a network.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from nv2.content.interface import Lock
from nv2.errors import EnvironmentFailure
from nv2.files import FILE_MODE, failure, make_directory

LOCK_TIMEOUT = 300.0
"""Seconds to wait for whoever holds the lock. It is held for a few requests or one small file."""

_FIRST_PAUSE = 0.002
_LONGEST_PAUSE = 0.05
"""Seconds between attempts: short against a request, long against the processor."""


def host_lock(directory: Path, *, timeout: float = LOCK_TIMEOUT) -> Lock:
    """Locks whose files lie in `directory`, which is made when first needed.

    A lock is not reentrant. Entering it raises `EnvironmentFailure` after `timeout` seconds, or if the
    directory cannot be written.
    """

    @contextlib.contextmanager
    def lock(key: str) -> Iterator[None]:
        path = directory / f"{hashlib.sha256(key.encode()).hexdigest()}.lock"
        descriptor = _acquire(path, key, timeout)
        try:
            yield
        finally:
            _release(descriptor, path)

    return lock


def _acquire(path: Path, key: str, timeout: float) -> int:
    make_directory(path.parent)
    deadline = time.monotonic() + timeout
    pause = _FIRST_PAUSE
    while (descriptor := _try(path)) is None:
        if time.monotonic() > deadline:
            raise EnvironmentFailure(
                f"another process has held the lock for {key} for {timeout:.0f} seconds",
                at=str(path),
                hint="look for a hanging nv2 process",
            )
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)
    return descriptor


def _try(path: Path) -> int | None:
    """A descriptor that holds the lock, or None when somebody else does."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), FILE_MODE)
    except OSError as e:
        raise failure(e, path) from None
    try:
        if _lock(descriptor) and _is_current(descriptor, path):
            return descriptor
    except BaseException:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None


def _is_current(descriptor: int, path: Path) -> bool:
    """Whether `path` still is the file that was locked: its last holder removes it."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _release(descriptor: int, path: Path) -> None:
    # Removed while it is still locked: whoever waits for this file finds out in `_is_current`.
    with contextlib.suppress(OSError):
        path.unlink()
    os.close(descriptor)


if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> bool:
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _lock(descriptor: int) -> bool:
        """`flock` belongs to the open file, not to the process, so it excludes threads as well."""
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
