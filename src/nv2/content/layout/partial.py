"""A large blob that goes on where writing it to a layout was interrupted.

What has come of it stands beside the layout's files under a name made of its digest, and is locked by whoever writes it.
Nothing there is believed: it is hashed again before the rest is asked for, and only the digest of the whole gives it
its name. What the disk or the digest refuses is removed; only what the source or a signal broke is kept.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from nv2.content.checked_stream import CheckedStream
from nv2.content.interface import Opener
from nv2.content.layout.alone import open_alone, sweep
from nv2.content.layout.files import UNFINISHED, LayoutFiles, failure
from nv2.errors import ContentMismatch
from nv2.oci.descriptor import Descriptor
from nv2.oci.digest import hasher

if TYPE_CHECKING:
    import hashlib

CHUNK = 1024 * 1024
"""Bytes in memory at a time."""


def partial_name(descriptor: Descriptor) -> str:
    """The file of what has come of a blob."""
    return f"{UNFINISHED}{descriptor.digest.replace(':', '-')}.part"


def write_on(files: LayoutFiles, relative: str, descriptor: Descriptor, source: Opener) -> bool:
    """Write the blob to the file `relative`, from where it was left; False if somebody else is at it.

    Also False where files cannot be locked: then it must be written another way. Raises `EnvironmentFailure`,
    `ContentMismatch`, and what reading `source` raises.
    """
    target = files.target(relative)
    sweep(files.root)
    path = os.path.join(files.root, partial_name(descriptor))
    with _locked(files, path) as file:
        if file is None:
            return False
        try:
            if not _whole(file, descriptor, source, files.check_open):
                os.ftruncate(file, 0)
                _whole(file, descriptor, source, files.check_open)
            os.fsync(file)
            with files.naming():
                os.makedirs(os.path.dirname(target), exist_ok=True)
                os.replace(path, target)
        except (OSError, ContentMismatch) as e:
            with contextlib.suppress(OSError):
                os.unlink(path)
            if isinstance(e, OSError):
                raise failure(e, target) from e
            raise
    return True


@contextlib.contextmanager
def _locked(files: LayoutFiles, path: str) -> Iterator[int | None]:
    """The file, for us alone, as `open_alone` has it."""
    with files.naming():
        file = open_alone(path)
    try:
        yield file
    finally:
        if file is not None:
            os.close(file)


def _whole(file: int, descriptor: Descriptor, source: Opener, go_on: Callable[[], object]) -> bool:
    """Write what is missing; whether all of it has the digest. Raises `ContentMismatch` if what came is to blame."""
    with CheckedStream(source(), descriptor) as stream:
        begun = os.fstat(file).st_size if stream.seekable() else 0
        if begun > descriptor.size:
            begun = 0
        os.ftruncate(file, begun)
        digest = _hash_of(file, begun, descriptor)
        stream.seek(begun)
        while chunk := stream.read(CHUNK):
            go_on()
            digest.update(chunk)
            _write(file, chunk)
    # Read from the beginning, the stream has checked it.
    return not begun or digest.hexdigest() == descriptor.digest.partition(":")[2]


def _hash_of(file: int, count: int, descriptor: Descriptor) -> hashlib._Hash:
    """Of the first `count` bytes; the file stands behind them."""
    digest = hasher(descriptor.digest)
    os.lseek(file, 0, os.SEEK_SET)
    while count and (chunk := os.read(file, min(CHUNK, count))):
        digest.update(chunk)
        count -= len(chunk)
    return digest


def _write(file: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]
