"""Files, read with a limit and written whole or not at all.

Every refusal of the system becomes one located error with a hint. What this module does not do: lock.
Two writers of one file leave the version of one of them, never a mixture.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from nv2.errors import EnvironmentFailure, Nv2Error
from nv2.strict_json import ErrorType

FILE_MODE = 0o600
DIRECTORY_MODE = 0o700
"""As notation has them; the umask may take away more."""

_NO_SURPRISE = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
"""A link is not followed, and a pipe put in a file's place does not hold us for ever."""

_SPACE = "free some space and try again; nothing was changed"
_RIGHTS = "check the owner and the mode of the file and of the directories above it"

_REASONS: dict[int, tuple[str, str | None]] = {
    errno.ENOENT: ("no such file or directory", "is the path right?"),
    errno.EACCES: ("permission denied", _RIGHTS),
    errno.EPERM: ("operation not permitted", _RIGHTS),
    errno.EISDIR: ("is a directory where a file belongs", "name a file"),
    errno.ENOTDIR: ("a file stands where a directory belongs", None),
    errno.EEXIST: ("exists already", "choose another name; nothing was overwritten"),
    errno.ELOOP: ("is a symbolic link, which is not followed here", "put the file itself there"),
    errno.ENOSPC: ("the disk is full", _SPACE),
    errno.EDQUOT: ("the disk quota is used up", _SPACE),
    errno.EROFS: ("the file system is read-only", None),
    errno.ENAMETOOLONG: ("the name is too long", None),
    errno.EMFILE: ("too many open files", "raise the limit of open files (ulimit -n)"),
}

_beginning = threading.RLock()
"""Held while a file is begun."""

_unfinished: set[Path] = set()
"""Files that are being written, by whichever thread."""

_NO_LINKS = frozenset({errno.EPERM, errno.EACCES, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP})
"""What file systems without hard links answer to one."""


def failure(
    error: OSError, at: Path, *, kind: ErrorType = EnvironmentFailure, hint: str | None = None
) -> Nv2Error:
    """The error to raise for what the system refused at `at`, with `hint` or the usual advice."""
    reason, advice = _REASONS.get(error.errno or 0, ((error.strerror or str(error)).lower(), None))
    return kind(reason, at=str(at), hint=hint or advice)


def read_file(
    path: Path,
    limit: int,
    what: str,
    *,
    error: ErrorType = EnvironmentFailure,
    absent: str | None = None,
    regular: bool = False,
) -> bytes:
    """The bytes of `path`, of which there may be `limit`; `what` says in messages what is read.

    `absent` is the hint for a file that is not there. With `regular`, symbolic links and whatever else is
    no regular file are refused, as notation refuses them in its own directory; a path from the command
    line may well be a link or a pipe. Raises `error`.
    """
    extra = _NO_SURPRISE if regular else 0
    try:
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | extra)) as file:
            if regular and not _is_regular(path, file.fileno()):
                raise error(f"not a regular file, so not {what}", at=str(path))
            found = _read(file, limit + 1)
    except FileNotFoundError as e:
        raise failure(e, path, kind=error, hint=absent) from None
    except (OSError, ValueError) as e:
        raise failure(_system_error(e), path, kind=error) from None
    if len(found) > limit:
        raise error(f"longer than {limit} bytes, too long for {what}", at=str(path))
    return found


def _read(file: BinaryIO, most: int) -> bytes:
    """Up to `most` bytes. Memory is taken for what there is, not for what there may be: limits are far above usual sizes."""
    expected = min(most, os.fstat(file.fileno()).st_size + 1)
    found = file.read(expected)
    # A pipe has no size, and a file may grow meanwhile.
    return found if len(found) < expected else found + file.read(most - expected)


def _system_error(error: OSError | ValueError) -> OSError:
    """A path with a NUL byte is a `ValueError` to Python; nothing can have that name."""
    return error if isinstance(error, OSError) else FileNotFoundError(errno.ENOENT, "no such file")


def _is_regular(path: Path, descriptor: int) -> bool:
    if not hasattr(os, "O_NOFOLLOW") and path.is_symlink():
        return False
    return stat.S_ISREG(os.fstat(descriptor).st_mode)


