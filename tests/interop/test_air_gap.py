"""Over an air gap and back to verdicts: inside a network namespace, where no authority can be asked, both programs say of
good and revoked signers what they say outside, by the evidence that a bundle brought.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from nv2.notary.bundles_made import create
from nv2.notary.session import Session
from nv2.oci.reference import parse_registry
from nv2.server.registry import serve
from tests.conftest import MISSING
from tests.interop.home import Home, new_home
from tests.world.ca import CA, pem
from tests.world.crl import Revoked
from tests.world.crl import crl as crl_of
from tests.world.enclave import NV2, Enclave, enclave, refusal
from tests.world.images import push_image
from tests.world.publishing import ocsp_answer
from tests.world.sockets import Received, Server, http, serving
from tests.world.tsa import TSA
from tests.world.tsa import serving as tsa_serving

pytestmark = pytest.mark.peers

NOW = datetime.now(UTC).replace(microsecond=0)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
WABBIT = CA("Wabbit")
SIGNERS = {"good": 0x0A, "revoked": 0x0B, "later": 0x0C}
YES, NO, OPEN = 0, 1, 3
"""Exit codes of nv2; notation knows yes and no."""


class World(NamedTuple):
    """Outside: authorities, a registry, and a home. Inside: a namespace with a registry, and another home."""

    authority: Server
    services: dict[str, bytes | int]
    outside: Home
    registry: str
    inside: Home
    enclave: Enclave
    inner: str
    directory: Path

    def publish(self, *serials: int, number: int, now: datetime = NOW, life: timedelta = DAY) -> None:
        """A CRL of `now` that lists `serials`."""
        entries = [Revoked(serial, 1, NOW - 5 * DAY) for serial in serials]
        self.services["crl"] = crl_of(
            WABBIT, entries, this_update=now - HOUR, next_update=now + life, number=number
        )

    def bundle(self, name: str, *images: str, now: datetime | None = None) -> Path:
        """A bundle of `images`; made at `now`, by that clock, if one is given."""
        file = self.directory / f"{name}.tar"
        if now is None:
            references = [f"{self.registry}/{image}:v1" for image in images]
            self.outside.nv2("bundle", "create", *references, "--file", str(file))
            return file
        with Session.from_environment(environ=self.outside.environment()) as session:
            session.now = now
            create(session, [parse_registry(f"{self.registry}/{image}:v1") for image in images], str(file))
        return file

    def nv2(self, *words: str) -> tuple[int, str]:
        """Run nv2 inside."""
        done = self.enclave.run((*NV2, *words), self.inside.environment(), self.inside.directory)
        return done.returncode, done.stdout + done.stderr

    def notation(self, image: str) -> tuple[bool, str]:
        """What the real notation says inside."""
        words = (str(self.inside.notation_program), "verify", "-d", f"{self.inner}/{image}:v1")
        done = self.enclave.run(words, self.inside.environment(), self.inside.directory)
        return done.returncode == 0, done.stdout + done.stderr

    def verify(self, image: str) -> tuple[int, str]:
        """What nv2 says inside."""
        return self.nv2("verify", f"{self.inner}/{image}:v1")

    def says(self, image: str) -> tuple[int, bool]:
        """Both inside."""
        return self.verify(image)[0], self.notation(image)[0]

    def outside_says(self, image: str) -> tuple[int, bool]:
        """Both outside, where the authority is asked anew."""
        reference = f"{self.registry}/{image}:v1"
        shutil.rmtree(self.outside.directory / ".cache", ignore_errors=True)
        code = self.outside.nv2("verify", reference, check=False).returncode
        shutil.rmtree(self.outside.directory / ".cache", ignore_errors=True)
        return code, self.outside.notation("verify", reference, check=False).returncode == 0

    def settings(self, **settings: Any) -> None:
        """nv2's own settings inside."""
        folder = self.inside.config / "nv2"
        folder.mkdir(exist_ok=True)
        (folder / "settings.json").write_text(json.dumps(settings))


