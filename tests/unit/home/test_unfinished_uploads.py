"""Uploads that were begun are remembered for another run, and for nobody else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from nv2.home import unfinished_uploads
from nv2.home.unfinished_uploads import FileUploadNotes

NAME = "registry.test/app@sha256:" + "1" * 64
URL = "https://registry.test/v2/app/blobs/uploads/1?_state=secret"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "uploads"


@pytest.fixture
def notes(folder: Path) -> FileUploadNotes:
    return FileUploadNotes(folder)


def written_by(folder: Path, process: int) -> None:
    """The note of another process."""
    notes = FileUploadNotes(folder)
    notes.keep(NAME, URL)
    notes.leave(NAME)
    (path,) = folder.iterdir()
    path.write_text(json.dumps({**json.loads(path.read_text()), "process": process}))


def a_process_that_has_ended() -> int:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        return process.pid


def test_an_upload_of_a_process_that_has_ended_is_ours(folder: Path, notes: FileUploadNotes) -> None:
    written_by(folder, a_process_that_has_ended())
    assert notes.claim(NAME) == URL


def test_an_upload_of_a_process_that_runs_is_left_alone(folder: Path, notes: FileUploadNotes) -> None:
    written_by(folder, os.getppid())
    assert notes.claim(NAME) is None


def test_an_upload_that_another_thread_is_at_is_left_alone(folder: Path, notes: FileUploadNotes) -> None:
    notes.keep(NAME, URL)
    assert FileUploadNotes(folder).claim(NAME) is None
    notes.leave(NAME)
    assert FileUploadNotes(folder).claim(NAME) == URL


def test_what_has_ended_is_forgotten(folder: Path, notes: FileUploadNotes) -> None:
    notes.keep(NAME, URL)
    notes.drop(NAME)
    assert not list(folder.iterdir())


def test_only_the_owner_may_read_where_an_upload_goes_on(folder: Path, notes: FileUploadNotes) -> None:
    notes.keep(NAME, URL)
    (path,) = folder.iterdir()
    assert path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    "text",
    ["", "junk", "[]", "{}", '{"name": 1}', f'{{"name": "{NAME}", "url": 1, "process": 1}}', " " * 100_000],
)
def test_a_note_that_cannot_be_read_counts_as_none(folder: Path, notes: FileUploadNotes, text: str) -> None:
    written_by(folder, a_process_that_has_ended())
    (path,) = folder.iterdir()
    path.write_text(text)
    assert notes.claim(NAME) is None


def test_the_oldest_notes_go_first(
    folder: Path, notes: FileUploadNotes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unfinished_uploads, "MAX_NOTES", 2)
    for number in range(4):
        notes.keep(f"{NAME}{number}", URL)
        for age, path in enumerate(folder.iterdir()):
            os.utime(path, (age, age) if path.stat().st_mtime < 100 else (number, number))
    assert len(list(folder.iterdir())) == 2
