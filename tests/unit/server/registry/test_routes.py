"""What the registry answers to, and what becomes of everything else."""

from __future__ import annotations

import errno
import sqlite3
from pathlib import Path
from typing import NoReturn, get_args

import pytest

from nv2.oci.digest import digest_of
from nv2.server.registry import routes
from nv2.server.registry.errors import Code
from tests.unit.server.registry.conftest import Shelf

HELLO = digest_of(b"hello")


def test_the_registry_says_that_it_is_one(shelf: Shelf) -> None:
    heard = shelf.ask("GET", "")
    assert (heard.status, heard.headers["Docker-Distribution-Api-Version"]) == (200, "registry/2.0")


@pytest.mark.parametrize(
    "name", ["blobs", "a/manifests", "tags/list/blobs/uploads", "v2", "referrers/x", "a--b"]
)
def test_repositories_may_be_named_as_endpoints_are(shelf: Shelf, name: str) -> None:
    digest = shelf.push_blob(b"hello", name)
    assert shelf.ask("GET", f"{name}/blobs/{digest}").data == b"hello"
    assert shelf.ask("GET", f"{name}/tags/list").json["name"] == name
    assert shelf.ask("GET", f"{name}/referrers/{digest}").status == 200
    assert shelf.push(shelf.image(name), "list", name).status == 201


@pytest.mark.parametrize(
    "name",
    ["A", "..", "a/../b", "a//b", "/a", "a/", ".a", "a_", "a___b", "a\x00b", "a\n", "%2e%2e", "ä", "a" * 256],
)
def test_names_that_are_none_are_refused_wherever_they_stand(shelf: Shelf, name: str) -> None:
    for method, rest in (
        ("GET", f"blobs/{HELLO}"),
        ("POST", "blobs/uploads/"),
        ("PUT", "manifests/v1"),
        ("DELETE", "manifests/v1"),
        ("GET", "tags/list"),
        ("GET", f"referrers/{HELLO}"),
    ):
        heard = shelf.ask(method, f"{name}/{rest}")
        assert (heard.status, heard.code) == (400, "NAME_INVALID")


@pytest.mark.parametrize(
    "digest", ["sha256:..", "../../x", "sha256:" + "A" * 64, "sha256:" + "a" * 63, "x", "sha256:"]
)
def test_no_digest_leads_out_of_the_directory(shelf: Shelf, digest: str) -> None:
    for method in ("GET", "HEAD", "DELETE"):
        assert shelf.ask(method, f"a/blobs/{digest}").status in (400, 404)
    assert shelf.ask("POST", f"a/blobs/uploads/?digest={digest}", b"x").status == 400
    top = {"blobs", "uploads", "lock", "registry.db", "registry.db-wal", "registry.db-shm"}
    assert {file.name for file in shelf.directory.iterdir()} <= top
    assert list((shelf.directory / "blobs").iterdir()) == []


@pytest.mark.parametrize(
    "target", ["x", "a/b", "a/blobs", "a/manifests/", "a/tags", "a/referrers/", "a/tags/list/x"]
)
def test_there_is_nothing_else(shelf: Shelf, target: str) -> None:
    assert shelf.ask("GET", target).status == 404


@pytest.mark.parametrize(
    ("method", "target", "allowed"),
    [
        ("POST", "", "GET"),
        ("PUT", f"a/blobs/{HELLO}", "GET, DELETE"),
        ("PATCH", "a/manifests/v1", "GET, PUT, DELETE"),
        ("GET", "a/blobs/uploads/", "POST"),
        ("OPTIONS", "a/tags/list", "GET"),
    ],
)
def test_other_methods_are_refused_with_those_that_exist(
    shelf: Shelf, method: str, target: str, allowed: str
) -> None:
    heard = shelf.ask(method, target)
    assert (heard.status, heard.code, heard.headers["Allow"]) == (405, "UNSUPPORTED", allowed)


def test_a_long_path_is_refused_before_anything_looks_at_it(shelf: Shelf) -> None:
    assert shelf.ask("GET", "a/" * 5000 + "tags/list").status == 414


def test_web_pages_may_not_write(shelf: Shelf) -> None:
    heard = shelf.ask("POST", f"a/blobs/uploads/?digest={HELLO}", b"hello", origin="http://evil.example")
    assert (heard.status, heard.code) == (403, "DENIED")
    assert shelf.ask("GET", "", origin="http://localhost:5000").status == 200


def failing(error: Exception) -> object:
    def fail(*_: object) -> NoReturn:
        raise error

    return fail


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), 507),
        (OSError(errno.EIO, "Input/output error"), 500),
        (sqlite3.OperationalError("database is locked"), 500),
    ],
)
def test_a_machine_that_fails_is_reported_to_the_owner_and_not_explained_to_the_client(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int
) -> None:
    monkeypatch.setattr(shelf.storage, "add_blob", failing(error))
    heard = shelf.ask("POST", f"a/blobs/uploads/?digest={HELLO}", b"hello")
    assert (heard.status, heard.code in get_args(Code)) == (status, True)
    assert str(error) not in heard.data.decode()
    assert len(shelf.warnings) == 1
    assert "failed" in shelf.warnings[0]
    assert list((shelf.directory / "uploads").iterdir()) == []


def test_what_is_no_request_gets_an_error_document_too() -> None:
    answer = routes.refuse(400, "an invalid content length")
    assert (answer.status, answer.headers["Content-Type"]) == (400, "application/json")


def test_a_disk_that_is_full_for_the_index_is_full(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    with sqlite3.connect(":memory:", isolation_level=None) as db:
        db.execute("PRAGMA max_page_count=1")
        with pytest.raises(sqlite3.OperationalError) as caught:
            db.execute("CREATE TABLE t (x)")
    db.close()
    monkeypatch.setattr(shelf.storage, "mount_blob", failing(caught.value))
    assert shelf.ask("POST", f"a/blobs/uploads/?mount={HELLO}").status == 507


def test_content_that_vanished_from_the_disk_is_unknown(shelf: Shelf) -> None:
    digest = shelf.push_blob(b"hello")
    encoded = digest.removeprefix("sha256:")
    Path(shelf.directory / "blobs" / "sha256" / encoded[:2] / encoded).unlink()
    assert shelf.ask("GET", f"a/blobs/{digest}").code == "BLOB_UNKNOWN"
    shelf.push_blob(b"hello")
    assert shelf.ask("GET", f"a/blobs/{digest}").data == b"hello"
