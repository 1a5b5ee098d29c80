"""The journal: what each tag named, who set it, and that nothing takes a line away."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from nv2.server.registry.conditions import ALWAYS
from nv2.server.registry.database import Database
from nv2.server.registry.journal import Who
from nv2.server.registry.tables import VERSION
from tests.unit.server.registry.conftest import Shelf

VERSION_1 = Path(__file__).parent / "version1.sql"


def history(shelf: Shelf, query: str = "?tag=v1") -> list[dict[str, Any]]:
    heard = shelf.ask("GET", f"a/_nv2/tags/history{query}")
    assert heard.status == 200
    found: list[dict[str, Any]] = heard.json["history"]
    return found


def push(shelf: Shelf, number: int, tag: str = "v1") -> str:
    heard = shelf.push(shelf.image(annotations={"n": str(number)}), tag)
    assert heard.status == 201
    return heard.headers["Docker-Content-Digest"]


def test_every_digest_of_a_tag_is_written_down_with_the_one_before_it(shelf: Shelf) -> None:
    first, second = push(shelf, 1), push(shelf, 2)
    assert [(e["event"], e["digest"], e.get("previous")) for e in history(shelf)] == [
        ("set", second, first),
        ("set", first, None),
    ]


def test_setting_a_tag_to_what_it_names_moves_nothing(shelf: Shelf) -> None:
    push(shelf, 1)
    push(shelf, 1)
    assert len(history(shelf)) == 1


def test_deletions_are_written_down_too(shelf: Shelf) -> None:
    digest = push(shelf, 1)
    shelf.ask("DELETE", "a/manifests/v1")
    push(shelf, 1)
    shelf.ask("DELETE", f"a/manifests/{digest}")
    assert [(e["event"], e.get("digest"), e.get("previous")) for e in history(shelf)] == [
        ("manifest deleted", None, digest),
        ("set", digest, None),
        ("deleted", None, digest),
    ]  # a page has three


def test_a_push_that_is_refused_leaves_no_line(shelf: Shelf) -> None:
    push(shelf, 1)
    assert shelf.push(shelf.image(annotations={"n": "2"}), "v1", if_none_match="*").status == 412
    assert len(history(shelf)) == 1


def test_who_moved_a_tag_is_the_name_of_the_login_else_the_address(shelf: Shelf) -> None:
    digest = push(shelf, 1)
    shelf.storage.remove_tag("a", "v1", ALWAYS, Who("alice", "192.0.2.7"))
    push(shelf, 1, "v2")
    shelf.storage.remove_manifest("a", digest, ALWAYS, Who("", "192.0.2.8"))
    latest, _, before = history(shelf, "")
    assert (latest.get("user"), latest["peer"]) == (None, "192.0.2.8")
    assert (before["user"], before.get("peer")) == ("alice", None)


def test_a_long_history_comes_in_pages_each_line_once(shelf: Shelf) -> None:
    pushed = [push(shelf, number) for number in range(7)]
    seen, target = [], "a/_nv2/tags/history?tag=v1&n=2"
    while target:
        heard = shelf.ask("GET", target)
        seen += [entry["digest"] for entry in heard.json["history"]]
        target = heard.headers.get("Link", "").partition(">")[0].removeprefix("</v2/")
    assert seen == pushed[::-1]


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("nobody/_nv2/tags/history", 404),
        ("a/_nv2/tags/history?last=x", 400),
        ("a/_nv2/tags/history?n=-1", 400),
    ],
)
def test_what_there_is_no_history_of(shelf: Shelf, target: str, status: int) -> None:
    push(shelf, 1)
    assert shelf.ask("GET", target).status == status


def test_a_tag_that_never_was_has_an_empty_history(shelf: Shelf) -> None:
    push(shelf, 1)
    assert history(shelf, "?tag=v9") == []


@pytest.mark.parametrize("statement", ["DELETE FROM journal", "UPDATE journal SET user = 'mallory'"])
def test_the_database_itself_lets_no_line_be_changed_or_removed(shelf: Shelf, statement: str) -> None:
    push(shelf, 1)
    with (
        closing(sqlite3.connect(shelf.directory / "registry.db")) as db,
        pytest.raises(sqlite3.IntegrityError, match="append-only"),
    ):
        db.execute(statement)
    assert len(history(shelf)) == 1


# The first version of the index


@pytest.fixture
def older(shelf: Shelf) -> Iterator[Shelf]:
    """A directory as the first version left it: its index was written by that version's statements."""
    push(shelf, 1)
    push(shelf, 1, "v2")
    shelf.storage.close()
    index, newer = shelf.directory / "registry.db", shelf.directory.parent / "newer.db"
    shutil.move(index, newer)
    with closing(sqlite3.connect(index, isolation_level=None)) as db:
        db.executescript(VERSION_1.read_text())
        db.execute("ATTACH ? AS newer", (str(newer),))
        for table, columns in (
            ("repositories", "id, name"),
            ("blobs", "repository, digest"),
            ("manifests", "repository, digest, media_type, subject, artifact_type, descriptor"),
            ("tags", "repository, name, digest"),
        ):
            db.execute(f"INSERT INTO main.{table} SELECT {columns} FROM newer.{table}")  # noqa: S608
    again = Shelf(shelf.directory)
    shelf.storage = again.storage
    yield again


def test_a_directory_of_the_first_version_is_brought_up_and_keeps_its_content(older: Shelf) -> None:
    heard = older.ask("GET", "a/manifests/v1")
    assert heard.status == 200
    digest = heard.headers["Docker-Content-Digest"]
    assert [(e["tag"], e["event"], e["digest"]) for e in history(older, "")] == [
        ("v2", "found", digest),
        ("v1", "found", digest),
    ]
    with closing(sqlite3.connect(older.directory / "registry.db")) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (VERSION,)
        assert db.execute("SELECT size FROM manifests").fetchone() == (len(heard.data),)
        assert sorted(db.execute("SELECT size FROM blobs")) == [(2,), (5,)]
    assert push(older, 2) != digest
    assert history(older)[0]["previous"] == digest


def test_a_migration_that_fails_leaves_the_index_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "registry.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.executescript(VERSION_1.read_text())
        db.execute("INSERT INTO repositories VALUES (1, 'a')")
        db.execute("INSERT INTO blobs VALUES (1, 'sha256:00')")

    def fail(_: str) -> int:
        raise OSError

    with pytest.raises(OSError):
        Database(path, fail)
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (1,)
        assert db.execute("SELECT * FROM blobs").fetchall() == [(1, "sha256:00")]
