from __future__ import annotations

import hashlib
import io
import os
import tracemalloc
from pathlib import Path

import pytest

from nv2.content.blob_files import BLOCK, Blob
from nv2.errors import ContentMismatch, EnvironmentFailure

TEXT = b"hello\n"
HASHES = ["sha256", "sha384", "sha512"]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "blob"
    path.write_bytes(TEXT)
    return path


@pytest.mark.parametrize("size", [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 7])
@pytest.mark.parametrize("streamed", [False, True])
def test_a_blob_has_the_digest_of_all_its_bytes(tmp_path: Path, size: int, streamed: bool) -> None:
    data = os.urandom(size)
    (tmp_path / "blob").write_bytes(data)
    with Blob(io.BytesIO(data) if streamed else tmp_path / "blob") as blob:
        found = blob.describe(HASHES, "text/plain")
    assert [item.digest for item in found] == [f"{h}:{hashlib.new(h, data).hexdigest()}" for h in HASHES]
    assert {(item.size, item.media_type) for item in found} == {(size, "text/plain")}


def test_memory_does_not_grow_with_the_blob(tmp_path: Path) -> None:
    path = tmp_path / "sparse"
    with path.open("wb") as file:
        file.truncate(64 * 1024 * 1024)
    tracemalloc.start()
    with Blob(path) as blob:
        blob.describe(["sha256"], "a/b")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * BLOCK


def test_no_more_is_read_of_a_stream_than_the_limit_and_a_block() -> None:
    stream = io.BytesIO(bytes(10 * BLOCK))
    with pytest.raises(ContentMismatch, match="longer than 5 bytes"), Blob(stream) as blob:
        blob.describe(["sha256"], "a/b", limit=5)
    assert stream.tell() <= BLOCK


def test_a_stream_stays_open_for_its_owner() -> None:
    stream = io.BytesIO(TEXT)
    with Blob(stream) as blob:
        blob.describe(["sha256"], "a/b")
    assert not stream.closed


def test_only_a_regular_file_says_its_size_before_it_is_read(file: Path) -> None:
    with Blob(file) as blob, Blob(io.BytesIO(TEXT)) as stream:
        assert (blob.size, stream.size) == (len(TEXT), None)


def _grow(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


def _rewrite(path: Path) -> None:
    before = path.stat()
    path.write_bytes(TEXT[::-1])
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def _replace(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(TEXT)
    os.replace(other, path)


def test_a_link_that_leads_elsewhere_meanwhile_is_noticed(file: Path) -> None:
    other, link = file.with_name("other"), file.with_name("link")
    other.write_bytes(TEXT)
    link.symlink_to(file)
    with Blob(link) as blob:
        link.unlink()
        link.symlink_to(other)
        with pytest.raises(EnvironmentFailure, match="changed while it was read"):
            blob.check_unchanged()


@pytest.mark.parametrize("change", [_grow, _rewrite, _replace, Path.unlink])
def test_a_file_that_is_not_what_it_was_is_noticed(file: Path, change: object) -> None:
    assert callable(change)
    with Blob(file) as blob:
        blob.check_unchanged()
        change(file)
        with pytest.raises(EnvironmentFailure, match="changed while it was read"):
            blob.check_unchanged()


def test_a_file_that_changes_under_the_reading_has_no_digest(file: Path) -> None:
    with Blob(file) as blob:
        _grow(file)
        with pytest.raises(EnvironmentFailure, match="changed"):
            blob.describe(["sha256"], "a/b")


@pytest.mark.parametrize("name", ["missing", ".", "with\0nul"])
def test_what_is_no_file_is_one_located_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(EnvironmentFailure) as caught, Blob(tmp_path / name) as blob:
        blob.describe(["sha256"], "a/b")
    assert caught.value.at
