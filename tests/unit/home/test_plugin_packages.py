"""Packages of plugins, and what is wrong with some: the rows of notation.md §5.2."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import stat
import struct
import tarfile
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from nv2.errors import PluginError
from nv2.home import plugin_packages
from nv2.home.plugin_packages import Candidate, take_package

NAME = "notation-acme"


def taken(source: Path, checksum: str | None = None) -> Candidate:
    staged = source.parent / "staged"
    (staged / "plugin").mkdir(parents=True)
    return take_package(source, staged / "plugin", checksum)


def files_beside(candidate: Candidate) -> dict[str, int]:
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in candidate.executable.parent.iterdir()}


def tar(path: Path, *members: tuple[tarfile.TarInfo, bytes], form: int = tarfile.PAX_FORMAT) -> Path:
    with tarfile.open(path, "w:gz", format=form) as archive:
        for info, data in members:
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def entry(name: str, mode: int = 0o755, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.mode, info.type, info.linkname = mode, kind, link
    return info


def zipped(path: Path, *members: tuple[str, int, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, mode, data in members:
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, data)
    return path


PLUGIN = (entry(NAME), b"#!")


def test_a_tar_is_flattened_and_loses_setuid_and_links(tmp_path: Path) -> None:
    found = taken(
        tar(
            tmp_path / "p.tar.gz",
            (entry("sub/", kind=tarfile.DIRTYPE), b""),
            (entry(f"sub/{NAME}", 0o6777), b"#!"),
            (entry("lib.so", 0o666), b"x"),
            (entry("link", kind=tarfile.SYMTYPE, link="/etc/passwd"), b""),
            (entry("hard", kind=tarfile.LNKTYPE, link="lib.so"), b""),
            (entry("device", kind=tarfile.CHRTYPE), b""),
        )
    )
    assert found.name == "acme"
    assert files_beside(found) == {NAME: 0o755, "lib.so": 0o644}


def test_a_zip_is_taken_at_its_root_without_links(tmp_path: Path) -> None:
    found = taken(
        zipped(
            tmp_path / "p.zip",
            (NAME, 0o106755, b"#!"),
            ("sub/other", 0o100644, b""),
            ("LICENSE", 0o100600, b"x"),
            ("link", 0o120777, b"/etc/passwd"),
        )
    )
    assert files_beside(found) == {NAME: 0o755, "LICENSE": 0o600}


def test_a_directory_is_taken_without_what_is_below_and_without_links(tmp_path: Path) -> None:
    source = tmp_path / "files"
    (source / "sub").mkdir(parents=True)
    (source / NAME).write_bytes(b"#!")
    (source / "link").symlink_to("/etc/passwd")
    found = taken(source)
    assert files_beside(found) == {NAME: 0o755}
    assert found.warning is not None  # it was not executable
    assert not os.access(source / NAME, os.X_OK)


def test_an_executable_alone_is_a_package(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(b"#!")
    (tmp_path / NAME).chmod(0o4755)
    assert files_beside(taken(tmp_path / NAME)) == {NAME: 0o755}


def test_a_checksum_in_capitals_is_one(tmp_path: Path) -> None:
    archive = tar(tmp_path / "p.tar.gz", PLUGIN)
    assert taken(archive, hashlib.sha256(archive.read_bytes()).hexdigest().upper()).name == "acme"


def raw(text: bytes, name: str = "p.tar.gz", mode: int = 0o644) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        (folder / name).write_bytes(text)
        (folder / name).chmod(mode)
        return folder / name

    return write


def tars(*members: tuple[tarfile.TarInfo, bytes]) -> Callable[[Path], Path]:
    return lambda folder: tar(folder / "p.tar.gz", *members)


def zips(*members: tuple[str, int, bytes]) -> Callable[[Path], Path]:
    return lambda folder: zipped(folder / "p.zip", *members)


def lying_size(folder: Path) -> Path:
    """A zip archive whose headers say that the bomb is small."""
    path = zipped(folder / "p.zip", (NAME, 0o755, bytes(3_000_000)))
    size = (3_000_000).to_bytes(4, "little")
    path.write_bytes(path.read_bytes().replace(size, (10).to_bytes(4, "little")))
    return path


def large_directory(folder: Path, comment: int = 0) -> Path:
    """A zip archive that leads to a directory as large as it likes, before a comment of its own."""
    data = zipped(folder / "small.zip", (NAME, 0o755, b"")).read_bytes()
    end = data.rfind(b"PK\5\6")
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, 0, 1)
    (folder / "p.zip").write_bytes(
        data[:end] + locator + data[end:-2] + struct.pack("<H", comment) + bytes(comment)
    )
    return folder / "p.zip"


def long_comments(folder: Path) -> Path:
    """A zip archive whose directory has a megabyte of comments."""
    with zipfile.ZipFile(folder / "p.zip", "w") as archive:
        for number in range(20):
            info = zipfile.ZipInfo(f"f{number}")
            info.comment = bytes(60_000)
            archive.writestr(info, b"")
    return folder / "p.zip"


def negative_size(folder: Path) -> Path:
    """A tar header that leads backwards, for ever."""
    header = bytearray(entry(NAME).tobuf(tarfile.GNU_FORMAT))
    header[124:136] = b"\xff" * 12
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    (folder / "p.tar.gz").write_bytes(gzip.compress(bytes(header) * 4 + bytes(1024)))
    return folder / "p.tar.gz"


def encrypted(folder: Path) -> Path:
    """A zip archive that says of its file that a password is needed."""
    path = zipped(folder / "p.zip", (NAME, 0o755, b"#!"))
    data = bytearray(path.read_bytes())
    data[data.find(b"PK\3\4") + 6] |= 1
    data[data.find(b"PK\1\2") + 8] |= 1
    path.write_bytes(data)
    return path


def packed_otherwise(folder: Path) -> Path:
    """A zip archive in LZMA, whose reader may ask for much memory."""
    with zipfile.ZipFile(folder / "p.zip", "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr(NAME, b"#!")
    return folder / "p.zip"


def old_sparse(folder: Path) -> Path:
    """GNU's first form of a sparse file: nothing stored, eight gigabytes said."""
    header = bytearray(entry(NAME).tobuf(tarfile.GNU_FORMAT))
    header[156:157], header[483:495] = tarfile.GNUTYPE_SPARSE, b"77777777777\0"
    header[386:398], header[398:410] = b"00000000000\0", b"77777777777\0"
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    (folder / "p.tar.gz").write_bytes(gzip.compress(bytes(header) + bytes(1024)))
    return folder / "p.tar.gz"


