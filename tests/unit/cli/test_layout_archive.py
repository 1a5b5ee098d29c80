"""`layout:FILE.tar`: what reads, reads it; what writes, says so before anything is done."""

from __future__ import annotations

import tarfile

import pytest

from tests.unit.cli.command_line import CommandLine
from tests.unit.cli.conftest import IMAGE


@pytest.fixture
def packed(wabbit: CommandLine) -> CommandLine:
    """A signed image in the layout `there`, and the same in `there.tar`."""
    wabbit("sign", "-k", "wabbit.key", IMAGE)
    wabbit("copy", IMAGE, "layout:there:v1")
    with tarfile.open(wabbit.directory / "there.tar", "w") as archive:
        archive.add(wabbit.directory / "there", ".")
    return wabbit


@pytest.mark.parametrize("words", [("list",), ("inspect",), ("verify", "-k", "leaf.crt")])
def test_a_command_says_of_an_archive_what_it_says_of_the_directory(
    packed: CommandLine, words: tuple[str, ...]
) -> None:
    directory = packed(*words, "layout:there:v1", "-o", "json")
    archive = packed(*words, "layout:there.tar:v1", "-o", "json")
    assert (directory.code, archive.code) == (0, 0), archive.err
    assert archive.out.replace("there.tar", "there") == directory.out


def test_an_image_is_copied_from_an_archive_with_its_signatures(packed: CommandLine) -> None:
    copied = packed("copy", "layout:there.tar:v1", "layout:again:v1")
    assert copied.code == 0, copied.err
    assert packed("verify", "-k", "leaf.crt", "layout:again:v1").code == 0


@pytest.mark.parametrize("archive", ["there.tar", "new.tar"])
def test_an_image_is_copied_into_an_archive_with_its_signatures(packed: CommandLine, archive: str) -> None:
    names = {path.name for path in packed.directory.iterdir()}
    planned = packed("copy", "--dry-run", IMAGE, f"layout:{archive}:v2")
    assert planned.code == 0, planned.err
    assert {path.name for path in packed.directory.iterdir()} == names
    copied = packed("copy", IMAGE, f"layout:{archive}:v2")
    assert copied.code == 0, copied.err
    assert packed("verify", "-k", "leaf.crt", f"layout:{archive}:v2").code == 0
    assert {path.name for path in packed.directory.iterdir()} == names | {archive}
    assert packed("verify", "-k", "leaf.crt", "layout:there.tar:v1").code == 0


def test_an_image_in_an_archive_is_signed_there_several_at_once(packed: CommandLine) -> None:
    packed("copy", IMAGE, "layout:there.tar:v2")
    signed = packed("sign", "-k", "wabbit.key", "layout:there.tar:v1", "layout:there.tar:v2")
    assert signed.code == 0, signed.err
    assert len(packed("list", "-o", "json", "layout:there.tar:v1").document["signatures"]) == 3


def test_an_archive_that_is_not_there_is_not_made_by_signing(packed: CommandLine) -> None:
    ended = packed("sign", "-k", "wabbit.key", "layout:new.tar:v1")
    assert ended.code == 3
    assert "no such directory" in ended.err
    assert not (packed.directory / "new.tar").exists()


def test_a_copy_that_fails_leaves_the_archive_as_it_was(packed: CommandLine) -> None:
    before = (packed.directory / "there.tar").read_bytes()
    for blob in (packed.directory / "image" / "blobs" / "sha256").iterdir():
        if b'"layers"' not in blob.read_bytes():
            blob.write_bytes(b"x" * blob.stat().st_size)
    assert packed("copy", "--no-referrers", IMAGE, "layout:new.tar:v1").code == 3
    assert not (packed.directory / "new.tar").exists()
    assert (packed.directory / "there.tar").read_bytes() == before
    assert not [path for path in packed.directory.iterdir() if path.name.startswith(".nv2-")]
