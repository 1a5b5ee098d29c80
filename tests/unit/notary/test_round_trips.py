"""How often a registry is asked, and how often an answer has to be waited for: round trips decide how long it takes.

The numbers are limits. Whoever makes one smaller writes the smaller one here.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from nv2.content.remote.fallback import RunJournal
from nv2.content.remote.store import RemoteStore
from nv2.errors import NotFound, Refused
from nv2.notary.registry_access import RegistryAccess, Settings
from nv2.notary.session import Session
from nv2.notary.trust_here import trust_in_file
from nv2.notary.verification import evaluate_reference
from nv2.oci.reference import parse
from nv2.signing import Wish, sign
from nv2.transport.auth import Authenticated
from nv2.trust.verdict import Verdict
from tests.world.artifacts import push_image, thread_lock
from tests.world.ca import CA, Pair, pem
from tests.world.logins import BearerLogin
from tests.world.network import FunctionTransport
from tests.world.registry import Registry
from tests.world.rounds import Rounds


@pytest.fixture(scope="module")
def pair() -> Pair:
    return CA().issue(key="EC-256")


class World:
    """A registry in memory with one image, and whoever signs and verifies it."""

    def __init__(self, home: Path, *, referrers_api: bool, login: BearerLogin | None = None) -> None:
        self.home = home
        self.registry = Registry(referrers_api=referrers_api)
        self.journal = RunJournal()
        self.environ: dict[str, str] = {}
        self.image = push_image(self._store(self.count()))
        self.registry.login = login

    def count(self) -> Rounds:
        """Counts what is asked from now on."""
        login = self.registry.login
        hosts = {self.registry.host: self.registry, **({"auth.test": login} if login else {})}
        return Rounds(FunctionTransport(hosts))

    def _store(self, rounds: Rounds) -> RemoteStore:
        transport = Authenticated(rounds, lambda _: None)
        host, lock = self.registry.host, thread_lock()
        return RemoteStore(
            host,
            "app",
            transport,
            plain_http=True,
            lock=lock,
            push=True,
            sleep=lambda _: None,
            journal=self.journal,
        )

    def sign(self, pair: Pair) -> Rounds:
        rounds = self.count()
        store = self._store(rounds)
        sign(store, store.resolve(self.image.digest), pair.signer(), Wish(), datetime.now(UTC))
        return rounds

    def verify(self, name: str, pair: Pair, monkeypatch: pytest.MonkeyPatch) -> Rounds:
        (self.home / "leaf.crt").write_bytes(pem([pair.leaf]))
        rounds = self.count()
        transport = Authenticated(rounds, lambda _: None)
        monkeypatch.setattr(RegistryAccess, "transport", lambda _: transport)
        settings = Settings(insecure_registry=True)
        with Session.from_environment(settings, {"HOME": str(self.home), **self.environ}) as session:
            choose = trust_in_file(session, str(self.home / "leaf.crt"))
            found = evaluate_reference(session, parse(f"{self.registry.host}/app{name}"), choose)
        assert found.verdict.verdict is Verdict.TRUSTED, found
        return rounds


@pytest.fixture(params=["API", "fallback tag"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    return World(tmp_path, referrers_api=request.param == "API")


def test_verifying_by_digest_takes_five_requests_in_three_round_trips(
    world: World, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.sign(pair)
    rounds = world.verify(f"@{world.image.digest}", pair, monkeypatch)
    assert (len(rounds.requests), rounds.waited) == (5, 3), rounds.requests
    assert len(set(rounds.requests)) == 5


def test_verifying_again_takes_one_round_trip_since_signatures_are_kept(
    world: World, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.sign(pair)
    world.verify(f"@{world.image.digest}", pair, monkeypatch)
    rounds = world.verify(f"@{world.image.digest}", pair, monkeypatch)
    assert (len(rounds.requests), rounds.waited) == (3, 1), rounds.requests
    assert not any("/blobs/" in line for line in rounds.requests)


def test_what_is_kept_does_not_help_who_is_not_let_in_any_more(
    world: World, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.sign(pair)
    world.verify(f"@{world.image.digest}", pair, monkeypatch)
    world.registry.login = BearerLogin()
    with pytest.raises(Refused):
        world.verify(f"@{world.image.digest}", pair, monkeypatch)


def test_what_is_kept_does_not_stand_for_an_image_that_is_gone(
    world: World, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.sign(pair)
    world.verify(f"@{world.image.digest}", pair, monkeypatch)
    del world.registry.repository("app").manifests[world.image.digest]
    with pytest.raises(NotFound):
        world.verify(f"@{world.image.digest}", pair, monkeypatch)


def test_nothing_is_kept_where_the_environment_says_so(
    world: World, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.sign(pair)
    world.environ = {"NV2_NO_CACHE": "1"}
    for _ in range(2):
        rounds = world.verify(f"@{world.image.digest}", pair, monkeypatch)
    assert len(rounds.requests) == 5
    assert not (world.home / ".cache").exists()


def test_verifying_by_tag_takes_one_round_trip_more(
    world: World, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.sign(pair)
    world.registry.repository("app").tags["v1"] = world.image.digest
    rounds = world.verify(":v1", pair, monkeypatch)
    assert (len(rounds.requests), rounds.waited) == (5, 4), rounds.requests


def test_the_right_one_of_a_hundred_signatures_is_asked_for_alone(
    world: World, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(99):
        world.sign(CA(f"Stranger {number % 3}").issue(f"build {number % 3}", key="EC-256"))
    world.sign(pair)
    rounds = world.verify(f"@{world.image.digest}", pair, monkeypatch)
    assert (len(rounds.requests), rounds.waited) == (5, 3), rounds.requests


@pytest.mark.parametrize("referrers_api", [True, False])
def test_a_login_costs_two_round_trips_whatever_was_asked_ahead(
    referrers_api: bool, pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(tmp_path, referrers_api=referrers_api)
    world.sign(pair)
    world.registry.login = BearerLogin(public=True)
    rounds = world.verify(f"@{world.image.digest}", pair, monkeypatch)
    assert rounds.waited <= 3 + 3, rounds.requests  # the manifest is not read before the token is there


def test_signing_takes_six_requests_or_by_fallback_tag_eight(world: World, pair: Pair) -> None:
    # Where the registry says that it noted the subject, the sixth makes sure that it lists what refers to it.
    # By fallback tag: its index is read before and after it is written. From the second signature on, the index
    # before it is deleted, and the config need not be asked for.
    limit = 6 if world.registry.referrers_api else 8
    assert [len(world.sign(pair).requests) for _ in range(3)] == [limit] * 3


def test_a_signature_is_in_place_after_four_round_trips_or_by_fallback_tag_after_six(
    world: World, pair: Pair
) -> None:
    for _ in range(2):
        written = [line for line in world.sign(pair).requests if " PUT " in line]
        assert written[-1].startswith("4 " if world.registry.referrers_api else "6 "), written


def test_a_stranger_to_the_repository_asks_for_the_config_and_waits_no_longer(
    tmp_path: Path, pair: Pair
) -> None:
    world = World(tmp_path, referrers_api=False)
    world.sign(pair)
    world.journal = RunJournal()
    rounds = world.sign(pair)
    assert len(rounds.requests) == 9, rounds.requests
    assert [line for line in rounds.requests if " PUT " in line][-1].startswith("6 ")


def test_a_login_costs_signing_a_challenge_and_a_token_and_deleting_the_same_again(
    world: World, pair: Pair
) -> None:
    free = len(world.sign(pair).requests)
    world.registry.login = BearerLogin(public=True)
    rounds = world.sign(pair)
    # Who may not delete could be refused a token that asks for it, so it is not asked for in the first place.
    assert len(rounds.requests) == free + (2 if world.registry.referrers_api else 4), rounds.requests
    written = [line for line in rounds.requests if " PUT " in line]
    assert int(written[-1].partition(" ")[0]) == (4 if world.registry.referrers_api else 6) + 2