def extended(**headers: str) -> Callable[[Path], Path]:
    """A tar archive whose entry is something else in its extended header."""

    def write(folder: Path) -> Path:
        info = entry(NAME)
        info.pax_headers = headers
        return tar(folder / "p.tar.gz", (info, b"#!"))

    return write


def many_headers(folder: Path) -> Path:
    """One header after the other, each about the next."""
    block = entry("x", kind=tarfile.XHDTYPE).tobuf(tarfile.USTAR_FORMAT)
    (folder / "p.tar.gz").write_bytes(gzip.compress(block * 3000))
    return folder / "p.tar.gz"


def sparse(folder: Path) -> Path:
    """A tar archive of a few bytes, whose one file is 3 MB of nothing."""
    info = entry(NAME)
    info.pax_headers = {
        "GNU.sparse.major": "0",
        "GNU.sparse.minor": "1",
        "GNU.sparse.map": "3000000,0",
        "GNU.sparse.size": "3000000",
    }
    return tar(folder / "p.tar.gz", (info, b""))


def long_header(folder: Path) -> Path:
    """A header that wants to be held in memory."""
    info = entry(NAME)
    info.pax_headers = {"comment": "x" * 1_200_000}
    return tar(folder / "p.tar.gz", (info, b"#!"))


def before_the_beginning(folder: Path) -> Path:
    """A zip archive whose directory is said to be longer than the file."""
    path = zipped(folder / "p.zip", (NAME, 0o755, b"#!"))
    whole = path.read_bytes()
    size = whole[-10:-6]
    path.write_bytes(whole[:-10] + (int.from_bytes(size, "little") + 500).to_bytes(4, "little") + whole[-6:])
    return path


