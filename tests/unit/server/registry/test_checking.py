"""Checking a directory: it is sound, or says what is damaged."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from nv2.errors import ConfigurationError, EnvironmentFailure
from nv2.oci.digest import Digest, digest_of
from nv2.server.registry import checking
from nv2.server.registry.checking import check
from nv2.server.registry.content_files import ContentFiles
from tests.unit.server.registry.conftest import Shelf

LAYER = digest_of(b"layer")


@pytest.fixture
def full(shelf: Shelf) -> Shelf:
    """With an image in two repositories and a tag that moved."""
    shelf.push(shelf.image(), "v1")
    shelf.push(shelf.image(annotations={"n": "2"}), "v1")
    shelf.push(shelf.image("b"), "v1", "b")
    return shelf


def file(shelf: Shelf, digest: str = LAYER) -> Path:
    algorithm, _, digits = digest.partition(":")
    return shelf.directory / "blobs" / algorithm / digits[:2] / digits


def kinds(shelf: Shelf, *, quick: bool = False) -> list[tuple[str, str]]:
    return [damage[:2] for damage in check(shelf.directory, quick=quick).damages]


def change(shelf: Shelf, statement: str) -> None:
    with closing(sqlite3.connect(shelf.directory / "registry.db", isolation_level=None)) as db:
        db.execute(statement)


def test_a_sound_registry_is_counted(full: Shelf) -> None:
    report = check(full.directory)
    assert report.is_sound
    assert (report.repositories, report.tags, report.manifests, report.blobs, report.content) == (
        2,
        2,
        3,
        4,
        4,
    )
    assert report.size == sum(path.stat().st_size for path in (full.directory / "blobs").glob("*/*/*"))


@pytest.mark.parametrize("quick", [True, False])
def test_a_torn_file_is_found(full: Shelf, quick: bool) -> None:
    file(full).write_bytes(b"lay")
    assert kinds(full, quick=quick) == [("size", LAYER)]


def test_a_changed_byte_is_found_by_who_reads_it_all(full: Shelf) -> None:
    file(full).write_bytes(b"lazer")
    assert kinds(full) == [("digest", LAYER)]
    assert kinds(full, quick=True) == []


def test_a_missing_file_is_found(full: Shelf) -> None:
    file(full).unlink()
    assert kinds(full) == [("missing", LAYER)]


def test_a_torn_manifest_is_found(full: Shelf) -> None:
    digest = full.ask("GET", "a/manifests/v1").headers["Docker-Content-Digest"]
    data = file(full, digest).read_bytes()
    file(full, digest).write_bytes(data[:-1])
    assert kinds(full) == [("size", digest)]


def test_a_tag_that_names_nothing_is_found(full: Shelf) -> None:
    digest = full.ask("GET", "b/manifests/v1").headers["Docker-Content-Digest"]
    change(full, "DELETE FROM manifests WHERE repository = (SELECT id FROM repositories WHERE name = 'b')")
    assert kinds(full) == [("tag", "b:v1")]
    assert digest in check(full.directory).damages[0].reason


def test_a_tag_that_was_moved_behind_the_journals_back_is_found(full: Shelf) -> None:
    change(full, "UPDATE tags SET digest = (SELECT min(digest) FROM manifests) WHERE name = 'v1'")
    change(full, "DELETE FROM tags WHERE repository = (SELECT id FROM repositories WHERE name = 'b')")
    assert ("journal", "b:v1") in kinds(full)


def test_a_row_of_no_repository_is_found(full: Shelf) -> None:
    change(full, "DELETE FROM repositories WHERE name = 'b'")
    assert {kind for kind, _ in kinds(full)} >= {"index"}


def test_a_damaged_index_is_never_called_sound(full: Shelf) -> None:
    full.storage.close()
    index = full.directory / "registry.db"
    with closing(sqlite3.connect(index)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    data = bytearray(index.read_bytes())
    data[4096 : len(data)] = b"\xa5" * (len(data) - 4096)
    index.write_bytes(data)
    try:
        assert "index" in {kind for kind, _ in kinds(full)}
    except (ConfigurationError, EnvironmentFailure) as e:
        assert "index cannot be used" in str(e)


def test_leftovers_are_no_damage(full: Shelf) -> None:
    left = file(full, digest_of(b"left"))
    left.parent.mkdir(parents=True, exist_ok=True)
    left.write_bytes(b"left")
    assert check(full.directory).is_sound


def test_what_is_torn_counts_as_absent_and_heals_when_it_is_pushed_again(full: Shelf) -> None:
    heard = full.ask("GET", "a/manifests/v1")
    digest = heard.headers["Docker-Content-Digest"]
    file(full).write_bytes(b"lay")
    file(full, digest).write_bytes(heard.data[:-1])
    assert full.ask("HEAD", f"a/blobs/{LAYER}").status == 404
    assert full.ask("HEAD", "a/manifests/v1").status == 404
    full.push_blob(b"layer")
    full.ask("PUT", "a/manifests/v1", heard.data, content_type=heard.headers["Content-Type"])
    assert full.ask("GET", f"b/blobs/{LAYER}").data == b"layer"
    assert check(full.directory).is_sound


@pytest.mark.parametrize("meanwhile", ["deleted", "sent again"])
def test_what_changes_while_it_is_checked_is_no_damage(
    full: Shelf, monkeypatch: pytest.MonkeyPatch, meanwhile: str
) -> None:
    lost = full.push_blob(b"lost")
    looked = checking._file
    asked: list[str] = []

    def look(content: ContentFiles, quick: bool, digest: Digest, size: int | None) -> tuple[int, Any]:
        if digest == lost and not asked:
            asked.append(digest)
            file(full, lost).unlink()
            found = looked(content, quick, digest, size)
            if meanwhile == "deleted":
                assert full.ask("DELETE", f"a/blobs/{lost}").status == 202
            else:
                full.push_blob(b"lost")
            return found
        return looked(content, quick, digest, size)

    monkeypatch.setattr(checking, "_file", look)
    assert check(full.directory).damages == ()
    assert asked == [lost]
