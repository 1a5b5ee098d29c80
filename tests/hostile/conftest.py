"""The machine that is struck at, and an end to what would never end."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from tests.hostile.machine import Machine
from tests.unit.cli.command_line import CommandLine
from tests.unit.cli.conftest import line, wabbit  # noqa: F401  fixtures

PATIENCE = 120
"""Seconds. Not a measure of speed: a hang ends as a failure with a traceback of where it hangs."""


@pytest.fixture
def machine(wabbit: CommandLine, monkeypatch: pytest.MonkeyPatch) -> Machine:  # noqa: F811
    return Machine(wabbit, monkeypatch)


@pytest.fixture(autouse=True)
def guard() -> Iterator[None]:
    def hangs(*_: object) -> None:
        raise AssertionError(f"still running after {PATIENCE} s")

    before = signal.signal(signal.SIGALRM, hangs)
    signal.alarm(PATIENCE)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)
