"""Several copies to one destination, and signatures deleted there meanwhile: nothing of anybody is lost.

olareg 0.1.2 is not here: its own list may keep an entry of what was deleted while others pushed.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from nv2.content.layout.store import LayoutStore
from tests.interop.home import Home, wabbit_home
from tests.interop.test_oras import served
from tests.interop.test_race import PATIENCE
from tests.world.artifacts import push_image, push_referrer, thread_lock

__all__ = ["served"]

pytestmark = pytest.mark.peers

PROCESSES, SIGNATURES, DELETED = 4, 20, 5

PATIENT = f"""
from nv2.content.remote import fallback
fallback.MIN_WAIT = {PATIENCE}
from nv2.cli.__main__ import run
run()
"""


@pytest.fixture
def home(tmp_path: Path, notation: Path) -> Home:
    return wabbit_home(tmp_path / "home", notation)


def start(home: Home, *words: str, state: Path | None = None) -> subprocess.Popen[bytes]:
    more = {"XDG_STATE_HOME": str(state)} if state else {}
    return subprocess.Popen(
        [sys.executable, "-I", "-c", PATIENT, *words],
        env=home.environment(**more),
        stdout=subprocess.DEVNULL,
        cwd=home.directory,
    )


@pytest.mark.parametrize("registry", ["distribution31", "distribution28", "served"])
@pytest.mark.parametrize("shared", [True, False], ids=["one state directory", "separate ones"])
def test_copies_and_deletions_at_once_lose_nothing(
    home: Home, tmp_path: Path, request: pytest.FixtureRequest, *, registry: str, shared: bool
) -> None:
    there = f"{request.getfixturevalue(registry)}/racing/{'one' if shared else 'several'}"
    copied: set[str] = set()
    for number in range(PROCESSES):
        store = LayoutStore(tmp_path / f"source{number}", create=True, lock=thread_lock())
        image = push_image(store, b"layer")
        signatures = [push_referrer(store, image, b"%d %d" % (number, n)) for n in range(SIGNATURES)]
        store.attach(image, signatures)
        store.tag(image, "v1")
        copied.update(item.digest for item in signatures)
    home.nv2("copy", "--no-referrers", f"layout:{tmp_path}/source0:v1", f"{there}:v1")
    doomed = [
        json.loads(home.nv2("sign", "-k", "EC-256", "-o", "json", f"{there}:v1").stdout)["results"][0]
        for _ in range(DELETED)
    ]
    states = [None if shared else tmp_path / f"state{number}" for number in range(PROCESSES)]
    racing = [
        start(home, "copy", f"layout:{tmp_path}/source{number}:v1", f"{there}:v1", state=state)
        for number, state in enumerate(states)
    ]
    for item in doomed:
        home.nv2("delete", "--yes", f"{there}@{item['signature']['digest']}")
    assert [process.wait(240) for process in racing] == [0] * PROCESSES
    shown = home.nv2("list", "--max-signatures", "1000", "-o", "json", f"{there}:v1").stdout
    assert {item["digest"] for item in json.loads(shown)["signatures"]} == copied
