"""Uploads under way: a file each, in a folder of their own, which a restart of the registry leaves there.

An upload that is cut off keeps what arrived, and its client may ask how far it got and continue. All that must be
known of it is in the name of the file: the identifier, the algorithm, and a hash of the repository, which is too
long for a name, and of the login that began it. What this module does not do: publish content. `finish` hands over a
checked and synced file.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from nv2.errors import ContentMismatch
from nv2.oci.digest import Digest, algorithm_of, hasher, is_computable
from nv2.server.messages import Body
from nv2.server.registry.errors import Refusal
from nv2.server.registry.limits import Limits

PIECE = 1024 * 1024
"""Bytes that are read, hashed and written at a time."""


_NAME = re.compile(r"(?P<identifier>[0-9a-f-]{36})\.(?P<algorithm>[a-z0-9]+)\.(?P<place>[0-9a-f]{32})")


def check_room(directory: Path, reserve: int) -> None:
    """Raise `OSError` unless a piece more leaves `reserve` bytes of the disk free."""
    disk = os.statvfs(directory)
    if disk.f_bavail * disk.f_frsize < reserve + PIECE:
        raise OSError(errno.ENOSPC, "less than the reserve of the disk is free", str(directory))


def _place(repository: str, owner: str) -> str:
    whose = f"{repository}\0{owner}" if owner else repository
    return hashlib.sha256(whose.encode()).hexdigest()[:32]


class Upload:
    """An upload: `size` bytes have arrived in `file` and were written. Its name says the rest."""

    def __init__(self, file: Path, identifier: str, algorithm: str, place: str) -> None:
        """Of the existing `file`; what is in it has arrived before."""
        found = file.stat()
        self.identifier = identifier
        self.file = file
        self.size = found.st_size
        self.touched = time.monotonic() - max(time.time() - found.st_mtime, 0)
        self._place = place
        self._hashed = hasher(Digest(f"{algorithm}:"))
        self._hashed_size = 0
        self._lock = threading.Lock()

    @classmethod
    def begin(cls, repository: str, directory: Path, algorithm: str, owner: str) -> Upload:
        """A new one."""
        name = str(uuid.uuid4()), algorithm, _place(repository, owner)
        file = directory / ".".join(name)
        file.touch(exist_ok=False)
        return cls(file, *name)

    @classmethod
    def left(cls, file: Path) -> Upload | None:
        """The one that a stopped registry left in `file`; None if it is something else."""
        found = _NAME.fullmatch(file.name)
        if found is None or not is_computable(Digest(f"{found['algorithm']}:")):
            return None
        return cls(file, found["identifier"], found["algorithm"], found["place"])

    def is_of(self, repository: str, owner: str) -> bool:
        """Whether it is an upload into `repository` that `owner` began, or somebody without a login.

        Clients begin without one where they may, and show it from the first request on that asks for it.
        """
        return self._place in (_place(repository, owner), _place(repository, ""))

    def rests_since(self, before: float) -> bool:
        """Whether nobody works on it, nor has since `before`, by the monotonic clock."""
        return not self._lock.locked() and self.touched < before

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other requests away from this upload; they are refused, not kept waiting."""
        if not self._lock.acquire(blocking=False):
            raise Refusal(409, "BLOB_UPLOAD_INVALID", "another request is working on this upload")
        try:
            yield
        finally:
            self.touched = time.monotonic()
            self._lock.release()

    def append(self, body: Body, reserve: int, most: int = 0) -> None:
        """Add the bytes of `body`; `size` grows with each piece that is written.

        Raises `OSError` as `check_room`, and `Refusal` (413) where there would be more than `most` bytes, 0 for any.
        """
        self._check_size(body.size or 0, most)
        with self.file.open("r+b") as file:
            self._catch_up(file)
            while data := body.read(PIECE):
                check_room(self.file.parent, reserve)
                self._check_size(len(data), most)
                file.write(data)
                file.flush()
                self._hash(data)
                self.size += len(data)

    def _check_size(self, more: int, most: int) -> None:
        if most and self.size + more > most:
            raise Refusal(413, "SIZE_INVALID", f"a blob has at most {most} bytes here")

    def _hash(self, data: bytes) -> None:
        self._hashed.update(data)
        self._hashed_size += len(data)

    def _catch_up(self, file: BinaryIO) -> None:
        """Hash what arrived before the registry was started; `file` stands at `size` then."""
        file.seek(self._hashed_size)
        while left := self.size - self._hashed_size:
            data = file.read(min(left, PIECE))
            if not data:
                raise OSError(errno.EIO, "an upload is shorter than it was", str(self.file))
            self._hash(data)

    def finish(self, digest: Digest) -> Path:
        """The file, synced, if it has `digest`. Raises `ContentMismatch`."""
        with self.file.open("r+b") as file:
            file.truncate(self.size)  # a write that failed may have left more
            found = self._digest(file, digest)
            if found != digest:
                raise ContentMismatch(f"the content has digest {found}", at=digest)
            os.fsync(file.fileno())
        return self.file

    def _digest(self, file: BinaryIO, wanted: Digest) -> str:
        algorithm = algorithm_of(wanted)
        if algorithm == self._hashed.name:
            return f"{algorithm}:{self._hashed.hexdigest()}"
        hashed = hasher(wanted)
        while data := file.read(PIECE):
            hashed.update(data)
        return f"{algorithm}:{hashed.hexdigest()}"


