from __future__ import annotations

import errno
import os
import stat
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from nv2 import files
from nv2.errors import EnvironmentFailure, PolicyError
from nv2.files import delete_file, failure, make_directory, read_file, write_atomically


def test_a_file_is_read_up_to_its_limit(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"12345")
    assert read_file(path, 5, "a number") == b"12345"
    with pytest.raises(EnvironmentFailure, match="longer than 4 bytes, too long for a number"):
        read_file(path, 4, "a number")


def test_a_missing_file_is_an_error_with_the_callers_advice(tmp_path: Path) -> None:
    with pytest.raises(PolicyError) as caught:
        read_file(tmp_path / "f", 5, "x", error=PolicyError, absent="make one")
    assert caught.value.at == str(tmp_path / "f")
    assert caught.value.message == "no such file or directory"
    assert caught.value.hint == "make one"


def test_a_directory_where_a_file_belongs_is_named_as_one(tmp_path: Path) -> None:
    for regular in (False, True):
        with pytest.raises(EnvironmentFailure, match="is a directory where a file belongs"):
            read_file(tmp_path, 5, "x", regular=regular)


def test_a_name_that_no_file_can_have_is_a_missing_file() -> None:
    with pytest.raises(EnvironmentFailure, match="no such file"):
        read_file(Path("a\0b"), 5, "x")


def test_a_link_is_followed_only_where_the_caller_named_it(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"1")
    (tmp_path / "link").symlink_to("f")
    assert read_file(tmp_path / "link", 5, "x") == b"1"
    with pytest.raises(EnvironmentFailure, match="symbolic link"):
        read_file(tmp_path / "link", 5, "x", regular=True)


def test_a_pipe_in_a_files_place_does_not_hold_the_reader(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(EnvironmentFailure, match="not a regular file"):
        read_file(tmp_path / "pipe", 5, "x", regular=True)


def test_a_small_file_takes_little_memory_whatever_its_limit(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"x")
    tracemalloc.start()
    try:
        assert read_file(tmp_path / "f", 64 * 1024 * 1024, "a test") == b"x"
        assert tracemalloc.get_traced_memory()[1] < 1024 * 1024
    finally:
        tracemalloc.stop()


def test_an_endless_file_ends_at_the_limit() -> None:
    with pytest.raises(EnvironmentFailure, match="longer than 1000 bytes"):
        read_file(Path("/dev/zero"), 1000, "x")


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EACCES, "permission denied"),
        (errno.EROFS, "the file system is read-only"),
        (errno.EIO, "input/output error"),
    ],
)
def test_what_the_system_refuses_is_told_in_our_words(number: int, message: str) -> None:
    error = failure(OSError(number, os.strerror(number)), Path("/x"))
    assert str(error) == f"/x: {message}"


def test_a_full_disk_comes_with_advice() -> None:
    assert "nothing was changed" in (failure(OSError(errno.ENOSPC, ""), Path("x")).hint or "")


def test_a_written_file_has_the_mode_asked_for_and_private_directories(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "f"
    write_atomically(path, b"x")
    assert path.read_bytes() == b"x"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [stat.S_IMODE(p.stat().st_mode) for p in (path.parent, path.parent.parent)] == [0o700] * 2


def test_writing_replaces_what_was_there_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"old")
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["f"]


def test_a_file_that_must_be_new_is_never_replaced(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"old")
    with pytest.raises(EnvironmentFailure, match="exists already"):
        write_atomically(path, b"new", replace=False)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["f"]


def test_a_new_file_appears_where_the_file_system_has_no_hard_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(*_: object) -> None:
        raise PermissionError(errno.EPERM, "no")

    monkeypatch.setattr(os, "link", no_links)
    write_atomically(tmp_path / "f", b"x", replace=False)
    assert (tmp_path / "f").read_bytes() == b"x"
    with pytest.raises(EnvironmentFailure, match="exists already"):
        write_atomically(tmp_path / "f", b"y", replace=False)
    assert os.listdir(tmp_path) == ["f"]


@pytest.mark.parametrize("interruption", [KeyboardInterrupt(), OSError(errno.ENOSPC, "full")])
def test_an_interrupted_write_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, interruption: BaseException
) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"old")

    def interrupted(_: int) -> None:
        raise interruption

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises((KeyboardInterrupt, EnvironmentFailure)):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["f"]


def test_the_unfinished_file_lies_in_the_scratch_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[str]] = []
    replace = os.replace

    def watched(source: Path, target: Path) -> None:
        seen.append(os.listdir(tmp_path / "target"))
        replace(source, target)

    monkeypatch.setattr(os, "replace", watched)
    write_atomically(tmp_path / "target" / "f", b"x", scratch=tmp_path / "scratch")
    assert seen == [[]]
    assert os.listdir(tmp_path / "scratch") == []


def test_a_scratch_directory_on_another_file_system_is_done_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace = os.replace

    def other_device(source: Path, target: Path) -> None:
        if Path(source).parent != Path(target).parent:
            raise OSError(errno.EXDEV, "cross-device")
        replace(source, target)

    monkeypatch.setattr(os, "replace", other_device)
    write_atomically(tmp_path / "target" / "f", b"x", scratch=tmp_path / "scratch")
    assert (tmp_path / "target" / "f").read_bytes() == b"x"
    assert os.listdir(tmp_path / "scratch") == []


def test_a_file_in_the_way_of_a_directory_is_named(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"")
    with pytest.raises(EnvironmentFailure) as caught:
        make_directory(tmp_path / "f" / "sub")
    assert "a file stands where a directory belongs" in str(caught.value)


def test_a_directory_in_the_way_of_a_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFailure, match="is a directory where a file belongs"):
        write_atomically(tmp_path, b"x")


def test_a_file_system_that_cannot_sync_directories_is_no_reason_to_fail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cannot(_: int) -> None:
        raise OSError(errno.EINVAL, "no")

    monkeypatch.setattr(os, "fsync", cannot)
    files.sync_directory(tmp_path)


def test_deleting_what_is_not_there_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"")
    delete_file(tmp_path / "f")
    with pytest.raises(EnvironmentFailure, match="no such file"):
        delete_file(tmp_path / "f")


def test_a_file_may_come_in_pieces_and_an_error_between_them_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_atomically(path, iter((b"one ", b"two")), durable=False)
    assert path.read_bytes() == b"one two"

    def broken() -> Iterator[bytes]:
        yield b"half"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_atomically(path, broken(), durable=False)
    assert [(found.name, found.read_bytes()) for found in tmp_path.iterdir()] == [("file", b"one two")]


def test_a_time_stamp_of_ones_own_is_there_from_the_first_moment(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_atomically(path, b"one", durable=False, modified=1_700_000_000_123_456_789)
    assert path.stat().st_mtime_ns == 1_700_000_000_123_456_789
