"""The files of an OCI image layout: read without following links out of it, written whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import threading
from abc import abstractmethod
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, BinaryIO, Protocol

from nv2.errors import BadAnswer, EnvironmentFailure, MalformedManifest, NotFound

if TYPE_CHECKING:
    from nv2.content.interface import Opener
    from nv2.oci.descriptor import Descriptor

# A named pipe would make a plain `open` wait for ever; some systems lack some of these flags.
_READ = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)

UNFINISHED = ".nv2-"
"""How names of files begin that are being written. After a power cut one may be left; nothing reads it."""

_HINTS = {
    errno.ENOSPC: "the disk is full: free some space and run the command again",
    errno.EDQUOT: "the quota is used up: free some space and run the command again",
    errno.EACCES: "check who owns the directory and its permissions",
    errno.EPERM: "check who owns the directory and its permissions",
    errno.EROFS: "the file system is mounted read-only",
}


def failure(error: OSError, path: str) -> EnvironmentFailure:
    """What `error` at `path` means to the user."""
    reason = (error.strerror or str(error)).lower()
    return EnvironmentFailure(reason, at=path, hint=_HINTS.get(error.errno or 0))


def open_regular(path: str) -> BinaryIO:
    """The file at `path` as a stream. Raises `NotFound`, `MalformedManifest` if it is no regular file."""
    try:
        descriptor = os.open(path, _READ)
    except (FileNotFoundError, NotADirectoryError):
        raise NotFound("no such file", at=path) from None
    except OSError as e:
        raise failure(e, path) from e
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise MalformedManifest("not a regular file", at=path)
    return open(descriptor, "rb", buffering=0)


class Files(Protocol):
    """The files of a layout, in a directory or in an archive, named by relative paths with `/`."""

    root: str

    deferred: bool = False
    """Whether what is written stays unseen until `finish`."""

    @abstractmethod
    def open(self, relative: str) -> BinaryIO:
        """The file as a stream. Raises `NotFound`."""

    @abstractmethod
    def size(self, relative: str) -> int | None:
        """Bytes of a regular file, or None if there is none."""

    @abstractmethod
    def look(self, relative: str) -> object:
        """What changes when somebody writes the file anew."""

    @abstractmethod
    def names(self, relative: str = "") -> list[str]:
        """Names in a directory; empty if there is none."""

    @abstractmethod
    def path(self, relative: str) -> str:
        """The path for messages."""

    @abstractmethod
    def write(self, relative: str, chunks: Iterable[bytes], size: int | None = None) -> None:
        """Write the file, of `size` bytes if that is known, whole or not at all."""

    def go_on(self, relative: str, descriptor: Descriptor, source: Opener) -> bool:  # noqa: ARG002
        """Complete what an interrupted run left of a blob; False if there is nothing of use, or it is nobody's to go on with.

        Raises `ContentMismatch`, and what reading `source` raises.
        """
        return False

    @abstractmethod
    def remove(self, relative: str) -> None:
        """Remove a file, if it is there."""

    @abstractmethod
    def make_directory(self, relative: str) -> None:
        """Make a directory and those above it, if they are not there."""

    @abstractmethod
    def sync(self, relative: str) -> None:
        """Bring the names in a directory to disk, where the system can."""

    def refresh(self) -> bool:
        """Where writing is deferred: whether somebody else has written meanwhile, and his is what is read now."""
        return False

    def finish(self) -> None:
        """Let others see what was written. Raises `EnvironmentFailure`."""
        return  # where nothing is deferred, they do

    @abstractmethod
    def close(self) -> None:
        """Write nothing more, though other threads are at it. What is half-written goes, or waits for the next run."""

    def read(self, relative: str, limit: int) -> bytes:
        """The whole file. Raises also `BadAnswer` if it has more than `limit` bytes."""
        data = self.read_start(relative, limit + 1)
        if len(data) > limit:
            raise BadAnswer(f"has more than {limit} bytes", at=self.path(relative))
        return data

    def read_start(self, relative: str, count: int) -> bytes:
        """The first `count` bytes, or as many as there are."""
        data = bytearray()
        with self.open(relative) as stream:
            try:
                while len(data) < count and (chunk := stream.read(count - len(data))):
                    data += chunk
            except OSError as e:
                raise failure(e, self.path(relative)) from e
        return bytes(data)


class LayoutFiles(Files):
    """The files below `root`, named by relative paths with `/`.

    Links inside the directory work; one that leads out of it is refused with `MalformedManifest`:
    a layout is often unpacked from an archive of somebody else.
    """

    def __init__(self, root: str) -> None:
        self.root = os.path.realpath(root)
        self._unfinished: set[str] | None = set()
        """Files that are being written; None once nothing may be written any more."""
        # A signal may interrupt the main thread just as `naming` is entered, which holds it until the traceback goes:
        # `close`, which comes before, must not wait for that.
        self._guard = threading.RLock()

    def close(self) -> None:
        """Write nothing more, and remove what is half-written, though other threads are at it."""
        with self._guard:
            unfinished, self._unfinished = self._unfinished, None
        for path in unfinished or ():
            with contextlib.suppress(OSError):
                os.unlink(path)

    def open(self, relative: str) -> BinaryIO:
        """The file as a stream. Raises `NotFound`, `MalformedManifest` if it is no regular file."""
        return open_regular(self._inside(relative))

    def size(self, relative: str) -> int | None:
        """Bytes of a regular file, or None if there is none."""
        found = self._stat(relative)
        return found.st_size if found and stat.S_ISREG(found.st_mode) else None

    def look(self, relative: str) -> object:
        """What changes when somebody writes the file anew; equal values prove nothing within a clock tick."""
        found = self._stat(relative)
        return found and (found.st_ino, found.st_size, found.st_mtime_ns)

    def write(self, relative: str, chunks: Iterable[bytes], size: int | None = None) -> None:  # noqa: ARG002
        """Write beside, flush to disk, rename. Whatever fails, `chunks` included, leaves nothing behind.

        The new name itself is on disk only after `sync` of its directory.
        """
        target = self._inside(relative)
        beside = os.path.join(self.root, UNFINISHED + os.urandom(8).hex())
        try:
            with open(self._begin(beside, target), "wb") as stream:
                stream.writelines(chunks)
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(beside, target)
        except BaseException as e:
            with contextlib.suppress(OSError):
                os.unlink(beside)
            if isinstance(e, OSError):
                raise failure(e, target) from e
            raise
        finally:
            self._end(beside)

    def target(self, relative: str) -> str:
        """The path to write to. Raises `MalformedManifest` if that leads out of the layout."""
        return self._inside(relative)

    @contextlib.contextmanager
    def naming(self) -> Iterator[set[str]]:
        """To be held while a name is made here: `close` waits for it, and after it none is made.

        Gives the files that `close` shall remove. Raises `EnvironmentFailure` once nothing may be written any more.
        """
        with self._guard:
            if self._unfinished is None:
                raise failure(InterruptedError(errno.EINTR, "interrupted"), self.root)
            yield self._unfinished

    def check_open(self) -> None:
        """Raise `EnvironmentFailure` once nothing may be written any more."""
        with self.naming():
            return

    def _begin(self, path: str, target: str) -> int:
        with self.naming() as unfinished:
            os.makedirs(os.path.dirname(target), exist_ok=True)
            unfinished.add(path)
            return os.open(path, _WRITE, 0o666)

    def _end(self, path: str) -> None:
        with self._guard:
            if self._unfinished is not None:
                self._unfinished.discard(path)

    def remove(self, relative: str) -> None:
        """Remove a file, if it is there."""
        path = self._inside(relative)
        try:
            os.unlink(path)
        except FileNotFoundError:
            return
        except OSError as e:
            raise failure(e, path) from e

    def make_directory(self, relative: str) -> None:
        """Make a directory and those above it, if they are not there."""
        path = self._inside(relative)
        try:
            with self.naming():
                os.makedirs(path, exist_ok=True)
        except OSError as e:
            raise failure(e, path) from e

    def sync(self, relative: str) -> None:
        """Bring the names in a directory to disk, where the system can."""
        with contextlib.suppress(OSError):
            descriptor = os.open(self._inside(relative), os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def names(self, relative: str = "") -> list[str]:
        """Names in a directory, without unfinished files; empty if there is none."""
        path = self._inside(relative)
        try:
            return [name for name in os.listdir(path) if not name.startswith(UNFINISHED)]
        except FileNotFoundError:
            return []
        except OSError as e:
            raise failure(e, path) from e

    def path(self, relative: str) -> str:
        """The path for messages."""
        return os.path.join(self.root, relative)

    def _stat(self, relative: str) -> os.stat_result | None:
        path = self._inside(relative)
        try:
            return os.stat(path, follow_symlinks=False)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as e:
            raise failure(e, path) from e

    def _inside(self, relative: str) -> str:
        path = os.path.realpath(os.path.join(self.root, relative))
        if os.path.commonpath((self.root, path)) != self.root:
            raise MalformedManifest("a symbolic link leads out of the layout", at=self.path(relative))
        return path
