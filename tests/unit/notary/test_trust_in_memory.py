"""Trust that a program gives as objects: the same answers as from files, and nothing of this machine is read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import nv2
from nv2.errors import DenialListError, PolicyError, TrustStoreError, UsageError
from nv2.oci import media_types as mt
from nv2.pki.certificate import parse_certificate
from nv2.trust.denial import spki_hash
from tests.world.ca import CA, Pair, pem
from tests.world.signed import artifact, sealed

NAME = "memory.example/app"
IDENTITY = "x509.subject:C=US,ST=WA,O=wabbit-networks.io"
WABBIT, MALLORY = CA("Wabbit"), CA("Mallory")
GOOD = WABBIT.issue("CN=build,O=wabbit-networks.io,ST=WA,C=US", "EC-256")
BAD = MALLORY.issue("CN=mallory,O=wabbit-networks.io,ST=WA,C=US", "EC-256")
ROOT = pem(WABBIT.chain)


def policy(**changes: Any) -> str:
    statement = {
        "name": "images",
        "registryScopes": [NAME],
        "signatureVerification": {"level": "strict"},
        "trustStores": ["ca:wabbit"],
        "trustedIdentities": [IDENTITY],
    }
    return json.dumps({"version": "1.0", "trustPolicies": [statement | changes]})


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[nv2.Session]:
    """Of an empty home, with an image in memory."""
    monkeypatch.setenv("NOTATION_CONFIG", str(tmp_path / "nothing"))
    store = nv2.MemoryStore()
    store.tag(artifact(store), "v1")
    with nv2.Session.from_environment(stores={NAME: store}) as opened:
        yield opened
    assert not (tmp_path / "nothing").exists()


def sign(session: nv2.Session, pair: Pair) -> None:
    nv2.sign(f"{NAME}:v1", key=pair.signer(), session=session)


BY_POLICY = nv2.PolicyTrust(policy(), {"ca:wabbit": ROOT})
TRUSTS = {
    "a certificate as PEM": nv2.KeyTrust(pem([GOOD.leaf])),
    "a certificate as text": nv2.KeyTrust(pem([GOOD.leaf]).decode()),
    "a certificate as DER": nv2.KeyTrust(GOOD.leaf),
    "a public key": nv2.KeyTrust(GOOD.pem_public_key()),
    "a policy": BY_POLICY,
    "a policy as bytes, its store as several": nv2.PolicyTrust(
        policy().encode(), {"ca:wabbit": [MALLORY.intermediate("other").chain[0], *WABBIT.chain]}
    ),
}


@pytest.mark.parametrize("trust", TRUSTS.values(), ids=TRUSTS)
def test_who_is_trusted_by_an_object_is_trusted(session: nv2.Session, trust: Any) -> None:
    sign(session, GOOD)
    assert nv2.verify(f"{NAME}:v1", trust=trust, session=session).verdict.verdict is nv2.Verdict.TRUSTED


@pytest.mark.parametrize("trust", TRUSTS.values(), ids=TRUSTS)
def test_nobody_else_is(session: nv2.Session, trust: Any) -> None:
    sign(session, BAD)
    with pytest.raises(nv2.NotTrusted) as caught:
        nv2.verify(f"{NAME}:v1", trust=trust, session=session)
    assert caught.value.verdict.reason.startswith("authenticity: ")


def test_a_policy_is_asked_by_repository_or_by_scope(session: nv2.Session) -> None:
    sign(session, GOOD)
    elsewhere = nv2.PolicyTrust(policy(registryScopes=["other.example/app"]), {"ca:wabbit": ROOT})
    with pytest.raises(PolicyError, match='artifact "memory'):
        nv2.verify(f"{NAME}:v1", trust=elsewhere, session=session)
    nv2.verify(f"{NAME}:v1", trust=elsewhere, scope="other.example/app", session=session)


def test_a_policy_that_skips_checks_nothing(session: nv2.Session) -> None:
    statement = policy(signatureVerification={"level": "skip"}, trustStores=[], trustedIdentities=[])
    found = nv2.verify(f"{NAME}:v1", trust=nv2.PolicyTrust(statement, {}), session=session)
    assert found.verdict.verdict is nv2.Verdict.NOT_CHECKED


# fmt: off
WRONG = {
    "junk as a key":            (lambda: nv2.KeyTrust(b"junk"),                       UsageError, "neither PEM nor"),
    "a private key":            (lambda: nv2.KeyTrust(GOOD.pem_key()),                UsageError, "holds a .*private key"),
    "a chain as a key":         (lambda: nv2.KeyTrust(GOOD.pem_chain()),              UsageError, "exactly one"),
    "no JSON":                  (lambda: nv2.PolicyTrust("{", {}),                    PolicyError, "trust policy"),
    "a missing store":          (lambda: nv2.PolicyTrust(policy(), {}),               TrustStoreError, "ca:wabbit: .*was not given"),
    "a store of another type":  (lambda: nv2.PolicyTrust(policy(), {"tsa:wabbit": ROOT}), TrustStoreError, "ca:wabbit"),
    "a store without a type":   (lambda: nv2.PolicyTrust(policy(), {"wabbit": ROOT}), TrustStoreError, "is not a trust store"),
    "an empty store":           (lambda: nv2.PolicyTrust(policy(), {"ca:wabbit": []}), TrustStoreError, "needs a certificate"),
    "junk in a store":          (lambda: nv2.PolicyTrust(policy(), {"ca:wabbit": b"junk"}), TrustStoreError, "ca:wabbit: "),
    "a leaf in a store":        (lambda: nv2.PolicyTrust(policy(), {"ca:wabbit": GOOD.leaf}), TrustStoreError, "neither a CA"),
}
# fmt: on


@pytest.mark.parametrize(("make", "error", "said"), WRONG.values(), ids=WRONG)
def test_what_cannot_be_trusted_is_refused_when_it_is_made(make: Any, error: Any, said: str) -> None:
    with pytest.raises(error, match=said):
        make()


def test_two_answers_to_who_is_trusted_are_refused(session: nv2.Session) -> None:
    key = TRUSTS["a public key"]
    with pytest.raises(UsageError, match="key and trust"):
        nv2.verify(f"{NAME}:v1", key="wabbit", trust=key, session=session)
    for more in ({"trust": key}, {"key": "wabbit"}):
        with pytest.raises(UsageError, match="a scope chooses a policy statement"):
            nv2.verify(f"{NAME}:v1", scope=NAME, session=session, **more)  # type: ignore[arg-type]


def test_a_given_store_is_copied_from_and_to(session: nv2.Session) -> None:
    sign(session, GOOD)
    other = nv2.MemoryStore()
    stores = {NAME: session.store(nv2.parse_reference(NAME)), "memory.example/copy": other}
    with nv2.Session.from_environment(stores=stores) as both:
        nv2.copy(f"{NAME}:v1", "memory.example/copy:v1", session=both)
        nv2.verify("memory.example/copy:v1", trust=BY_POLICY, scope=NAME, session=both)


@pytest.mark.parametrize("media_type", [mt.JWS, mt.COSE])
def test_an_envelope_alone_is_judged_as_beside_its_artifact(session: nv2.Session, media_type: str) -> None:
    subject = artifact(nv2.MemoryStore())
    good, bad = (sealed(subject, pair, media_type=media_type) for pair in (GOOD, BAD))
    for trust, scope in ((TRUSTS["a certificate as DER"], None), (BY_POLICY, NAME)):
        found = nv2.verify_envelope(good, media_type, subject, trust=trust, scope=scope, session=session)
        assert found.trusted_by is not None and found.trusted_by.facts is not None
        assert found.trusted_by.manifest == nv2.describe(good, media_type)
        with pytest.raises(nv2.NotTrusted, match=subject.digest) as caught:
            nv2.verify_envelope(bad, media_type, subject, trust=trust, scope=scope, session=session)
        assert caught.value.verdict.reason.startswith("authenticity: ")


@pytest.mark.parametrize(
    ("data", "media_type"), [(b"", mt.JWS), (b"{}", mt.JWS), (b"{}", mt.COSE), (b"{}", "text/plain")]
)
def test_an_envelope_that_cannot_be_read_is_not_trusted(
    session: nv2.Session, data: bytes, media_type: str
) -> None:
    subject = artifact(nv2.MemoryStore())
    found = nv2.evaluate_envelope(data, media_type, subject, trust=BY_POLICY, scope=NAME, session=session)
    assert found.verdict is nv2.Verdict.NOT_TRUSTED and found.reason.startswith("integrity: ")


def test_an_envelope_of_another_artifact_is_not_trusted(session: nv2.Session) -> None:
    subject, other = (artifact(nv2.MemoryStore(), name) for name in ("app", "other"))
    key = TRUSTS["a public key"]
    with pytest.raises(nv2.NotTrusted) as caught:
        nv2.verify_envelope(sealed(other, GOOD), mt.JWS, subject, trust=key, session=session)
    assert "it signs another artifact" in caught.value.verdict.reason


def test_an_envelope_alone_needs_a_scope_for_a_policy(session: nv2.Session) -> None:
    for trust in (None, BY_POLICY):
        with pytest.raises(UsageError, match="from which repository"):
            nv2.verify_envelope(b"{}", mt.JWS, artifact(nv2.MemoryStore()), trust=trust, session=session)


def test_keys_are_named_by_text_or_by_path(session: nv2.Session, tmp_path: Path) -> None:
    key, certificate = tmp_path / "own.key", tmp_path / "own.pem"
    key.write_bytes(GOOD.pem_key())
    key.chmod(0o600)
    certificate.write_bytes(GOOD.pem_chain())
    for form in (str, Path):
        nv2.sign(f"{NAME}:v1", key=form(key), certificate=form(certificate), session=session)
        nv2.verify(f"{NAME}:v1", key=form(key), session=session)
    assert len(nv2.list_signatures(f"{NAME}:v1", session=session).signatures) == 2


def _denials(pair: Pair) -> str:
    entry = {
        "kind": "key",
        "spki": spki_hash(parse_certificate(pair.leaf)),
        "reason": "stolen",
        "deniedAt": "2026-01-02T15:04:05Z",
    }
    return json.dumps({"schema": "nv2.trust.denials/v1", "denials": [entry]})


@pytest.mark.parametrize(("denied", "verdict"), [(GOOD, nv2.Verdict.NOT_TRUSTED), (BAD, nv2.Verdict.TRUSTED)])
def test_denials_that_are_given_go_before_the_trust(
    session: nv2.Session, denied: Pair, verdict: nv2.Verdict
) -> None:
    sign(session, GOOD)
    for trust in (
        nv2.KeyTrust(pem([GOOD.leaf]), denials=_denials(denied)),
        nv2.PolicyTrust(policy(), {"ca:wabbit": ROOT}, denials=_denials(denied)),
    ):
        assert nv2.evaluate(f"{NAME}:v1", trust=trust, session=session).verdict.verdict is verdict


def test_denials_that_are_none_are_refused_at_once() -> None:
    with pytest.raises(DenialListError, match="not JSON"):
        nv2.KeyTrust(pem([GOOD.leaf]), denials="")


def test_an_envelope_in_hand_is_held_against_denials() -> None:
    subject = artifact(nv2.MemoryStore())
    found = nv2.evaluate_envelope(
        sealed(subject, GOOD), mt.JWS, subject, trust=nv2.KeyTrust(pem([GOOD.leaf]), denials=_denials(GOOD))
    )
    assert found.verdict is nv2.Verdict.NOT_TRUSTED
    entry = {
        "kind": "artifact",
        "artifact": subject.digest,
        "reason": "bad",
        "deniedAt": "2026-01-02T15:04:05Z",
    }
    listed = json.dumps({"schema": "nv2.trust.denials/v1", "denials": [entry]})
    skip = policy(signatureVerification={"level": "skip"}, trustStores=[], trustedIdentities=[])
    trust = nv2.PolicyTrust(skip, {}, denials=listed)
    assert nv2.evaluate_envelope(b"", mt.JWS, subject, trust=trust, scope=NAME).denied
