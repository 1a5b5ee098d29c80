"""Packages of plugins, as functions of bytes: what is taken lies in its directory, is small, and has no rights it should not."""

from __future__ import annotations

import gzip
import io
import stat
import tarfile
import tempfile
import zipfile
from pathlib import Path

from nv2.home import plugin_packages
from nv2.home.plugin_packages import take_package

_MOST = 64 * 1024
"""Bytes of a package here, in the place of 256 MiB: whoever gets past that gets past this."""


def take(data: bytes) -> None:
    """Take the package `data`. Raises `PluginError`."""
    with tempfile.TemporaryDirectory(prefix="nv2-fuzz-") as name:
        folder = Path(name)
        (into := folder / "staged" / "plugin").mkdir(parents=True)
        (folder / "package").write_bytes(data)
        whole, plugin_packages.MAX_PACKAGE = plugin_packages.MAX_PACKAGE, _MOST
        try:
            executable = take_package(folder / "package", into, None).executable
            assert executable.parent == into
        finally:
            plugin_packages.MAX_PACKAGE = whole
            _check_taken(folder, into)


def take_tar(data: bytes) -> None:
    """The same of a tar archive that is not compressed yet: changes are no use under a checksum."""
    take(gzip.compress(data, 1))


def _check_taken(folder: Path, into: Path) -> None:
    """Whatever was said about it, even of a package that is refused."""
    assert {path.name for path in folder.iterdir()} == {"staged", "package"}
    assert {path.name for path in into.parent.iterdir()} <= {"plugin", "package", "package.tar"}
    found = [path.lstat() for path in into.iterdir()]
    assert all(stat.S_ISREG(file.st_mode) and not file.st_mode & 0o7022 for file in found)
    assert sum(file.st_size for file in found) < _MOST


def zips() -> tuple[bytes, ...]:
    """A plugin with its license and a directory; stored and compressed."""
    return tuple(_zip(kind) for kind in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))


def _zip(kind: int) -> bytes:
    with zipfile.ZipFile(made := io.BytesIO(), "w", kind) as archive:
        for name, mode in (("notation-acme", 0o100755), ("LICENSE", 0o100644), ("sub/", 0o40755)):
            info = zipfile.ZipInfo(name)
            info.external_attr, info.compress_type = mode << 16, kind
            archive.writestr(info, b"" if name.endswith("/") else b"#!/bin/sh\n" * 9)
    return made.getvalue()


def tars() -> tuple[bytes, ...]:
    """The same, in each form of tar, with links beside it."""
    return tuple(_tar(form) for form in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT))


def _tar(form: int) -> bytes:
    long = "x" * 200 if form != tarfile.USTAR_FORMAT else "x"
    entries = (
        ("sub/notation-acme", tarfile.REGTYPE, 0o4755),
        (long, tarfile.REGTYPE, 0o644),
        ("l", tarfile.SYMTYPE, 0o777),
    )
    with tarfile.open(fileobj=(made := io.BytesIO()), mode="w", format=form) as archive:
        for name, kind, mode in entries:
            info = tarfile.TarInfo(name)
            info.type, info.mode, info.linkname = kind, mode, "/etc/passwd"
            info.size = 10 if kind == tarfile.REGTYPE else 0
            archive.addfile(info, io.BytesIO(b"#!/bin/sh\n"))
    return made.getvalue()[:5120]