def make_directory(path: Path) -> None:
    """Create `path` and what is missing above it, for the owner alone. Raises `EnvironmentFailure`."""
    missing = []
    for directory in (path, *path.parents):
        if directory.is_dir():
            break
        missing.append(directory)
    for directory in reversed(missing):
        try:
            directory.mkdir(DIRECTORY_MODE)
        except FileExistsError as e:
            if not directory.is_dir():
                raise failure(
                    NotADirectoryError(errno.ENOTDIR, str(e)), directory, hint="move it away"
                ) from None
        except OSError as e:
            raise failure(e, directory) from None


def write_atomically(
    path: Path,
    data: bytes | Iterable[bytes],
    mode: int = FILE_MODE,
    *,
    replace: bool = True,
    scratch: Path | None = None,
    durable: bool = True,
    modified: int | None = None,
) -> None:
    """Make `path` hold `data`: written beside, brought to the disk, renamed. Missing directories are made.

    With `replace` false, a file that is there already is an error. `scratch` is a directory of the same
    file system for the unfinished file, where readers of `path`'s own directory must not meet it. Without
    `durable`, a loss of power may leave an empty or broken file: for what can be had again. `data` that comes
    in pieces comes once, and so goes without `scratch`. `modified`, in nanoseconds since 1970, is the time stamp that the
    file has from the first moment on.
    However this ends, nothing half-written is left. Raises `EnvironmentFailure`.
    """
    make_directory(path.parent)
    if scratch is not None:
        make_directory(scratch)
    try:
        try:
            _write(path, data, mode, replace, scratch or path.parent, durable, modified)
        except OSError as e:
            if scratch is None or e.errno != errno.EXDEV:
                raise
            _write(path, data, mode, replace, path.parent, durable, modified)
    except OSError as e:
        raise failure(e, path) from None


def _write(
    path: Path,
    data: bytes | Iterable[bytes],
    mode: int,
    replace: bool,
    directory: Path,
    durable: bool,
    modified: int | None,
) -> None:
    temporary = directory / f".nv2-{os.urandom(8).hex()}.tmp"
    # Twice: an interruption that comes while the first one removes the file leaves it to the second.
    with _gone_afterwards(temporary), _gone_afterwards(temporary):
        with _begun(temporary, mode) as file:
            file.writelines((data,) if isinstance(data, bytes) else data)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        if modified is not None:
            os.utime(temporary, ns=(modified, modified))
        if replace:
            os.replace(temporary, path)
        else:
            _rename_to_new(temporary, path)
    if durable:
        sync_directory(path.parent)


def _begun(path: Path, mode: int) -> BinaryIO:
    with _beginning:
        _unfinished.add(path)
        return open(path, "xb", opener=lambda name, flags: os.open(name, flags | _NO_SURPRISE, mode))


@contextlib.contextmanager
def _gone_afterwards(path: Path) -> Iterator[None]:
    try:
        yield
    finally:
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
        _unfinished.discard(path)


def leave_nothing_unfinished() -> None:
    """Remove what threads are writing that come to no end, because the process ends; to be called just before.

    Whoever begins another file afterwards waits for ever.
    """
    _beginning.acquire()
    for path in list(_unfinished):
        with contextlib.suppress(OSError):
            path.unlink()


def _rename_to_new(temporary: Path, path: Path) -> None:
    """A hard link, unlike a rename, never takes the place of a file."""
    try:
        os.link(temporary, path)
    except OSError as e:
        if e.errno not in _NO_LINKS:
            raise
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, "exists") from None
        os.replace(temporary, path)


def sync_directory(path: Path) -> None:
    """Bring the names in `path` to the disk, where the system can."""
    if os.name == "nt":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as e:
        # Some network file systems cannot sync a directory; the names are theirs to keep then.
        if e.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EBADF):
            raise
    finally:
        os.close(descriptor)


def delete_file(path: Path, *, error: ErrorType = EnvironmentFailure) -> None:
    """Remove the file `path`. Raises `error`."""
    try:
        path.unlink()
        sync_directory(path.parent)
    except OSError as e:
        raise failure(e, path, kind=error) from None