class Uploads:
    """All uploads; their files are in `directory`."""

    def __init__(self, directory: Path, limits: Limits) -> None:
        self._directory = directory
        self._limits = limits
        self._lock = threading.Lock()
        self._open: dict[str, Upload] = {}
        directory.mkdir(exist_ok=True)
        for file in directory.iterdir():
            if upload := Upload.left(file):
                self._open[upload.identifier] = upload
            else:
                file.unlink()
        self._drop_rested()

    def begin(self, repository: str, algorithm: str = "sha256", owner: str = "") -> Upload:
        """A new, empty upload, hashed with `algorithm` as it comes. Raises `Refusal` (429) if there are too many."""
        with self._lock:
            self._drop_rested()
            if len(self._open) >= self._limits.uploads:
                self._drop_longest_resting()
            if len(self._open) >= self._limits.uploads:
                raise Refusal(
                    429, "TOOMANYREQUESTS", "too many uploads are open", headers={"Retry-After": "10"}
                )
            upload = Upload.begin(repository, self._directory, algorithm, owner)
            self._open[upload.identifier] = upload
            return upload

    def find(self, repository: str, identifier: str, owner: str = "") -> Upload:
        """The upload of `identifier` that `owner` may go on with. Raises `Refusal` (404)."""
        upload = self._open.get(identifier)
        if upload is None or not upload.is_of(repository, owner):
            raise Refusal(404, "BLOB_UPLOAD_UNKNOWN", "no such upload, or it has ended")
        return upload

    def end(self, upload: Upload) -> None:
        """Forget `upload` and remove its file, if that was not adopted."""
        with self._lock:
            self._open.pop(upload.identifier, None)
        upload.file.unlink(missing_ok=True)

    @contextlib.contextmanager
    def written(self, data: bytes) -> Iterator[Path]:
        """A synced file with `data`, removed at the end if it was not adopted."""
        check_room(self._directory, self._limits.reserve)
        file = self._directory / str(uuid.uuid4())
        try:
            with file.open("xb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            yield file
        finally:
            file.unlink(missing_ok=True)

    def _drop_rested(self) -> None:
        oldest = time.monotonic() - self._limits.upload_rest
        for upload in [upload for upload in self._open.values() if upload.rests_since(oldest)]:
            self._drop(upload)

    def _drop_longest_resting(self) -> None:
        """Make room: clients that broke off must not keep all others out for a day."""
        before = time.monotonic() - self._limits.upload_yield
        resting = [upload for upload in self._open.values() if upload.rests_since(before)]
        if resting:
            self._drop(min(resting, key=lambda upload: upload.touched))

    def _drop(self, upload: Upload) -> None:
        del self._open[upload.identifier]
        upload.file.unlink(missing_ok=True)