def nul_in_zip(folder: Path) -> Path:
    path = zipped(folder / "p.zip", ("evil_.txt", 0o644, b""), (NAME, 0o755, b""))
    path.write_bytes(path.read_bytes().replace(b"evil_", b"evil\0"))
    return path


def nul_in_tar(folder: Path) -> Path:
    info = entry("x")
    info.pax_headers = {"path": "evil\0.txt"}
    return tar(folder / "p.tar.gz", (info, b""), PLUGIN)


# fmt: off
REFUSED: dict[str, tuple[Callable[[Path], Path], str]] = {
    "zip slip in zip":              (zips(("../../evil.txt", 0o644, b""), (NAME, 0o755, b"")), "cannot contain '..'"),
    "zip slip in tar":              (tars((entry("../../evil.txt"), b""), PLUGIN),             "cannot contain '..'"),
    "absolute name in zip":         (zips(("/evil.txt", 0o644, b"")),                          "is not relative"),
    "absolute name in tar":         (tars((entry("/evil.txt"), b""), PLUGIN),                  "is not relative"),
    "Windows separators in zip":    (zips(("a\\evil.txt", 0o644, b"")),                        "is not relative"),
    "Windows separators in tar":    (tars((entry("a\\evil.txt"), b""), PLUGIN),                "is not relative"),
    "a drive in tar":               (tars((entry("C:evil.txt"), b""), PLUGIN),                 "is not relative"),
    "NUL in zip":                   (nul_in_zip,                                               "is not relative"),
    "NUL in tar":                   (nul_in_tar,                                               "is not relative"),
    "a name that no file can have": (zips((NAME, 0o755, b""), ("x" * 300, 0o644, b"")),        "not a package that can be read"),
    "zip with offsets below nothing": (before_the_beginning,                                   "not a package that can be read"),
    "zip bomb":                     (zips((NAME, 0o755, bytes(3_000_000))),                    "size limit"),
    "zip bomb in pieces":           (zips((NAME, 0o755, bytes(900_000)), ("b", 0o644, bytes(900_000)), ("c", 0o644, bytes(900_000))), "size limit"),
    "zip with a large directory":   (large_directory,                                          "bytes of names"),
    "zip with one before a comment": (lambda folder: large_directory(folder, 0xFFFF),          "bytes of names"),
    "zip with long comments":         (long_comments,                                               "bytes of names"),
    "zip with a password":          (encrypted,                                                "is encrypted"),
    "zip in another compression":   (packed_otherwise,                                         "compressed in a way that is not supported"),
    "sparse tar of the old form":   (old_sparse,                                               "not a package that can be read"),
    "tar with a negative size":     (negative_size,                                            "a header of more than"),
    "tar with an extended name":    (extended(path="../../evil.txt"),                          "cannot contain '..'"),
    "tar with an extended NUL":     (extended(path="a\0b"),                                    "is not relative"),
    "tar with an extended size":    (extended(size="99999999999"),                             "not a package that can be read"),
    "tar of headers alone":         (many_headers,                                             "not a package that can be read"),
    "zip with a declared size":     (lying_size,                                               "not a package that can be read"),
    "tar bomb":                     (tars((entry(NAME), bytes(3_000_000))),                    "size limit"),
    "tar bomb that is skipped":     (tars((entry("x", kind=tarfile.CHRTYPE), b""), (entry("sub"), bytes(3_000_000)), PLUGIN), "size limit"),
    "sparse tar":                   (sparse,                                                   "size limit"),
    "tar with a long header":       (long_header,                                              "header of more than"),
    "gzip without tar":             (raw(gzip.compress(b"x" * 600)),                           "not a package that can be read"),
    "gzip cut short":               (raw(gzip.compress(bytes(5000))[:-12]),                    "not a package that can be read"),
    "zip cut short":                (raw(b"PK\3\4" + bytes(100)),                              "not a package that can be read"),
    "several executables":          (tars(PLUGIN, (entry("notation-other"), b"")),             "found more than one plugin executable files"),
    "no executable":                (tars((entry("LICENSE"), b"")),                            "no plugin executable file was found"),
    "duplicate entries in tar":     (tars(PLUGIN, (entry(f"sub/{NAME}"), b"other")),           "two files of the package are called"),
    "duplicate entries in zip":     (zips((NAME, 0o755, b""), (NAME, 0o755, b"")),             "two files of the package are called"),
    "a name that is none":          (raw(b"#!", "notation-a..b", 0o755),                       "invalid plugin executable file name"),
    "another file":                 (raw(b"#!", "acme", 0o755),                                "invalid plugin executable file name"),
    "not executable":               (raw(b"#!", NAME),                                         "is not executable"),
    "too large":                    (raw(bytes(3_000_000), NAME, 0o755),                       "file size reached"),
    "absent":                       (lambda folder: folder / "absent",                         "is not a valid file"),
}
# fmt: on


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("row", REFUSED)
def test_5_2_a_package_that_must_not_be_taken_is_one_error(
    row: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plugin_packages, "MAX_PACKAGE", 2 * 1024 * 1024)
    make, says = REFUSED[row]
    source = make(tmp_path)
    tracemalloc.start()
    try:
        with pytest.raises(PluginError) as caught:
            taken(source)
        assert tracemalloc.get_traced_memory()[1] < 16 * 1024 * 1024
    finally:
        tracemalloc.stop()
    assert says in str(caught.value)
    assert not list(tmp_path.rglob("evil*"))


