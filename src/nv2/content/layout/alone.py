"""A file that goes on where somebody left it, and belongs to one writer at a time.

Its name is known and its directory may be a stranger's: so it counts only if it is a regular file of our own, of that
one name, and locked by us. The lock goes with the open file: whoever is killed leaves none.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
import time
from collections.abc import Callable, Iterator

from nv2.content.layout.files import UNFINISHED

MAX_AGE = 7 * 24 * 3600
"""Seconds after which what nobody went on with is removed."""

_FLAGS = os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_ARCHIVE = re.compile(rf"{re.escape(UNFINISHED)}(.+\.part|[0-9a-f]{{16}}\.tar)", re.DOTALL)


def open_alone(path: str, *, create: bool = True, mode: int = 0o666) -> int | None:
    """A descriptor of the file at `path`, locked; made with `mode` if it is not there, with `create`.

    None if another has it, if it is no plain file of ours, and where files cannot be locked.
    """
    try:
        import fcntl
    except ImportError:
        return None
    try:
        file = os.open(path, _FLAGS | (os.O_CREAT if create else 0), mode)
    except OSError:  # writing another way will say what is wrong, or nothing is
        return None
    except BaseException:  # interrupted after it was made
        _remove_new(path)
        raise
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if _is_plain(os.fstat(file), os.stat(path, follow_symlinks=False)):
            return file
    except (BlockingIOError, FileNotFoundError):  # another has it, or has given it another name
        pass
    except OSError:  # a file system that knows no locks
        if create and not os.fstat(file).st_size:
            _unlink(path)
    except BaseException:
        os.close(file)
        _remove_new(path)
        raise
    os.close(file)
    return None


def remove_alone(file: int, path: str) -> None:
    """Remove what `open_alone` opened at `path`, unless it has another name by now; failure does no harm."""
    with contextlib.suppress(OSError):
        if os.path.samestat(os.fstat(file), os.stat(path, follow_symlinks=False)):
            os.unlink(path)


def _remove_new(path: str) -> None:
    """Remove the file at `path` if nobody has written to it."""
    file = open_alone(path, create=False)
    if file is not None:
        if not os.fstat(file).st_size:
            remove_alone(file, path)
        os.close(file)


def _unlink(path: str) -> None:
    with contextlib.suppress(OSError):
        os.unlink(path)


def _is_plain(opened: os.stat_result, there: os.stat_result) -> bool:
    """Whether it is still the file of that name, of no other name, and of no other user, who could write to it later."""
    same = (opened.st_dev, opened.st_ino) == (there.st_dev, there.st_ino)
    ours = opened.st_uid == os.geteuid() and opened.st_nlink == 1
    return same and ours and stat.S_ISREG(opened.st_mode)


def sweep(root: str) -> None:
    """Remove what writers left long ago in the directory of a layout; nothing about it is fatal."""
    for path in _old(root, lambda name: name.startswith(UNFINISHED)):
        _unlink(path)


def sweep_archives(directory: str) -> None:
    """Remove what writers of archives left long ago in `directory`, which may hold anything else; nothing is fatal."""
    for path in _old(directory, lambda name: _ARCHIVE.fullmatch(name) is not None):
        file = open_alone(path, create=False)
        if file is not None:
            remove_alone(file, path)
            os.close(file)


def _old(directory: str, wanted: Callable[[str], bool]) -> Iterator[str]:
    """Paths of the files in `directory` whose names are `wanted` and that nobody has written to for long."""
    oldest = time.time() - MAX_AGE
    try:
        names = os.listdir(directory)
    except OSError:
        return
    for path in (os.path.join(directory, name) for name in names if wanted(name)):
        with contextlib.suppress(OSError):
            found = os.stat(path, follow_symlinks=False)
            if stat.S_ISREG(found.st_mode) and found.st_mtime < oldest:
                yield path