def _home(directory: Path, notation: Path) -> Home:
    home = new_home(directory, notation)
    home.write_store("ca", "wabbit", WABBIT.chain[-1])
    _trust(home, "ca:wabbit")
    return home


def _trust(home: Home, *stores: str) -> None:
    statement = {
        "name": "everything",
        "registryScopes": ["*"],
        "signatureVerification": {"level": "strict"},
        "trustStores": stores,
        "trustedIdentities": ["*"],
    }
    home.write_policy([statement])


@pytest.fixture
def gap() -> Iterator[Enclave]:
    if why := refusal():
        if os.environ.get("NV2_REQUIRE_PEERS") == "1":
            pytest.fail(f"a network namespace is required, and cannot be made here: {why}", pytrace=False)
        pytest.skip(f"{MISSING}unshare --net (as root)")
    with enclave() as made:
        yield made


@pytest.fixture
def world(tmp_path: Path, notation: Path, gap: Enclave) -> Iterator[World]:
    services: dict[str, bytes | int] = {}

    def script(received: Received) -> bytes:
        found = services.get(received.target.split("/")[1], 404)
        return http(found) if isinstance(found, int) else http(200, found)

    outside, inside = (_home(tmp_path / name, notation) for name in ("outside", "inside"))
    with (
        serving(script) as authority,
        serve(tmp_path / "registry", "127.0.0.1", 0) as registry,
        gap.registry(tmp_path / "inner") as inner,
    ):
        made = World(authority, services, outside, registry.address, inside, gap, inner, tmp_path)
        made.publish(number=1)
        crl_url = f"{authority.url}/crl"
        keys = {
            name: WABBIT.issue(f"CN={name},O=wabbit,ST=WA,C=US", "EC-256", serial=serial, crl_urls=(crl_url,))
            for name, serial in SIGNERS.items()
        }
        outside.write_keys(keys)
        for name in keys:
            push_image(registry.address, name)
            outside.nv2("sign", "-k", name, f"{registry.address}/{name}:v1")
        made.publish(SIGNERS["revoked"], number=2)
        yield made


def test_both_programs_say_inside_what_they_say_outside_and_the_next_bundle_brings_the_news(
    world: World,
) -> None:
    assert [world.outside_says(name) for name in SIGNERS] == [(YES, True), (NO, False), (YES, True)]
    first = world.bundle("first", "good", "later")
    both = world.bundle("both", "good", "revoked")
    for name in SIGNERS:
        # Carried by other means, without evidence: nobody inside can tell.
        file = world.bundle(f"only-{name}", name)
        code, said = world.nv2("copy", f"layout:{file}:v1", f"{world.inner}/{name}:v1")
        assert code == 0, said
        assert world.says(name) == (OPEN, False)

    code, said = world.nv2("bundle", "verify", str(first))
    assert code == YES and "carried evidence counts until its nextUpdate" in said, said
    assert world.says("good") == (OPEN, False), "verifying installs nothing"
    code, said = world.nv2("bundle", "import", str(first), world.inner)
    assert code == YES and "installed" in said, said
    assert [world.says(name) for name in SIGNERS] == [(YES, True), (NO, False), (YES, True)]
    assert "is revoked" in world.notation("revoked")[1]
    code, said = world.nv2("bundle", "import", str(both), world.inner)
    assert code == NO and "No artifact was imported" in said, said

    world.publish(SIGNERS["revoked"], SIGNERS["later"], number=3, now=NOW + timedelta(seconds=1))
    assert world.outside_says("later") == (NO, False)
    assert world.says("later") == (YES, True), "nobody inside can know yet"
    second = world.bundle("second", "good")
    assert world.nv2("bundle", "import", str(second), world.inner)[0] == YES
    assert [world.says(name) for name in SIGNERS] == [(YES, True), (NO, False), (NO, False)]
    assert "is revoked" in world.notation("later")[1]

    code, said = world.nv2("bundle", "verify", str(first))
    assert code == NO and "is revoked" in said, "an older bundle does not undo the news"
    older = world.directory / "only-good.tar"
    code, said = world.nv2("bundle", "import", str(older), world.inner)
    assert code == YES and "not needed, for what is here is as new" in said, said
    assert [world.says(name) for name in SIGNERS] == [(YES, True), (NO, False), (NO, False)]


