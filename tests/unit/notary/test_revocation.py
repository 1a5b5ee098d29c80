"""Revocation, wired: whoever judges uses one checker, the caches of this machine and a transport without secrets."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import nv2
from nv2.errors import NotTrusted, Undecided
from nv2.notary.registry_access import Settings
from nv2.oci import media_types as mt
from tests.world.ca import CA, Pair, pem
from tests.world.crl import Revoked
from tests.world.crl import crl as crl_of
from tests.world.signed import artifact, sealed
from tests.world.sockets import Received, Server, http, make_identity, serving

NOW = datetime.now(UTC).replace(microsecond=0)
NAME = "memory.example/app"
WABBIT = CA("Wabbit")
SERIAL = 0xB01D


def crl(*entries: Revoked) -> bytes:
    return crl_of(WABBIT, entries, this_update=NOW - timedelta(hours=1), next_update=NOW + timedelta(days=1))


GOOD, REVOKED = http(200, crl()), http(200, crl(Revoked(SERIAL, 1)))


class World:
    """A server that publishes, an image, and whatever a session is told."""

    def __init__(self, server: Server, directory: Path) -> None:
        self.server = server
        self.answer = GOOD
        self.environ = {"HOME": str(directory)}
        self.store = nv2.MemoryStore()
        self.store.tag(artifact(self.store), "v1")
        self.pair: Pair = WABBIT.issue("build", "EC-256", crl_urls=(f"{server.url}/crl",), serial=SERIAL)

    def session(self, **settings: Any) -> nv2.Session:
        return nv2.Session.from_environment(Settings(**settings), self.environ, stores={NAME: self.store})

    def verify(self, session: nv2.Session, level: str = "strict") -> nv2.Verdict:
        return nv2.verify(f"{NAME}:v1", trust=self.policy(level), session=session).verdict.verdict

    def policy(self, level: str, **override: str) -> nv2.PolicyTrust:
        statement = {
            "name": "images",
            "registryScopes": [NAME],
            "signatureVerification": {"level": level, **({"override": override} if override else {})},
            "trustStores": ["ca:wabbit"],
            "trustedIdentities": ["*"],
        }
        document = json.dumps({"version": "1.0", "trustPolicies": [statement]})
        return nv2.PolicyTrust(document, {"ca:wabbit": pem(WABBIT.chain)})


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    def script(_: Received) -> bytes:
        return found.answer

    with serving(script) as server:
        found = World(server, tmp_path)
        with found.session() as session:
            nv2.sign(f"{NAME}:v1", key=found.pair.signer(), session=session)
        yield found


def test_a_signature_of_a_certificate_in_good_standing_is_trusted(world: World) -> None:
    with world.session() as session:
        assert world.verify(session) is nv2.Verdict.TRUSTED
    assert [received.target for received in world.server.requests] == ["/crl"]


def test_one_of_a_revoked_certificate_is_not(world: World) -> None:
    world.answer = REVOKED
    with world.session() as session, pytest.raises(NotTrusted) as caught:
        world.verify(session)
    assert "is revoked: certificate #1, CRL at " in caught.value.verdict.reason


def test_who_cannot_find_out_is_undecided(world: World) -> None:
    world.answer = http(503)
    with world.session() as session, pytest.raises(Undecided, match="answered 503"):
        world.verify(session)
    with world.session() as session:
        assert world.verify(session, "permissive") is nv2.Verdict.TRUSTED  # with a warning
    assert len(world.server.requests) == 2


def test_everything_about_one_chain_has_a_limit_of_time(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nv2.notary.revocation.MAX_ASKING", 0.0)
    with world.session() as session, pytest.raises(Undecided, match="not asked: the 0 seconds"):
        world.verify(session)
    assert world.server.requests == []


def test_one_run_asks_once_however_often_it_verifies(world: World) -> None:
    world.answer = http(404)
    with world.session() as session:
        for _ in range(3):
            with pytest.raises(Undecided):
                world.verify(session)
    assert len(world.server.requests) == 1


def test_the_next_run_finds_the_crl_in_the_cache_of_notation(world: World, tmp_path: Path) -> None:
    for _ in range(2):
        with world.session() as session:
            assert world.verify(session) is nv2.Verdict.TRUSTED
    assert len(world.server.requests) == 1
    [kept] = (tmp_path / ".cache/notation/crl").iterdir()
    assert "baseCRL" in json.loads(kept.read_bytes())


def test_an_older_crl_is_no_way_back(world: World, tmp_path: Path) -> None:
    times = {"this_update": NOW - timedelta(hours=1), "next_update": NOW + timedelta(days=1)}
    world.answer = http(200, crl_of(WABBIT, number=7, **times))
    with world.session() as session:
        world.verify(session)
    [kept] = (tmp_path / ".cache/notation/crl").iterdir()
    kept.unlink()
    world.answer = http(200, crl_of(WABBIT, number=6, **times))
    with world.session() as session, pytest.raises(Undecided, match="number 7 was seen before"):
        world.verify(session)


def test_a_level_that_skips_revocation_asks_nobody(world: World) -> None:
    trust = world.policy("strict", revocation="skip")
    with world.session() as session:
        assert nv2.verify(f"{NAME}:v1", trust=trust, session=session).verdict.verdict is nv2.Verdict.TRUSTED
    assert world.server.requests == []


def test_a_chain_that_nobody_trusts_makes_nobody_ask(world: World) -> None:
    with world.session() as session, pytest.raises(NotTrusted):
        nv2.verify(f"{NAME}:v1", trust=nv2.KeyTrust(CA("Other").issue("x", "EC-256").leaf), session=session)
    assert world.server.requests == []


def test_an_envelope_in_hand_is_asked_about_as_well(world: World) -> None:
    world.answer = REVOKED
    subject = world.store.resolve("v1")
    envelope = sealed(subject, world.pair)
    with world.session() as session, pytest.raises(NotTrusted) as caught:
        trust = world.policy("strict")
        nv2.verify_envelope(envelope, mt.JWS, subject, trust=trust, scope=NAME, session=session)
    assert "is revoked" in caught.value.verdict.reason


def test_a_cache_that_cannot_be_written_is_a_warning(world: World, tmp_path: Path) -> None:
    (tmp_path / ".cache").write_text("a file where a directory belongs")
    said: list[str] = []
    with world.session(warn=said.append) as session:
        assert world.verify(session) is nv2.Verdict.TRUSTED
    assert said and all(".cache" in line for line in said)


def test_requests_are_seen_in_the_trace_and_carry_no_secrets(world: World) -> None:
    lines: list[str] = []
    secrets = {"username": "alice", "password": "hunter2"}
    with world.session(debug=lines.append, **secrets) as session:
        world.verify(session)
    assert f"request #1: GET {world.server.url}/crl" in lines
    [received] = world.server.requests
    assert not {"authorization", "cookie"} & received.headers.keys()


def test_a_server_of_evidence_gets_no_client_certificate(tmp_path: Path) -> None:
    ours = make_identity(tmp_path, name="client")
    theirs = make_identity(tmp_path)
    with serving(lambda _: GOOD, theirs.server_context(clients=ours.certificate)) as server:
        found = World(server, tmp_path)
        files = {
            "ca_file": str(theirs.certificate),
            "client_certificate": str(ours.certificate),
            "client_key": str(ours.key),
        }
        with found.session(**files) as session:
            nv2.sign(f"{NAME}:v1", key=found.pair.signer(), session=session)
            with pytest.raises(Undecided):
                found.verify(session)
        assert server.requests == []


def test_the_files_of_a_run_are_private(world: World, tmp_path: Path) -> None:
    with world.session() as session:
        world.verify(session)
    for folder in (".cache/notation/crl", ".local/state/nv2/crl-numbers"):
        assert os.stat(tmp_path / folder).st_mode & 0o022 == 0
