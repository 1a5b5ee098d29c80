"""A clock that jumps between signing and verifying."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import pytest

from tests.faults.state import files
from tests.unit.cli.command_line import CommandLine
from tests.unit.cli.conftest import IMAGE


class Clock(NamedTuple):
    """The machine's clock when it signs, and when it verifies."""

    name: str
    signs: datetime
    verifies: datetime
    code: int
    says: str


NOW = datetime.now(UTC).replace(microsecond=0)
HOUR, CENTURY = timedelta(hours=1), timedelta(days=36525)


class Stopped(NamedTuple):
    instant: datetime

    def now(self, _: object) -> datetime:
        return self.instant


# fmt: off
CLOCKS = (
    Clock("stands still",                            NOW, NOW,                0, ""),
    Clock("forwards, within the signature's time",   NOW, NOW + HOUR / 2,     0, ""),
    Clock("forwards, past the signature's time",     NOW, NOW + 2 * HOUR,     1, "expiry failed"),
    Clock("forwards, past the certificate's time",   NOW, NOW + CENTURY,      1, ""),
    # The signing time is then in the future; it is the signer's word, and nothing is decided by it.
    Clock("backwards, before the signing",           NOW, NOW - HOUR,         0, ""),
    Clock("was ahead when it signed",                NOW + HOUR, NOW,         0, ""),
    Clock("backwards, before the certificate",       NOW, NOW - CENTURY / 2,  1, ""),
)
# fmt: on


@pytest.mark.parametrize("clock", CLOCKS, ids=lambda clock: clock.name)
def test_a_clock_that_jumps(wabbit: CommandLine, clock: Clock, monkeypatch) -> None:
    monkeypatch.setattr("nv2.notary.session.datetime", Stopped(clock.signs))
    assert wabbit("sign", "-k", "wabbit.key", "-e", "1h", IMAGE).code == 0
    before = files(wabbit.directory)
    monkeypatch.setattr("nv2.notary.session.datetime", Stopped(clock.verifies))
    ended = wabbit("verify", "-k", "leaf.crt", IMAGE)
    assert (ended.code, clock.says in ended.err) == (clock.code, True), ended.err
    assert files(wabbit.directory) == before


@pytest.mark.parametrize("instant", [NOW - CENTURY / 2, NOW + CENTURY], ids=["before", "after"])
def test_nothing_is_signed_when_the_clock_is_outside_the_certificate(
    wabbit: CommandLine,
    instant: datetime,
    monkeypatch,
) -> None:
    before = files(wabbit.directory)
    monkeypatch.setattr("nv2.notary.session.datetime", Stopped(instant))
    ended = wabbit("sign", "-k", "wabbit.key", IMAGE)
    assert ended.code == 3 and files(wabbit.directory) == before
