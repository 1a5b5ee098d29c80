"""Many signers of one image on a registry without the referrers API lose nothing of one another.

`make race REPEAT=20` repeats each race; the moments at which processes are killed come from the number of the
repetition.
"""

from __future__ import annotations

import http.client
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from nv2.oci import media_types as mt
from nv2.oci.digest import fallback_tag, parse_digest
from tests.interop.home import Home, wabbit_home
from tests.world.images import push_image

pytestmark = pytest.mark.peers

PROCESSES, SIGNATURES = 4, 20
REPEAT = int(os.environ.get("NV2_RACE_REPEAT", "1"))
LONGEST = 0.5
"""Seconds between a signature's end and the kill, at most: about what the next one takes."""

PATIENCE = 3.0
"""Seconds that whoever writes a list for the last time waits before looking once more. On a busy machine a rival may
take far longer than usual from reading the list to writing it, and who has ended puts nothing back."""

SIGN_MANY = """
import sys, nv2
from nv2.content.remote import fallback
for number in range(int(sys.argv[2])):
    if number + 1 == int(sys.argv[2]):
        fallback.MIN_WAIT = float(sys.argv[4])
    signed = nv2.sign(sys.argv[1], key="EC-256", user_metadata={"number": f"{sys.argv[3]}-{number}"})
    print(signed.manifest.digest, flush=True)
"""

registries = pytest.mark.parametrize("registry", ["distribution31", "distribution28"])
states = pytest.mark.parametrize("shared", [True, False], ids=["one state directory", "separate ones"])
repeated = pytest.mark.parametrize("repetition", range(REPEAT))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, notation: Path) -> Home:
    return wabbit_home(tmp_path_factory.mktemp("home"), notation)


class Signer(NamedTuple):
    """A process that signs, and says the digest of each signature when it is done."""

    process: subprocess.Popen[str]
    state: Path

    def acknowledged(self) -> list[str]:
        """Every signature that it called done since it was last asked; waits for its end."""
        assert self.process.stdout is not None
        found = self.process.stdout.read().split()
        self.process.wait()
        return found


class Race(NamedTuple):
    """An image, and those who sign it at once."""

    home: Home
    reference: str
    signers: list[Signer]

    def listed(self, *words: str, state: Path | None = None) -> set[str]:
        """What nv2 lists; `state` is whose records are read."""
        more = {"XDG_STATE_HOME": str(state)} if state else {}
        shown = json.loads(self.home.nv2("list", "-o", "json", *words, self.reference, more=more).stdout)
        return {item["digest"] for item in shown["signatures"]}


@contextmanager
def _race(home: Home, address: str, here: Path, *, shared: bool) -> Iterator[Race]:
    repository = f"race/{here.name.lower().replace('_', '-')}"
    reference = f"{address}/{repository}@{push_image(address, repository)}"
    with ExitStack() as running:
        signers = []
        for number in range(PROCESSES):
            state = here / ("state" if shared else f"state{number}")
            errors = running.enter_context((here / f"errors{number}").open("wb"))
            process = subprocess.Popen(
                [
                    sys.executable,
                    "-I",
                    "-c",
                    SIGN_MANY,
                    reference,
                    str(SIGNATURES),
                    str(number),
                    str(PATIENCE),
                ],
                env=home.environment(XDG_STATE_HOME=str(state)),
                cwd=home.directory,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
            running.enter_context(process)
            running.callback(process.kill)
            signers.append(Signer(process, state))
        yield Race(home, reference, signers)


@registries
@states
@repeated
def test_every_signature_of_every_process_stays(request, home, tmp_path, registry, shared, repetition):
    with _race(home, request.getfixturevalue(registry), tmp_path, shared=shared) as race:
        done = [signer.acknowledged() for signer in race.signers]
        assert [signer.process.returncode for signer in race.signers] == [0] * PROCESSES, _errors(tmp_path)
        assert race.listed() == {digest for some in done for digest in some}
        assert len(race.listed()) == PROCESSES * SIGNATURES
        assert home.notation("list", race.reference).stdout.count("sha256:") == PROCESSES * SIGNATURES + 1


@registries
@states
@repeated
def test_a_killed_process_costs_nobody_an_acknowledged_signature(
    request, home, tmp_path, registry, shared, repetition
):
    chosen = random.Random(repetition)
    with _race(home, request.getfixturevalue(registry), tmp_path, shared=shared) as race:
        victim, *others = race.signers
        before = _kill(victim, after=chosen.randrange(SIGNATURES), wait=chosen.uniform(0, LONGEST))
        killed = before + victim.acknowledged()
        done = [signer.acknowledged() for signer in others]
        assert [signer.process.returncode for signer in others] == [0] * len(others), _errors(tmp_path)
        assert [len(some) for some in done] == [SIGNATURES] * len(others)
        kept, listed = {digest for some in (killed, *done) for digest in some}, race.listed()
        # The one it was at may be there, or not.
        assert kept <= listed and len(listed) <= len(kept) + 1
        assert listed <= race.listed("--heal", state=victim.state)


def _kill(signer: Signer, *, after: int, wait: float) -> list[str]:
    """Kill it `wait` seconds after so many signatures; what it had called done by then."""
    assert signer.process.stdout is not None
    before = [signer.process.stdout.readline().strip() for _ in range(after)]
    time.sleep(wait)
    signer.process.kill()
    return before


def _errors(here: Path) -> str:
    return "\n".join(path.read_text() for path in sorted(here.glob("errors*")))


@registries
def test_what_a_rival_on_another_host_displaced_is_restored(request, home, tmp_path, registry):
    address = request.getfixturevalue(registry)
    repository = f"race/{tmp_path.name.lower().replace('_', '-')}"
    digest = push_image(address, repository)
    race = Race(home, f"{address}/{repository}@{digest}", [])
    mine, elsewhere = tmp_path / "state", {"XDG_STATE_HOME": str(tmp_path / "elsewhere")}
    home.nv2("sign", "-k", "EC-256", race.reference, more={"XDG_STATE_HOME": str(mine)})
    ours = race.listed()
    home.nv2("sign", "-k", "EC-384", race.reference, more=elsewhere)
    theirs = race.listed() - ours
    # A rival who had read the list before we wrote it, and wrote after we had looked for the last time.
    _keep_only(address, f"/v2/{repository}/manifests/{fallback_tag(parse_digest(digest))}", theirs)
    assert race.listed() == theirs and len(theirs) == 1
    assert race.listed("--heal", state=mine) == ours | theirs
    assert home.notation("list", race.reference).stdout.count("sha256:") == 3
    assert home.notation("verify", race.reference).returncode == 0


def _keep_only(address: str, path: str, digests: set[str]) -> None:
    connection = http.client.HTTPConnection(address, timeout=30)
    try:
        connection.request("GET", path, headers={"Accept": mt.IMAGE_INDEX})
        document = json.loads(connection.getresponse().read())
        document["manifests"] = [item for item in document["manifests"] if item["digest"] in digests]
        connection.request("PUT", path, json.dumps(document), {"Content-Type": mt.IMAGE_INDEX})
        response = connection.getresponse()
        assert response.status == 201, response.read()
    finally:
        connection.close()
