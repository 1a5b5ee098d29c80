"""A thousand signatures on one image are listed and verified within bounded memory."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from nv2.home.paths import Paths
from nv2.notary.registry_access import Settings
from nv2.notary.session import Session
from nv2.oci.reference import parse
from tests.interop.home import Home, wabbit_home
from tests.interop.signatures import MALLORY, WABBIT, Made, attach_all
from tests.world.images import push_image

pytestmark = pytest.mark.peers

COUNT = 1000
MEMORY = 200 * 1024 * 1024
"""Bytes of resident memory, at most: an interpreter with cryptography needs a quarter of it."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, notation: Path) -> Home:
    home = wabbit_home(tmp_path_factory.mktemp("home"), notation)
    home.write_store("ca", "wabbit", WABBIT.chain[-1])
    return home


MEASURED = """
import os, sys
process = os.posix_spawn(sys.executable, [sys.executable, "-I", "-m", "nv2.cli", *sys.argv[1:]], os.environ)
_, status, usage = os.wait4(process, 0)
print(usage.ru_maxrss, file=sys.stderr)
sys.exit(os.waitstatus_to_exitcode(status))
"""
"""Run by a small process: Linux counts the memory of whoever starts a program to that program's peak."""


def _peak_of(words: list[str], home: Home) -> tuple[str, int]:
    """What nv2 prints, and its peak resident memory in bytes."""
    finished = subprocess.run(
        [sys.executable, "-I", "-S", "-c", MEASURED, *words],
        env=home.environment(),
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout, int(finished.stderr.split()[-1]) * 1024


@pytest.mark.parametrize("registry", ["distribution31", "olareg"])
def test_a_thousand_strangers_hide_nothing(request, home, registry):
    address = request.getfixturevalue(registry)
    reference = f"{address}/many@{push_image(address, 'many')}"
    stranger = MALLORY.issue("CN=stranger", "EC-256")
    ours = WABBIT.issue("CN=build,O=wabbit-networks.io,ST=WA,C=US", "EC-256")
    made = [Made(stranger, metadata=(("number", str(number)),)) for number in range(COUNT - 1)]
    with Session(Paths.from_environment(home.environment()), Settings(), home.environment()) as session:
        artifact = session.resolve(parse(reference), push=True)
        attach_all(artifact.store, artifact.subject, [*made, Made(ours)])

    listed, peak = _peak_of(["list", "--max-signatures", "2000", "-o", "json", reference], home)
    assert len(json.loads(listed)["signatures"]) == COUNT
    assert peak < MEMORY
    verified, peak = _peak_of(["verify", "-o", "json", reference], home)
    [result] = json.loads(verified)["results"]
    assert result["verdict"] == "trusted"
    assert len(result["signatures"]) == COUNT
    assert peak < MEMORY
