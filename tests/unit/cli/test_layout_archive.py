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
@pytest.mark.parametrize(
    "words", [("copy", IMAGE), ("copy", "--dry-run", IMAGE), ("sign", "-k", "wabbit.key")]
)
def test_an_archive_is_not_written_to(packed: CommandLine, words: tuple[str, ...], archive: str) -> None:
    names = sorted(path.name for path in packed.directory.iterdir())
    ended = packed(*words, f"layout:{archive}:v1")
    assert ended.code == 3
    assert "an archive is only read, not written" in ended.err
    assert sorted(path.name for path in packed.directory.iterdir()) == names
