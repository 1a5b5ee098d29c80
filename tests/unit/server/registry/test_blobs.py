"""Pulling and deleting blobs."""

from __future__ import annotations

from nv2.oci.digest import digest_of
from tests.unit.server.registry.conftest import Shelf


def test_a_blob_comes_back_with_its_digest(shelf: Shelf) -> None:
    digest = shelf.push_blob(b"hello")
    heard = shelf.ask("GET", f"a/blobs/{digest}")
    assert (heard.status, heard.data) == (200, b"hello")
    assert heard.headers["Docker-Content-Digest"] == digest
    assert heard.headers["Content-Type"] == "application/octet-stream"


def test_sha512_is_as_good(shelf: Shelf) -> None:
    digest = digest_of(b"hello", "sha512")
    assert shelf.ask("POST", f"a/blobs/uploads/?digest={digest}", b"hello").status == 201
    assert shelf.ask("GET", f"a/blobs/{digest}").data == b"hello"


def test_a_blob_is_its_repositorys_own(shelf: Shelf) -> None:
    digest = shelf.push_blob(b"hello")
    heard = shelf.ask("GET", f"b/blobs/{digest}")
    assert (heard.status, heard.code) == (404, "BLOB_UNKNOWN")


def test_a_part_of_a_blob(shelf: Shelf) -> None:
    digest = shelf.push_blob(b"0123456789")
    heard = shelf.ask("GET", f"a/blobs/{digest}", range="bytes=2-4")
    assert (heard.status, heard.data) == (206, b"234")
    assert heard.headers["Content-Range"] == "bytes 2-4/10"


def test_a_part_that_does_not_exist(shelf: Shelf) -> None:
    digest = shelf.push_blob(b"0123456789")
    heard = shelf.ask("GET", f"a/blobs/{digest}", range="bytes=10-")
    assert (heard.status, heard.data) == (416, b"")
    assert heard.headers["Content-Range"] == "bytes */10"


def test_a_part_of_something_else_is_the_whole(shelf: Shelf) -> None:
    digest = shelf.push_blob(b"0123456789")
    assert shelf.ask("GET", f"a/blobs/{digest}", range="bytes=2-4", if_range='"other"').data == b"0123456789"


def test_a_head_is_about_the_whole(shelf: Shelf) -> None:
    digest = shelf.push_blob(b"0123456789")
    assert shelf.ask("HEAD", f"a/blobs/{digest}", range="bytes=2-4").status == 200


def test_who_has_the_blob_need_not_get_it_again(shelf: Shelf) -> None:
    digest = shelf.push_blob(b"hello")
    assert shelf.ask("GET", f"a/blobs/{digest}", if_none_match=f'"{digest}"').status == 304


def test_deleting_a_blob_leaves_it_to_other_repositories(shelf: Shelf) -> None:
    digest = shelf.push_blob(b"hello")
    shelf.push_blob(b"hello", "b")
    assert shelf.ask("DELETE", f"a/blobs/{digest}").status == 202
    assert shelf.ask("GET", f"a/blobs/{digest}").status == 404
    assert shelf.ask("GET", f"b/blobs/{digest}").data == b"hello"
    assert shelf.ask("DELETE", f"a/blobs/{digest}").status == 404


def test_the_file_goes_with_the_last_who_had_it(shelf: Shelf) -> None:
    digest = shelf.push_blob(b"hello")
    hex_digits = digest.removeprefix("sha256:")
    file = shelf.directory / "blobs" / "sha256" / hex_digits[:2] / hex_digits
    assert file.read_bytes() == b"hello"
    shelf.ask("DELETE", f"a/blobs/{digest}")
    assert not file.exists()


def test_a_reader_reads_on_while_the_blob_is_deleted(shelf: Shelf) -> None:
    digest = digest_of(b"hello")
    shelf.push_blob(b"hello")
    content = shelf.storage.blob("a", digest)
    assert content is not None
    shelf.ask("DELETE", f"a/blobs/{digest}")
    with content.file:
        assert content.file.read() == b"hello"
