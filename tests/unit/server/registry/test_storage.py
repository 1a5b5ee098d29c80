"""What survives: restarts, crashes, other versions, other users of the directory."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import threading
from contextlib import closing
from pathlib import Path

import pytest

from nv2.errors import ConfigurationError, EnvironmentFailure, UsageError
from nv2.oci.digest import digest_of
from nv2.server.registry.checking import check
from nv2.server.registry.conditions import Condition
from nv2.server.registry.database import Database
from nv2.server.registry.storage import Storage
from tests.unit.server.registry.conftest import Shelf, subject

HELLO = digest_of(b"hello")


def reopened(shelf: Shelf) -> Shelf:
    shelf.storage.close()
    again = Shelf(shelf.directory)
    shelf.storage = again.storage
    return again


def test_everything_is_there_after_a_restart(shelf: Shelf) -> None:
    digest = shelf.push(shelf.image(), "v1").headers["Docker-Content-Digest"]
    shelf.push(shelf.image(subject=subject(digest)))
    again = reopened(shelf)
    assert again.ask("GET", "a/manifests/v1").headers["Docker-Content-Digest"] == digest
    assert len(again.ask("GET", f"a/referrers/{digest}").json["manifests"]) == 1
    assert again.ask("GET", f"a/blobs/{digest_of(b'layer')}").data == b"layer"


def test_an_upload_is_continued_after_a_restart(shelf: Shelf) -> None:
    upload = shelf.ask("POST", "a/blobs/uploads/").headers["Location"].removeprefix("/v2/")
    shelf.ask("PATCH", upload, b"hel")
    again = reopened(shelf)
    assert again.ask("GET", upload).headers["Range"] == "0-2"
    assert again.ask("GET", upload.replace("a/", "b/", 1)).status == 404, "it is the upload of one repository"
    assert again.ask("PATCH", upload, b"l", content_range="3-3").status == 202
    assert again.ask("PUT", f"{upload}?digest={HELLO}", b"o").status == 201
    assert again.ask("GET", f"a/blobs/{HELLO}").data == b"hello"
    assert list((shelf.directory / "uploads").iterdir()) == []


def test_an_upload_whose_bytes_were_lost_with_the_power_is_not_made_a_blob(shelf: Shelf) -> None:
    upload = shelf.ask("POST", "a/blobs/uploads/").headers["Location"].removeprefix("/v2/")
    shelf.ask("PATCH", upload, b"hel")
    [file] = (shelf.directory / "uploads").iterdir()
    file.write_bytes(b"\0\0\0")
    again = reopened(shelf)
    heard = again.ask("PUT", f"{upload}?digest={HELLO}", b"lo")
    assert (heard.status, heard.code) == (400, "DIGEST_INVALID")


def test_at_the_start_goes_what_nobody_can_continue(shelf: Shelf) -> None:
    upload = shelf.ask("POST", "a/blobs/uploads/").headers["Location"].removeprefix("/v2/")
    [rested] = (shelf.directory / "uploads").iterdir()
    os.utime(rested, (0, 0))
    (shelf.directory / "uploads" / "0b0e7f5e-half-a-manifest").write_bytes(b"{")
    again = reopened(shelf)
    assert list((shelf.directory / "uploads").iterdir()) == []
    assert again.ask("GET", upload).status == 404


def test_content_is_on_the_disk_before_its_row_is(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[tuple[str, bool]] = []
    file = shelf.directory / "blobs" / "sha256" / HELLO[7:9] / HELLO[7:]
    sync = os.fsync

    def watched(handle: int) -> None:
        kind = "directory" if stat.S_ISDIR(os.fstat(handle).st_mode) else "file"
        synced.append((kind, file.exists()))
        with sqlite3.connect(shelf.directory / "registry.db") as db:
            assert db.execute("SELECT 1 FROM blobs").fetchone() is None
        db.close()
        sync(handle)

    monkeypatch.setattr(os, "fsync", watched)
    shelf.push_blob(b"hello")
    assert synced[0] == ("file", False)
    assert set(synced[1:]) == {("directory", True)}


def test_a_crash_between_file_and_row_leaves_nothing_that_hurts(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("nv2.server.registry.rows.link_blob", None)
        with pytest.raises(TypeError):
            shelf.ask("POST", f"a/blobs/uploads/?digest={HELLO}", b"hello")
    again = reopened(shelf)
    assert again.ask("GET", f"a/blobs/{HELLO}").status == 404
    again.push_blob(b"hello")
    assert again.ask("GET", f"a/blobs/{HELLO}").data == b"hello"


def test_only_one_process_serves_a_directory(shelf: Shelf) -> None:
    with pytest.raises(UsageError, match="another registry"):
        Storage(shelf.directory)


def test_a_directory_of_somebody_elses_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("…")
    with pytest.raises(UsageError, match="other things"):
        Storage(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_file_is_no_directory(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(EnvironmentFailure, match="a file is where a directory belongs"):
            Storage(path)


def test_an_index_of_another_version_is_refused_and_not_changed(shelf: Shelf) -> None:
    shelf.storage.close()
    with sqlite3.connect(shelf.directory / "registry.db") as db:
        db.execute("PRAGMA user_version=99")
    db.close()
    with pytest.raises(ConfigurationError, match="version 99"):
        Storage(shelf.directory)
    with pytest.raises(ConfigurationError):
        Storage(shelf.directory)  # the lock was given back: it is the version again that is refused


def test_an_index_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "registry.db").write_bytes(b"not a database at all" * 100)
    with pytest.raises(ConfigurationError, match="cannot be used"):
        Storage(tmp_path)


def test_of_many_who_move_a_tag_under_the_same_condition_one_does(shelf: Shelf) -> None:
    shelf.image()
    answers: list[int] = []

    def push(number: int) -> None:
        image = shelf.image(annotations={"n": str(number)})
        answers.append(shelf.push(image, "v1", if_none_match="*").status)

    threads = [threading.Thread(target=push, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [201, 412, 412, 412]


def test_what_is_pushed_while_the_same_is_deleted_is_there_or_not_but_never_half(shelf: Shelf) -> None:
    def push_and_delete(repository: str) -> None:
        for _ in range(10):
            shelf.push_blob(b"hello", repository)
            if content := shelf.storage.blob(repository, HELLO):
                content.file.close()
            else:
                lost.append(repository)
            shelf.ask("DELETE", f"{repository}/blobs/{HELLO}")

    lost: list[str] = []
    threads = [threading.Thread(target=push_and_delete, args=(name,)) for name in ("a", "b", "c")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert lost == []
    assert shelf.warnings == []


def test_a_condition_on_what_is_not_there(shelf: Shelf) -> None:
    assert not shelf.storage.remove_tag("a", "v1", Condition(none_match="*"))


def test_a_directory_that_it_makes_is_for_its_own_user_and_one_that_is_there_stays_as_it_is(
    tmp_path: Path,
) -> None:
    (tmp_path / "shared").mkdir(0o755)
    for name, mode in (("made", 0o700), ("shared", 0o755)):
        Storage(tmp_path / name).close()
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == mode


def test_what_cannot_be_removed_at_the_start_is_named(tmp_path: Path) -> None:
    (tmp_path / "r" / "uploads" / "folder").mkdir(parents=True)
    with pytest.raises(EnvironmentFailure) as failed:
        Storage(tmp_path / "r")
    assert failed.value.at == str(tmp_path / "r" / "uploads" / "folder")
    (tmp_path / "r" / "uploads" / "folder").rmdir()
    Storage(tmp_path / "r").close()


def _take_along(blobs: Path, copy: Path) -> None:
    """As `rsync -a` does: what is not there yet, and nothing is removed."""
    for path in blobs.glob("*/*/*"):
        there = copy / path.relative_to(blobs)
        there.parent.mkdir(parents=True, exist_ok=True)
        if not there.exists():
            shutil.copy2(path, there)


def test_a_copy_that_was_made_while_it_serves_is_whole_and_can_be_served(
    shelf: Shelf, tmp_path: Path
) -> None:
    """The three steps of `docs/tasks/run-a-registry.md`, with a push before each and between them."""
    copy = tmp_path / "copy"
    shelf.push(shelf.image(annotations={"n": "1"}), "v1")
    _take_along(shelf.directory / "blobs", copy / "blobs")
    second = shelf.push(shelf.image(annotations={"n": "2"}), "v2").headers["Docker-Content-Digest"]
    with (
        closing(sqlite3.connect(shelf.directory / "registry.db")) as index,
        closing(sqlite3.connect(copy / "registry.db")) as there,
    ):
        index.backup(there)
    assert check(copy).damages, "what came after the first step is not there yet"
    shelf.push(shelf.image(annotations={"n": "3"}), "v3")
    _take_along(shelf.directory / "blobs", copy / "blobs")
    assert check(copy).damages == ()
    restored = Shelf(copy)
    assert restored.ask("GET", "a/tags/list").json["tags"] == ["v1", "v2"]
    assert restored.ask("GET", "a/manifests/v2").headers["Docker-Content-Digest"] == second
    assert restored.ask("GET", "a/_nv2/tags/history").json["history"][0]["tag"] == "v2"
    restored.storage.close()


def test_a_transaction_that_returned_is_on_the_disk(tmp_path: Path) -> None:
    """What SQLite calls FULL; anything less loses what was acknowledged when the power fails."""
    database = Database(tmp_path / "registry.db", lambda _digest: None)
    with database.reading() as db:
        assert db.execute("PRAGMA synchronous").fetchone() == (2,)
        assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert db.execute("PRAGMA foreign_keys").fetchone() == (1,)
    database.close()