def test_5_2_a_checksum_that_differs_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(PluginError, match="checksum does not match user input"):
        taken(tar(tmp_path / "p.tar.gz", PLUGIN), "00")
    assert not list((tmp_path / "staged" / "plugin").iterdir())


def test_an_archive_of_too_many_entries_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugin_packages, "MAX_ENTRIES", 3)
    many = [(f"f{n}", 0o644, b"") for n in range(4)]
    with pytest.raises(PluginError, match="more than 3 entries"):
        taken(zipped(tmp_path / "p.zip", *many))
    (tmp_path / "tar").mkdir()
    with pytest.raises(PluginError, match="more than 3 entries"):
        taken(tar(tmp_path / "tar" / "p.tar.gz", *((entry(name), b"") for name, _, _ in many)))


def test_the_entries_are_counted_whatever_the_end_of_an_archive_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plugin_packages, "MAX_ENTRIES", 3)
    path = zipped(tmp_path / "p.zip", *((f"f{n}", 0o644, b"") for n in range(4)))
    data = bytearray(path.read_bytes())
    end = data.rfind(b"PK\5\6")
    data[end + 8 : end + 12] = struct.pack("<2H", 1, 1)
    path.write_bytes(data)
    with pytest.raises(PluginError, match="more than 3 entries"):
        taken(path)
    assert not list((tmp_path / "staged" / "plugin").iterdir())


def test_what_lies_beside_the_executable_loses_setuid_and_the_right_of_others_to_write(
    tmp_path: Path,
) -> None:
    made = zipped(tmp_path / "p.zip", (NAME, 0o106777, b"#!"), ("helper", 0o106777, b"x"))
    assert files_beside(taken(made)) == {NAME: 0o755, "helper": 0o755}
