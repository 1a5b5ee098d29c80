"""A signal while a registry is written to: nothing is lost, nothing is half-written, and it can be done again."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time

import pytest

from nv2.transport.interface import Request, Response
from tests.faults.test_registry import (
    SIGN,
    TO_OTHER,
    Setting,
    check_nothing_is_half_written,
    check_nothing_is_lost,
    contents,
    push,
    setting,
)
from tests.unit.cli.test_interruption import environment, nothing_unfinished
from tests.world.registry import Registry

__all__ = ["setting"]

# fmt: off
MOMENTS = (
    # command    at each of these requests, counted from 1
    (SIGN,     range(1, 9)),
    (TO_OTHER, range(1, 14)),
)
# fmt: on
CASES = [(words, nth) for words, moments in MOMENTS for nth in moments]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(("words", "nth"), CASES)
def test_a_signal_at_any_request_loses_nothing_and_leaves_nothing_half_written(
    setting: Setting,
    words: str,
    nth: int,
    number: signal.Signals,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wire, here = setting.wire, setting.line.directory
    before, seen, answer = contents(wire.registry), [0], Registry.__call__
    started = threading.Event()
    places = {"IMAGE": setting.image, "OTHER": f"{wire.address}/other:v1"}

    def struck(registry: Registry, request: Request) -> Response:
        seen[0] += 1
        if seen[0] == nth:
            assert started.wait(60)
            process.send_signal(number)
        return answer(registry, request)

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(Registry, "__call__", struck)
        process = subprocess.Popen(
            [sys.executable, "-m", "nv2.cli", *(places.get(word, word) for word in words.split())],
            cwd=here,
            env=environment(here),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.set()
        said = process.communicate(timeout=120)[1]
    assert seen[0] >= nth, "the command sent fewer requests: there is no such moment"
    assert process.returncode == 128 + number, said
    assert "Traceback" not in said
    check_nothing_is_lost(before, wire.registry)
    check_nothing_is_half_written(wire.registry)
    nothing_unfinished(here)
    again = setting.run(words)
    assert again.code == 0, again.err
    check_nothing_is_half_written(wire.registry)


SLOW_DISK = "import os, time; os.fsync = lambda _: time.sleep(1000); from nv2.cli.__main__ import run; run()"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_threads_were_writing_on_a_slow_disk_goes_with_the_process(
    setting: Setting, number: signal.Signals
) -> None:
    here, other = setting.line.directory, push(setting.repository, "other")
    words = [*SIGN.split()[:-1], setting.image, f"{setting.wire.address}/app@{other}"]
    with subprocess.Popen(
        [sys.executable, "-c", SLOW_DISK, *words], cwd=here, env=environment(here), stderr=subprocess.PIPE
    ) as process:
        while not [path for path in here.rglob(".nv2-*") if path.exists()]:
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(number)
        said = process.communicate(timeout=120)[1]
    assert process.returncode == 128 + number, said
    nothing_unfinished(here)
