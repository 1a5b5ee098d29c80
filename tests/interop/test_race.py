"""Many signers of one image on a registry without the referrers API lose nothing of one another."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.interop.home import Home, wabbit_home
from tests.world.images import push_image

pytestmark = pytest.mark.peers

PROCESSES, SIGNATURES = 4, 20

SIGN_MANY = """
import sys, nv2
for number in range(int(sys.argv[2])):
    nv2.sign(sys.argv[1], key="EC-256", user_metadata={"number": f"{sys.argv[3]}-{number}"})
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, notation: Path) -> Home:
    return wabbit_home(tmp_path_factory.mktemp("home"), notation)


def _sign_at_once(home: Home, reference: str, states: list[str]) -> None:
    signers = [
        subprocess.Popen(
            [sys.executable, "-I", "-c", SIGN_MANY, reference, str(SIGNATURES), str(number)],
            env=home.environment(XDG_STATE_HOME=state),
            cwd=home.directory,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for number, state in enumerate(states)
    ]
    said = [signer.communicate(timeout=240)[0] for signer in signers]
    assert [signer.returncode for signer in signers] == [0] * PROCESSES, "\n".join(said)


@pytest.mark.parametrize("registry", ["distribution31", "distribution28"])
@pytest.mark.parametrize("shared", [True, False], ids=["one state directory", "separate state directories"])
def test_every_signature_of_every_process_stays(request, home, tmp_path, registry, shared):
    address = request.getfixturevalue(registry)
    repository = f"race/{'shared' if shared else 'separate'}"
    reference = f"{address}/{repository}@{push_image(address, repository)}"
    states = [str(tmp_path / ("state" if shared else f"state{number}")) for number in range(PROCESSES)]
    _sign_at_once(home, reference, states)
    listed = json.loads(home.nv2("list", "-o", "json", reference).stdout)
    assert len({item["digest"] for item in listed["signatures"]}) == PROCESSES * SIGNATURES
    assert home.notation("list", reference).stdout.count("sha256:") == PROCESSES * SIGNATURES + 1