def test_evidence_past_its_next_update_counts_in_nv2_by_grace_alone_and_never_in_notation(
    world: World,
) -> None:
    made = NOW - 3 * DAY
    world.publish(SIGNERS["revoked"], number=2, now=made)
    file = world.bundle("old", "good", now=made)
    code, said = world.nv2("bundle", "verify", str(file))
    assert code == OPEN and "expired at" in said, said
    world.settings(evidenceAge={"grace": "7d"})
    code, said = world.nv2("bundle", "import", str(file), world.inner)
    assert code == YES and "a grace of 7d" in said, said
    code, said = world.nv2("verify", "-o", "json", f"{world.inner}/good:v1")
    assert code == YES and "within the grace of 7d" in said, said
    assert not world.notation("good")[0]
    world.nv2("copy", f"layout:{world.bundle('revoked', 'revoked')}:v1", f"{world.inner}/revoked:v1")
    world.settings()
    assert world.says("good") == (OPEN, False), "without the grace it does not count"
    assert world.says("revoked") == (NO, False), "listed is revoked, however old the list is"


def test_a_clock_that_is_behind_the_evidence_leaves_everything_open_unless_a_setting_allows_it(
    world: World,
) -> None:
    made = NOW + 2 * DAY
    world.publish(number=2, now=made)
    file = world.bundle("ahead", "good", now=made)
    for words in (("verify", str(file)), ("import", str(file), world.inner)):
        code, said = world.nv2("bundle", *words)
        assert code == OPEN and "the clock of this machine is behind" in said, said
    world.settings(clockBehind="3d")
    code, said = world.nv2("bundle", "import", str(file), world.inner)
    assert code == YES and "the clock may be 3d behind" in said, said
    assert world.verify("good")[0] == YES
    world.settings()
    code, said = world.verify("good")
    assert code == OPEN and "the clock of this machine is behind" in said, said


def test_an_answer_of_a_responder_crosses_for_nv2_and_a_warning_says_that_it_does_not_for_notation(
    world: World,
) -> None:
    pair = WABBIT.issue(
        "CN=asked,O=wabbit,ST=WA,C=US", "EC-256", serial=0x0D, ocsp_urls=(f"{world.authority.url}/ocsp",)
    )
    world.services["ocsp"] = ocsp_answer(WABBIT, pair.leaf, NOW)
    world.outside.write_keys({"asked": pair})
    push_image(world.registry, "asked")
    world.outside.nv2("sign", "-k", "asked", f"{world.registry}/asked:v1")
    file = world.directory / "asked.tar"
    made = world.outside.nv2("bundle", "create", f"{world.registry}/asked:v1", "--file", str(file))
    assert "notation cannot verify signatures by" in made.stdout + made.stderr
    code, said = world.nv2("bundle", "import", str(file), world.inner)
    assert code == YES and "notation cannot verify signatures by" in said, said
    assert world.says("asked") == (YES, False)


def test_evidence_about_the_timestamping_authority_crosses_as_well(world: World) -> None:
    names_crl = {"crl_urls": (f"{world.authority.url}/clock",), "serial": 0x7E}
    clock = TSA(**names_crl)
    ticking = {"this_update": NOW - HOUR, "next_update": NOW + DAY}
    world.services["clock"] = crl_of(clock.authority, number=1, **ticking)
    for home in (world.outside, world.inside):
        home.write_store("tsa", "clock", clock.root)
        _trust(home, "ca:wabbit", "tsa:clock")
    root = world.directory / "clock.crt"
    root.write_bytes(pem([clock.root]))
    push_image(world.registry, "stamped")
    with tsa_serving(clock) as url:
        stamping = ("--timestamp-url", url, "--timestamp-root-cert", str(root))
        world.outside.nv2("sign", "-k", "good", *stamping, f"{world.registry}/stamped:v1")
    first = world.bundle("first", "stamped")
    code, said = world.nv2("bundle", "import", str(first), world.inner)
    assert code == YES and f"{world.authority.url}/clock" in said, said
    assert world.says("stamped") == world.outside_says("stamped") == (YES, True)
    world.services["clock"] = crl_of(
        clock.authority, [Revoked(0x7E, 1, NOW - 5 * DAY)], number=2, **{**ticking, "this_update": NOW}
    )
    second = world.bundle("second", "stamped")
    assert world.nv2("bundle", "import", str(second), world.inner)[0] == NO
    assert world.says("stamped") == world.outside_says("stamped") == (NO, False)


