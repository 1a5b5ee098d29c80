"""Packages of plugins: a directory, a zip or tar.gz archive, or the executable alone, copied to a private directory.

Only regular files are taken, by name alone and without setuid and the like; every byte that comes out of an
archive is counted, whatever its headers say. What this module does not do: run anything.
"""

from __future__ import annotations

import errno
import gzip
import hashlib
import os
import shutil
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple

from nv2.errors import EnvironmentFailure, PluginError
from nv2.files import failure
from nv2.home.plugins import name_of
from nv2.plain_text import quoted

MAX_PACKAGE = 256 * 1024 * 1024
"""Bytes of a package, and of what comes out of it: notation's limit."""

MAX_ENTRIES = 10_000
"""Entries of an archive; a plugin with its libraries has some hundreds."""

MAX_HEADER = 1024 * 1024
"""Bytes of one header of an archive, or of the directory of a zip file: they are held in memory."""

_CHUNK = 1024 * 1024
_KEPT_MODE = 0o755
_BLOCK = 512
_TAR_HEADERS = frozenset((b"x", b"g", b"X", b"L", b"K"))
"""Types of entries that say something about the next one, and are read into memory."""

_OF_THE_PACKAGE = (errno.EINVAL, errno.ENAMETOOLONG)
"""What the system says of offsets before the beginning, and of names that no file can have."""

_END_OF_ZIP = struct.Struct("<4s4H2LH")
_ZIP64 = b"PK\x06\x07"
_LOCATOR = 20
"""Bytes before the end of a large zip archive that lead to its larger directory."""


class Candidate(NamedTuple):
    """A plugin that has not been run yet."""

    name: str
    executable: Path
    warning: str | None = None


def take_package(source: Path, into: Path, checksum: str | None) -> Candidate:
    """Copy the files of the package `source` into the empty directory `into`; the plugin among them.

    `checksum` is the SHA-256 of the package in hexadecimal. The package is copied first, so that what is hashed
    is what is read. Raises `PluginError`, `EnvironmentFailure`.
    """
    if source.is_dir():
        if checksum:
            raise PluginError("a directory has no checksum", at=str(source))
        _copy_directory(source, into)
        return _find(into)
    own = into.parent / "package"
    with _system_errors(source):
        if not source.is_file():
            raise PluginError(f"{source} is not a valid file")
        _copy_file(source, own, checksum)
        with own.open("rb") as file:
            kind = file.read(4)
        if kind.startswith(b"PK\x03\x04"):
            _unzip(own, into)
        elif kind.startswith(b"\x1f\x8b"):
            _untar(own, into)
        else:
            return _single(source, own, into)
    return _find(into)


@contextmanager
def _system_errors(at: Path) -> Iterator[None]:
    """What the system and the readers of archives raise, as ours."""
    try:
        yield
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, gzip.BadGzipFile, struct.error) as e:
        raise PluginError(f"not a package that can be read: {e}", at=str(at)) from None
    except (NotImplementedError, RuntimeError, ValueError) as e:
        raise PluginError(f"not a package that can be read: {e}", at=str(at)) from None
    except OSError as e:
        if e.errno in _OF_THE_PACKAGE:
            raise PluginError(f"not a package that can be read: {e.strerror}", at=str(at)) from None
        raise failure(e, at) from None


def _copy_file(source: Path, own: Path, checksum: str | None) -> None:
    found = hashlib.sha256()
    with source.open("rb") as reading, own.open("xb") as writing:
        budget = _Budget("file size")
        while chunk := reading.read(_CHUNK):
            budget.spend(len(chunk))
            found.update(chunk)
            writing.write(chunk)
    if checksum and found.hexdigest() != checksum.strip().lower():
        raise PluginError(f"plugin SHA-256 checksum does not match user input. Expecting {checksum}")


