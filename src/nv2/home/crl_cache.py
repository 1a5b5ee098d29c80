"""CRLs kept between runs, in notation's own cache: what one of the two programs fetched, the other need not fetch.

A file per URL, its name the SHA-256 of the URL, its content `{"baseCRL":"…","deltaCRL":"…"}` in base64. Of a large
CRL there is a copy of the plain bytes beside it, in nv2's own folder, because decoding takes longer than judging.
It has the time stamp of the file that it is a copy of, given to both before they appear; where that was replaced, the
copy is out of date.
What this module does not do: believe any of it. Whoever loads a CRL judges it as if it had just been fetched.
"""

from __future__ import annotations

import binascii
import contextlib
import hashlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from nv2.errors import EnvironmentFailure, Nv2Error
from nv2.files import failure, read_file, write_atomically
from nv2.home.evidence_files import REMOVE, own_status
from nv2.pki.certificate_status import MAX_CRL

LARGE = 1024 * 1024
"""Bytes of a CRL from which on a plain copy is kept. Decoding as many takes some 5 ms."""

_BEGIN, _BETWEEN, _END = b'{"baseCRL":"', b'","deltaCRL":"', b'"}'
_MAX_FILE = MAX_CRL // 3 * 4 + 64
_WHAT = "a CRL in the cache"
_PIECE = 3 * 256 * 1024
"""Bytes that are encoded at a time; three of them become four."""

Bundle = tuple[bytes, bytes | None]
"""A CRL, and the delta to it."""


class CrlCache:
    """The CRLs in `directory`, notation's; `own` is for plain copies. Both are made when first needed.

    Nothing here is fatal: what went wrong is in `warnings`. Any number of processes may use it at once. Who does not
    `learn` writes no copies of what is read.
    """

    def __init__(self, directory: Path, own: Path | None = None, *, learn: bool = True) -> None:
        self._learn = learn
        self._directory = directory
        self._own = own or directory.parent / "nv2" / "crl"
        self.warnings: list[Nv2Error] = []
        """What went wrong so far: a file that could not be read, a CRL that could not be kept."""

    def load(self, url: str) -> Bundle | None:
        """The CRL, and the delta, that were kept for `url`; None if there is none that can be read.

        It may have expired, be made by anybody, or be no CRL at all.
        """
        path = self._directory / _name(url)
        try:
            found = own_status(path)
            if found is None:
                return None
            if copy := self._copy(path.name, found):
                return copy
            bundle = decoded(read_file(path, _MAX_FILE, _WHAT, regular=True), str(path))
        except EnvironmentFailure as e:
            self.warnings.append(e)
            return None
        if self._learn:  # notation wrote it
            self._keep(self._write_copy, path, found.st_mtime_ns, *bundle)
        return bundle

    def store(self, url: str, base: bytes, delta: bytes | None) -> None:
        """Keep a CRL, and the delta to it, for `url`, in the place of older ones."""
        self._keep(self._write, self._directory / _name(url), base, delta)

    def _keep(self, write: Callable[..., None], path: Path, *what: Any) -> None:
        try:
            write(path, *what)
        except EnvironmentFailure as e:
            self.warnings.append(e)
        except OSError as e:
            self.warnings.append(failure(e, path))

    def _write(self, path: Path, base: bytes, delta: bytes | None) -> None:
        if len(base) + len(delta or b"") > MAX_CRL:
            raise EnvironmentFailure(
                f"a CRL and its delta of more than {MAX_CRL} bytes are not kept", at=str(path)
            )
        # Not brought to the disk: half a file, after a loss of power, is one more that is ignored.
        # The time stamp is ours from the beginning: that of the file may be another writer's by the time one looks.
        stamp = time.time_ns()
        write_atomically(path, _encoded(base, delta), durable=False, modified=stamp)
        self._write_copy(path, stamp, base, delta)

    def _copies(self, name: str) -> tuple[Path, Path]:
        return self._own / f"{name}.base", self._own / f"{name}.delta"

    def _copy(self, name: str, original: os.stat_result) -> Bundle | None:
        """The plain copy, if it is one of the file with the status `original`."""
        copies = self._copies(name)
        if not _belong(copies, original):
            return None
        base, delta = (_read(copy) if os.path.lexists(copy) else None for copy in copies)
        # Again, for what was read one after the other may not belong together.
        return (base, delta) if base is not None and _belong(copies, original) else None

    def _write_copy(self, path: Path, stamp: int, base: bytes, delta: bytes | None) -> None:
        for copy, data in zip(self._copies(path.name), (base, delta), strict=True):
            if data is not None and len(base) >= LARGE:
                write_atomically(copy, data, durable=False, modified=stamp)
            else:
                with contextlib.suppress(FileNotFoundError):
                    copy.unlink()


def _belong(copies: tuple[Path, Path], original: os.stat_result) -> bool:
    """Whether `copies`, of which there may be one, are those of the file with the status `original`."""
    base, delta = map(own_status, copies)
    if base is None or any(copy and copy.st_mtime_ns != original.st_mtime_ns for copy in (base, delta)):
        return False
    return _encoded_size(base.st_size, delta.st_size if delta else None) == original.st_size


def _name(url: str) -> str:
    return hashlib.sha256(url.encode()).hexdigest()


def _read(path: Path) -> bytes:
    return read_file(path, MAX_CRL, _WHAT, regular=True)


def decoded(data: bytes, at: str) -> Bundle:
    """The content of one of notation's files, in the one form that it is written in. Raises `EnvironmentFailure`."""
    if not data.startswith(_BEGIN) or not data.endswith(_END):
        raise EnvironmentFailure("is not a CRL as notation keeps it", at=at, hint=REMOVE)
    view = memoryview(data)
    end = len(data) - len(_END)
    middle = data.find(_BETWEEN, len(_BEGIN))
    try:
        base = binascii.a2b_base64(view[len(_BEGIN) : middle if middle >= 0 else end], strict_mode=True)
        if middle < 0:
            return base, None
        return base, binascii.a2b_base64(view[middle + len(_BETWEEN) : end], strict_mode=True)
    except ValueError:
        raise EnvironmentFailure("is not base64", at=at, hint=REMOVE) from None


def _encoded(base: bytes, delta: bytes | None) -> Iterator[bytes]:
    """As Go writes it, a piece at a time."""
    yield _BEGIN
    yield from _pieces(base)
    if delta is not None:
        yield _BETWEEN
        yield from _pieces(delta)
    yield _END


def _pieces(data: bytes) -> Iterator[bytes]:
    view = memoryview(data)
    for at in range(0, len(data), _PIECE):
        yield binascii.b2a_base64(view[at : at + _PIECE], newline=False)


def _encoded_size(base: int, delta: int | None) -> int:
    size = len(_BEGIN) + len(_END) + (base + 2) // 3 * 4
    return size if delta is None else size + len(_BETWEEN) + (delta + 2) // 3 * 4
