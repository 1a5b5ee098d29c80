"""Bundles between machines without trust stores: whom `-k` names there, outside and inside, decides about evidence as well."""

from __future__ import annotations

import hashlib
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import nv2
from nv2.errors import Unreachable
from nv2.transport.interface import Request, Response
from tests.unit.cli.command_line import CommandLine, Ended
from tests.unit.cli.conftest import WABBIT
from tests.unit.cli.test_bundle import CRL_URL
from tests.unit.content.remote.registry_world import World
from tests.world.artifacts import attach_referrer, push_image
from tests.world.ca import CA, pem
from tests.world.crl import Revoked, crl
from tests.world.publishing import Publishing

SERIAL = 7
SIGNER = WABBIT.issue(
    "CN=build,O=wabbit-networks.io,ST=WA,C=US", "EC-256", crl_urls=(CRL_URL,), serial=SERIAL
)
ROOT, LEAF, BARE = "root.crt", "signer.crt", "signer.pub"


class Gap:
    """A registry outside with an image that `SIGNER` signed, one inside, and an authority that only the outside reaches."""

    def __init__(self, line: CommandLine) -> None:
        self.line = line
        self.outer, self.inner = World(), World()
        self.authority = Publishing({})
        self.publish()
        files = {
            "signer.key": SIGNER.pem_key() + SIGNER.pem_chain(),
            LEAF: pem([SIGNER.leaf]),
            BARE: SIGNER.pem_public_key(),
        }
        for name, data in files.items():
            (line.directory / name).write_bytes(data)
        (line.directory / "signer.key").chmod(0o600)
        self.outside()
        image = push_image(self.outer.store(), b"layer")
        self.outer.store().tag(image, "v1")
        self.name = f"{self.outer.registry.host}/app:v1"
        signed = line("sign", "-k", "signer.key", self.name)
        assert signed.code == 0, signed.err

    def publish(self, *revoked: Revoked, number: int = 1) -> None:
        now = datetime.now(UTC).replace(microsecond=0)
        self.authority.services[CRL_URL] = crl(
            WABBIT, revoked, number=number, this_update=now, next_update=now + timedelta(days=9)
        )

    def outside(self) -> None:
        authority, registry = self.authority, self.outer.registry
        self.line.reach(lambda r: authority.start(r).response() if r.url == CRL_URL else registry(r))

    def inside(self) -> None:
        """Another machine, which has never seen anything and reaches nothing but the inner registry."""
        registry = self.inner.registry

        def reached(request: Request) -> Response:
            if registry.host not in request.url:
                raise Unreachable("no way out", at=request.place)
            return registry(request)

        for name in ("cache", "state"):
            shutil.rmtree(self.line.directory / name, ignore_errors=True)
        self.line.reach(reached)

    def create(self, *words: str, file: str = "b.tar") -> Ended:
        return self.line("bundle", "create", self.name, *words, "--file", file)

    def bring_in(self, key: str, file: str = "b.tar") -> Ended:
        return self.line("bundle", "import", file, f"{self.inner.registry.host}/in", "-k", key)

    def verify(self, key: str) -> Ended:
        return self.line("verify", "-k", key, f"{self.inner.registry.host}/in/app:v1")

    @property
    def kept(self) -> Path:
        """Where notation looks for the CRL."""
        return self.line.directory / "cache" / "crl" / hashlib.sha256(CRL_URL.encode()).hexdigest()


@pytest.fixture
def gap(wabbit: CommandLine) -> Gap:
    return Gap(wabbit)


def test_nobody_is_asked_about_a_signer_whom_nobody_named(gap: Gap) -> None:
    gap.authority.requests.clear()
    ended = gap.create()
    assert ended.code == 4 and "nobody was asked" in ended.err and "--trusted-key" in ended.err
    assert gap.authority.requests == []


@pytest.mark.parametrize("key", [ROOT, LEAF, BARE, "signer.key"])
def test_evidence_is_gathered_about_whom_a_key_vouches_for_and_decides_inside(gap: Gap, key: str) -> None:
    made = gap.create("--trusted-key", key)
    assert made.code == 0 and "evidence: 1 piece" in made.out, made.err
    gap.inside()
    assert gap.line("bundle", "verify", "b.tar", "-k", key).code == 0


def test_a_key_of_somebody_else_is_no_reason_to_ask(gap: Gap) -> None:
    (gap.line.directory / "other.crt").write_bytes(pem([CA("Other").issue("other", "EC-256").leaf]))
    assert gap.create("--trusted-key", "other.crt").code == 4
    assert gap.create("--trusted-key", "other.crt", "--trusted-key", ROOT, file="c.tar").code == 0