class _Budget:
    """Bytes that may still be written."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._left = MAX_PACKAGE

    def spend(self, size: int) -> None:
        """Count `size` bytes. Raises `PluginError` at the limit, which itself is too much."""
        self._left -= size
        if self._left <= 0:
            raise PluginError(f"{self._what} reached the {MAX_PACKAGE // 2**20} MiB size limit")


def _store(stream: IO[bytes], into: Path, name: str, mode: int, budget: _Budget) -> None:
    """One file of a package. Raises `PluginError` if there is one of that name."""
    target = into / name
    try:
        with target.open("xb") as file:
            while chunk := stream.read(_CHUNK):
                budget.spend(len(chunk))
                file.write(chunk)
    except FileExistsError:
        raise PluginError(f"two files of the package are called {quoted(name)}") from None
    target.chmod(mode & _KEPT_MODE | stat.S_IRUSR | stat.S_IWUSR)


def _copy_directory(source: Path, into: Path) -> None:
    budget = _Budget("total file size")
    with _system_errors(source):
        for entry in sorted(source.iterdir()):
            info = entry.lstat()
            if stat.S_ISREG(info.st_mode):
                with entry.open("rb") as stream:
                    _store(stream, into, entry.name, info.st_mode, budget)


def _check_member(name: str, kind: str) -> None:
    """Raise `PluginError` for a name that leads elsewhere, whoever joins it to a directory."""
    if ".." in name:
        raise PluginError(f"file name in {kind} cannot contain '..', but found {quoted(name)}")
    if not name or name.startswith("/") or "\\" in name or "\0" in name or ":" in name.partition("/")[0]:
        raise PluginError(f"file name in {kind} is not relative: {quoted(name)}")


def _unzip(package: Path, into: Path) -> None:
    """The regular files at the root of a zip archive."""
    _check_zip_directory(package)
    budget = _Budget("total file size")
    with zipfile.ZipFile(package) as archive:
        members = archive.infolist()
        if len(members) > MAX_ENTRIES:
            raise _too_many()  # whatever the end of the archive says
        for member in members:
            _check_member(member.orig_filename, "zip")
        for member in members:
            mode = member.external_attr >> 16
            if "/" in member.filename or (stat.S_IFMT(mode) and not stat.S_ISREG(mode)):
                continue
            if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise PluginError(f"compressed in a way that is not supported: {quoted(member.filename)}")
            with archive.open(member) as stream:
                _store(stream, into, member.filename, mode or 0o644, budget)


def _too_many() -> PluginError:
    return PluginError(f"more than {MAX_ENTRIES} entries, or {MAX_HEADER} bytes of names")


def _check_zip_directory(package: Path) -> None:
    """Raise `PluginError` for a directory that is too large to be read: all of it is held in memory."""
    with package.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - _LOCATOR - _END_OF_ZIP.size - 0x10000))
        tail = file.read()
    end = tail.rfind(b"PK\x05\x06")
    if end < 0:
        raise zipfile.BadZipFile("no end of the directory")
    _, _, _, _, entries, length, _, _ = _END_OF_ZIP.unpack_from(tail, end)
    if _ZIP64 in tail[max(0, end - _LOCATOR) : end] or entries > MAX_ENTRIES or length > MAX_HEADER:
        raise _too_many()


def _untar(package: Path, into: Path) -> None:
    """The regular files of a tar.gz archive, all into one directory."""
    plain = package.with_name("package.tar")
    budget = _Budget("total file size")
    with gzip.open(package) as stream, plain.open("xb") as file:
        while chunk := stream.read(_CHUNK):
            budget.spend(len(chunk))
            file.write(chunk)
    _check_tar_headers(plain)
    files = _Budget("total file size")  # sparse files are larger than what was read
    with tarfile.open(plain, "r:") as archive:
        for member in archive:
            _check_member(member.name, "tar.gz")
            stream_of = archive.extractfile(member) if member.isreg() else None
            if stream_of is not None:
                with stream_of as data:
                    _store(data, into, PurePosixPath(member.name).name, member.mode, files)


def _check_tar_headers(plain: Path) -> None:
    """Raise `PluginError` for headers that are too many, or too large to be held in memory."""
    with plain.open("rb") as file:
        for _ in range(MAX_ENTRIES):
            block = file.read(_BLOCK)
            if len(block) < _BLOCK or not block.strip(b"\0"):
                return
            header = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
            if header.size < 0 or (header.type in _TAR_HEADERS and header.size > MAX_HEADER):
                raise PluginError(f"a header of more than {MAX_HEADER} bytes")
            file.seek(-(-header.size // _BLOCK) * _BLOCK, os.SEEK_CUR)
    raise PluginError(f"more than {MAX_ENTRIES} entries")


def _single(source: Path, own: Path, into: Path) -> Candidate:
    name = name_of(source.name)
    if name is None:
        raise PluginError(
            f"failed to read plugin name from input file {source.name}: invalid plugin executable file name",
            hint="an executable is called notation-<plugin name>; anything else must be a .zip or .tar.gz archive",
        )
    mode = source.stat().st_mode
    if not mode & stat.S_IXUSR:
        raise PluginError(f"input file {source.name} is not executable", hint=f"chmod +x {source.name}")
    target = into / source.name
    shutil.move(own, target)
    target.chmod(mode & _KEPT_MODE | stat.S_IRUSR | stat.S_IWUSR)
    return Candidate(name, target)


def _find(directory: Path) -> Candidate:
    """The one plugin among the files; the only file that is called like one is made executable."""
    named = [path for path in sorted(directory.iterdir()) if name_of(path.name)]
    runnable = [path for path in named if path.stat().st_mode & stat.S_IXUSR]
    if len(runnable) > 1:
        raise PluginError("found more than one plugin executable files")
    if runnable:
        return Candidate(name_of(runnable[0].name) or "", runnable[0])
    if len(named) != 1:
        raise PluginError(
            "no plugin executable file was found",
            hint="it is called notation-<plugin name>, and is executable",
        )
    try:
        named[0].chmod(0o755)
    except OSError as e:
        raise EnvironmentFailure(f"cannot be made executable: {e.strerror}", at=str(named[0])) from None
    warning = f"{named[0].name} was not executable in its package, and has been made so"
    return Candidate(name_of(named[0].name) or "", named[0], warning)
