"""What a progress line says, and when there is one."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from types import FrameType

import pytest

from nv2.cli.dispatch import main
from nv2.cli.output import Output
from nv2.cli.progress import Medium, Progress, readable_size, readable_time
from nv2.copying import Outcome
from nv2.errors import NotFound
from nv2.oci import media_types as mt
from nv2.oci.descriptor import Descriptor
from nv2.oci.digest import Digest
from tests.unit.cli.command_line import CommandLine
from tests.unit.cli.conftest import IMAGE

BLOB = Descriptor(mt.OCTET_STREAM, Digest("sha256:" + "0" * 64), 4 * 1024)


class World:
    """A clock that a test moves, and what was shown."""

    def __init__(self, medium: Medium = Medium.TERMINAL, *, artifacts: int = 1) -> None:
        self.now = 100.0
        self.shown: list[str] = []
        self.cleared = 0
        self.progress = Progress(
            medium, self.shown.append, self._clear, lambda: self.now, artifacts=artifacts
        )

    def _clear(self) -> None:
        self.cleared += 1

    def after(self, seconds: float, size: int) -> None:
        self.now += seconds
        self.progress.moved(size)


def test_what_takes_less_than_a_second_shows_nothing() -> None:
    world = World()
    world.progress.expect(2, 100)
    for _ in range(9):
        world.after(0.1, 10)
    world.progress.done(Outcome.COPIED, BLOB)
    assert world.shown == []


def test_pieces_bytes_rate_and_time_left_are_shown() -> None:
    world = World()
    world.progress.expect(4, 10 * 1024 * 1024)
    world.progress.done(Outcome.COPIED, BLOB)
    world.after(2.0, 4 * 1024 * 1024)
    assert world.shown == ["1 of 4 pieces, 4.0 MiB of 10 MiB, 2.0 MiB/s, 3 s left"]


def test_no_time_left_is_made_of_the_few_small_blobs_that_come_first() -> None:
    world = World(Medium.LOG)
    world.progress.expect(11, 343 * 1024 * 1024)
    world.after(2.0, 6 * 1024)
    world.after(10.0, 2 * 1024 * 1024)
    assert world.shown[0] == "0 of 11 pieces, 6.0 KiB of 343 MiB, 3.0 KiB/s"
    assert "left" in world.shown[1]


def test_what_was_there_already_counts_as_arrived_but_not_into_the_rate() -> None:
    world = World()
    world.progress.expect(2, 8 * 1024)
    world.progress.done(Outcome.SKIPPED, BLOB)
    world.after(2.0, 2 * 1024)
    assert world.shown == ["1 of 2 pieces, 6.0 KiB of 8.0 KiB, 1.0 KiB/s, 2 s left"]


def test_the_rate_is_that_of_the_last_seconds() -> None:
    world = World()
    world.progress.expect(1, 1024 * 1024)
    for _ in range(10):
        world.after(1.0, 10 * 1024)
    for _ in range(10):
        world.after(1.0, 1024)
    assert "1.0 KiB/s" in world.shown[-1]


def test_a_terminal_is_redrawn_ten_times_a_second_at_most() -> None:
    world = World()
    world.progress.expect(1, 1024 * 1024)
    world.after(1.0, 1)
    for _ in range(100):
        world.after(0.01, 1)
    assert 8 <= len(world.shown) <= 11


def test_a_log_gets_a_line_every_ten_seconds() -> None:
    world = World(Medium.LOG)
    world.progress.expect(1, 1024 * 1024)
    for _ in range(35):
        world.after(1.0, 1024)
    assert 3 <= len(world.shown) <= 4


def test_of_several_artifacts_it_says_how_many_are_done_and_the_time_left_when_all_are_known() -> None:
    world = World(artifacts=2)
    with world.progress.part() as first:
        first.expect(2, 8 * 1024)
        first.done(Outcome.SKIPPED, BLOB)
        world.now += 2.0
        first.moved(1024)
        with world.progress.part() as second:
            second.expect(1, 4 * 1024)
            world.now += 2.0
            second.moved(1024)
            second.done(Outcome.COPIED, BLOB)
        world.now += 2.0
        first.moved(1024)
    assert world.shown == [
        "0 of 2 artifacts, 1 of 2 pieces, 5.0 KiB of 8.0 KiB, 512 B/s",
        "0 of 2 artifacts, 1 of 3 pieces, 6.0 KiB of 12 KiB, 512 B/s, 12 s left",
        "1 of 2 artifacts, 2 of 3 pieces, 7.0 KiB of 12 KiB, 512 B/s, 10 s left",
    ]


def test_what_was_expected_of_an_artifact_that_failed_is_expected_no_longer() -> None:
    world = World(artifacts=2)
    with pytest.raises(NotFound), world.progress.part() as first:
        first.expect(5, 100 * 1024)
        first.done(Outcome.SKIPPED, BLOB)
        raise NotFound("no")
    with world.progress.part() as second:
        second.expect(1, 4 * 1024)
        world.now += 2.0
        second.moved(0)
    assert world.shown == ["1 of 2 artifacts, 1 of 2 pieces, 4.0 KiB of 8.0 KiB"]


def test_more_bytes_than_were_expected_are_not_shown_as_more_than_all() -> None:
    world = World()
    world.progress.expect(1, 1024)
    world.after(2.0, 4096)
    assert "1.0 KiB of 1.0 KiB" in world.shown[0]
    assert world.shown[0].endswith("0 s left")


def test_after_the_end_nothing_is_shown() -> None:
    world = World()
    world.progress.expect(1, 1024)
    world.progress.close()
    world.progress.close()
    world.after(5.0, 10)
    assert (world.shown, world.cleared) == ([], 1)


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1536, "1.5 KiB"),
        (20 << 20, "20 MiB"),
        (3 << 30, "3.0 GiB"),
        (5 << 40, "5120 GiB"),
    ],
)
def test_sizes_are_readable(size: int, text: str) -> None:
    assert readable_size(size) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (59.4, "59 s"), (125, "2 min 5 s"), (3720, "1 h 2 min")]
)
def test_times_are_readable(seconds: float, text: str) -> None:
    assert readable_time(seconds) == text


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_and_a_file_are_watched_and_a_pipe_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    assert Output(io.StringIO(), Terminal()).watched_by() == "terminal"
    monkeypatch.setenv("TERM", "dumb")
    assert Output(io.StringIO(), Terminal()).watched_by() == "log"
    with (tmp_path / "log").open("w") as log:
        assert Output(io.StringIO(), log).watched_by() == "log"
        assert Output(io.StringIO(), log, quiet=True).watched_by() is None
    reading, writing = os.pipe()
    with open(reading), open(writing, "w") as pipe:
        assert Output(io.StringIO(), pipe).watched_by() is None
    assert Output(io.StringIO(), io.StringIO()).watched_by() is None


def test_a_warning_takes_the_place_of_the_line_on_a_terminal() -> None:
    terminal = Terminal()
    output = Output(io.StringIO(), terminal)
    output.passing("1 of 2 pieces")
    output.warn("slow")
    output.warn("slower")
    output.passing("")
    assert terminal.getvalue() == "\r\x1b[K1 of 2 pieces\r\x1b[KWarning: slow\nWarning: slower\n"


def test_a_copy_that_takes_its_time_says_how_far_it_is_and_leaves_no_trace(
    wabbit: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nv2.cli.progress.AFTER", 0.0)
    monkeypatch.setattr("nv2.cli.progress.REDRAW", 0.0)
    terminal = Terminal()
    assert main(["copy", IMAGE, "layout:elsewhere:v1"], Output(io.StringIO(), terminal)) == 0
    assert " of 3 pieces, " in terminal.getvalue()
    assert terminal.getvalue().endswith("\r\x1b[K")


def test_a_copy_in_a_pipe_says_nothing_of_how_far_it_is(
    wabbit: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nv2.cli.progress.AFTER", 0.0)
    err = io.StringIO()
    assert main(["copy", IMAGE, "layout:elsewhere:v1"], Output(io.StringIO(), err)) == 0
    assert err.getvalue() == ""


@pytest.mark.timeout(60)
def test_it_ends_though_an_interruption_came_just_as_something_else_was_to_be_printed() -> None:
    def interrupted(frame: FrameType, event: str, function: object) -> None:
        if event == "c_return" and function is next:
            sys.setprofile(None)
            raise KeyboardInterrupt

    world = World()
    try:
        sys.setprofile(interrupted)
        with world.progress.aside():
            pytest.fail("nothing was interrupted")
    except KeyboardInterrupt:
        world.progress.close()  # while the traceback holds whoever was interrupted
    finally:
        sys.setprofile(None)
    world.after(5.0, 10)
    assert world.shown == []