@pytest.mark.parametrize("key", ["absent.crt", "wabbit.crt", "b.json"])
def test_a_key_that_cannot_be_read_makes_no_bundle(gap: Gap, key: str) -> None:
    (gap.line.directory / "b.json").write_text("{}")
    gap.outer.registry.requests.clear()
    ended = gap.create("--trusted-key", key)
    assert ended.code in (2, 3) and key in ended.err
    assert gap.outer.registry.requests == [], "it is found out before anything is copied"
    assert not (gap.line.directory / "b.tar").exists()


def test_who_signs_a_bundle_brings_the_evidence_about_himself(gap: Gap) -> None:
    """His chain is on this machine: no stranger chose its addresses."""
    made = gap.create("-k", "signer.key")
    assert made.code == 0 and "evidence: 1 piece" in made.out, made.err


@pytest.mark.parametrize("key", [ROOT, LEAF])
def test_what_was_brought_for_a_certificate_lets_verify_decide_inside(gap: Gap, key: str) -> None:
    assert gap.create("--trusted-key", key).code == 0
    gap.inside()
    imported = gap.bring_in(key)
    assert imported.code == 0 and f"crl {CRL_URL}" in imported.out and "installed" in imported.out, (
        imported.err
    )
    assert gap.kept.exists()
    assert gap.verify(key).code == 0


@pytest.mark.parametrize("key", [ROOT, LEAF])
def test_the_news_of_a_revocation_arrives_for_a_certificate(gap: Gap, key: str) -> None:
    assert gap.create("--trusted-key", key).code == 0
    gap.publish(Revoked(SERIAL, at=datetime.now(UTC) - timedelta(days=2)), number=2)
    assert gap.create("--trusted-key", key, file="next.tar").code == 0
    gap.inside()
    assert [gap.bring_in(key, file).code for file in ("b.tar", "next.tar")] == [0, 1]
    assert gap.verify(key).code == 1
    gap.bring_in(key)
    assert gap.verify(key).code == 1


def test_a_bare_key_keeps_nothing_and_it_is_said_why(gap: Gap) -> None:
    assert gap.create("--trusted-key", BARE).code == 0
    gap.inside()
    imported = gap.bring_in(BARE)
    assert imported.code == 0 and "a bare key vouches for no authority" in imported.err
    assert "refused" in imported.out and not gap.kept.exists()
    assert gap.verify(BARE).code == 3


def test_a_certificate_of_somebody_else_installs_nothing(gap: Gap) -> None:
    assert gap.create("--trusted-key", ROOT).code == 0
    gap.inside()
    (gap.line.directory / "other.crt").write_bytes(pem([CA("Other").issue("other", "EC-256").root]))
    ended = gap.bring_in("other.crt")
    assert ended.code == 1 and "refused" in ended.out and not gap.kept.exists()
    assert "bare key" not in ended.err


def test_a_policy_that_cannot_be_asked_is_no_bare_key(gap: Gap) -> None:
    assert gap.create("--trusted-key", ROOT).code == 0
    gap.inside()
    statement = (
        '{"name": "a", "registryScopes": ["elsewhere.example/app"], "signatureVerification": {"level": "strict"},'
        ' "trustStores": ["ca:none"], "trustedIdentities": ["*"]}'
    )
    gap.line.config.mkdir(exist_ok=True)
    (gap.line.config / "trustpolicy.json").write_text(f'{{"version": "1.0", "trustPolicies": [{statement}]}}')
    ended = gap.line("bundle", "import", "b.tar", gap.inner.registry.host)
    assert ended.code == 3 and "refused" in ended.out and "bare key" not in ended.err


def test_what_a_program_gives_as_trust_counts_for_evidence_as_well(gap: Gap) -> None:
    made = nv2.create_bundle([gap.name], "b.tar", trusted_keys=[ROOT])
    assert made.problems == () and len(made.evidence.pieces) == 1
    gap.inside()
    inside = f"{gap.inner.registry.host}/in"
    trust = nv2.KeyTrust((gap.line.directory / ROOT).read_bytes())
    brought = nv2.import_bundle("b.tar", inside, trust=trust)
    assert [each.fate.value for each in brought.evidence.placed] == ["installed"]
    assert nv2.verify(f"{inside}/app:v1", trust=trust)


def test_a_signature_that_nothing_can_be_looked_up_about_is_named(gap: Gap) -> None:
    attach_referrer(gap.outer.store(), gap.outer.store().resolve("v1"), b"junk")
    made = gap.create("--trusted-key", ROOT)
    assert made.code == 0 and "no evidence about a signature was looked for" in made.err