def test_a_policy_that_crossed_in_a_signed_bundle_serves_both_programs(world: World) -> None:
    """As the page about air gaps has it, from a machine inside that trusts nobody yet."""
    file, root = world.directory / "policy.tar", world.directory / "root.crt"
    root.write_bytes(pem([WABBIT.chain[-1]]))
    words = ("--with-policy", "-k", "good", "--file", str(file))
    world.outside.nv2("bundle", "create", f"{world.registry}/good:v1", *words)
    shutil.rmtree(world.inside.config / "truststore")
    for policy in world.inside.config.glob("trustpolicy*.json"):
        policy.unlink()
    assert world.nv2("bundle", "import", str(file), world.inner)[0] == OPEN
    assert world.nv2("bundle", "install-policy", str(file))[0] == 2
    code, said = world.nv2("bundle", "install-policy", str(file), "-k", str(root))
    assert code == YES and "Added" in said, said
    code, said = world.nv2("bundle", "import", str(file), world.inner)
    assert code == YES and "installed" in said, said
    config = world.inside.config
    shutil.copy(config / "trustpolicy.oci.json", config / "trustpolicy.json")
    assert world.says("good") == (YES, True)


def test_news_of_the_same_second_reach_both_programs(world: World) -> None:
    world.publish(number=5)
    assert world.nv2("bundle", "import", str(world.bundle("first", "later")), world.inner)[0] == YES
    assert world.says("later") == (YES, True)
    world.publish(SIGNERS["later"], number=6)
    code, said = world.nv2("bundle", "import", str(world.bundle("second", "later")), world.inner)
    assert code == NO and "installed" in said, said
    assert world.says("later") == (NO, False)


def test_before_departure_it_is_said_what_will_be_stale_on_arrival(world: World) -> None:
    file = str(world.bundle("short", "good"))
    code, said = world.nv2("bundle", "check", "--fresh-for", "12h", file)
    assert code == YES and "1 fresh, 0 by grace, 0 stale, 0 missing" in said, said
    code, said = world.nv2("bundle", "check", "--fresh-for", "14d", file)
    assert code == OPEN and "0 fresh, 0 by grace, 1 stale" in said and "undecided by then" in said, said
    world.settings(evidenceAge={"issuers": {_issuer(): {"grace": "20d"}}})
    code, said = world.nv2("bundle", "check", "--fresh-for", "14d", "-o", "json", file)
    document = json.loads(said)
    assert code == YES and document["evidence"][0]["freshness"] == "byGrace", said
    assert document["rule"]["evidenceAge"]["issuers"][_issuer()]["grace"] == "20d"


def test_what_could_not_be_had_is_said_when_the_bundle_is_made(world: World) -> None:
    world.services["crl"] = 404
    file = world.directory / "gap.tar"
    made = world.outside.nv2(
        "bundle", "create", f"{world.registry}/good:v1", "--file", str(file), check=False
    )
    said = made.stdout + made.stderr
    assert made.returncode == 4 and "answered 404" in said, said
    code, said = world.nv2("bundle", "check", str(file))
    assert code == OPEN and "1 missing" in said and "answered 404" in said, said
    assert world.nv2("bundle", "verify", str(file))[0] == OPEN


def _issuer() -> str:
    from nv2.pki.certificate import parse_certificate

    return parse_certificate(WABBIT.chain[-1]).thumbprint
