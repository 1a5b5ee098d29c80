"""Blobs from a program: what is trusted, what is denied, and what is refused before anything is read."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

import nv2
from nv2.errors import EnvironmentFailure, NotTrusted, PolicyError, TrustStoreError, UsageError
from nv2.pki.certificate import parse_certificate
from nv2.pki.chain import Chain
from nv2.trust.denial import Denial, DenialKind, DenialList, spki_hash
from nv2.trust.level import Validation
from nv2.trust.verdict import Finding, Outcome
from tests.world.ca import CA, pem

WABBIT = CA("Wabbit")
PAIR = WABBIT.issue("CN=build,O=wabbit-networks.io,ST=WA,C=US", "EC-384")
TRUST = nv2.KeyTrust(pem([PAIR.leaf]))
DATA = b"tool"


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[nv2.Session]:
    monkeypatch.setenv("NOTATION_CONFIG", str(tmp_path / "nothing"))
    with nv2.Session.from_environment() as opened:
        yield opened


@pytest.fixture
def made(session: nv2.Session) -> nv2.DetachedSignature:
    return nv2.sign_blob(io.BytesIO(DATA), key=PAIR.signer(), session=session).signature


def denying(kind: DenialKind, *target: str) -> nv2.KeyTrust:
    denied = DenialList([Denial(kind, target, "stolen", "2026-01-02T15:04:05Z")])
    return nv2.KeyTrust(pem([PAIR.leaf]), denials=denied.encode())


@pytest.mark.parametrize("name", ["sha256", "sha384", "sha512"])
def test_a_key_is_denied_for_a_blob_by_whatever_hash_the_denial_names_it(
    session: nv2.Session, made: nv2.DetachedSignature, name: str
) -> None:
    digest = f"{name}:{hashlib.new(name, DATA).hexdigest()}"
    spki = spki_hash(parse_certificate(PAIR.leaf))
    assert nv2.verify_blob(io.BytesIO(DATA), made, trust=TRUST, session=session)
    with pytest.raises(NotTrusted, match="for this artifact is denied"):
        nv2.verify_blob(
            io.BytesIO(DATA),
            made,
            trust=denying(DenialKind.KEY_FOR_ARTIFACT, spki, digest),
            session=session,
        )


class _Revoked:
    def check(self, chain: Chain, now: datetime, signed_at: datetime | None) -> Finding:
        return Finding(Validation.REVOCATION, Outcome.FAILED, "it was withdrawn")


def test_whoever_is_asked_about_revocation_for_images_is_for_blobs(
    session: nv2.Session, made: nv2.DetachedSignature, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nv2.Session, "revocation", _Revoked())
    with pytest.raises(NotTrusted, match="revocation: it was withdrawn"):
        nv2.verify_blob(io.BytesIO(DATA), made, trust=TRUST, session=session)


def test_one_thing_alone_says_what_is_trusted(
    session: nv2.Session, made: nv2.DetachedSignature, tmp_path: Path
) -> None:
    (tmp_path / "leaf.crt").write_bytes(pem([PAIR.leaf]))
    key = tmp_path / "leaf.crt"
    for more in ({"trust": TRUST}, {"policy_name": "releases"}):
        with pytest.raises(UsageError):
            nv2.evaluate_blob(io.BytesIO(DATA), made, key=key, session=session, **more)  # type: ignore[arg-type]
    with pytest.raises(UsageError):
        nv2.evaluate_blob(io.BytesIO(DATA), made, trust=TRUST, policy_name="releases", session=session)


class _Untouched:
    def read(self, size: int, /) -> bytes:
        raise AssertionError("it was read")


@pytest.mark.parametrize(
    ("user_metadata", "content_type", "why"),
    [
        ({"io.cncf.notary.x": "1"}, "text/plain", "the reserved prefix"),
        ({"a": "\udc80"}, "text/plain", "valid Unicode"),
        ({}, "text", "media-type"),
    ],
)
def test_what_cannot_be_signed_is_refused_before_the_blob_is_read(
    session: nv2.Session, user_metadata: dict[str, str], content_type: str, why: str
) -> None:
    with pytest.raises(UsageError, match=why):
        nv2.sign_blob(
            _Untouched(),
            key=PAIR.signer(),
            content_type=content_type,
            user_metadata=user_metadata,
            session=session,
        )


class _NotYet:
    """A stream that does not block: after the first bytes there are none yet."""

    def __init__(self) -> None:
        self._pieces: list[bytes | None] = [b"", None, DATA]

    def read(self, size: int, /) -> bytes | None:
        return self._pieces.pop()


def test_a_stream_that_has_nothing_yet_is_not_taken_for_one_that_ended(
    session: nv2.Session, made: nv2.DetachedSignature
) -> None:
    with pytest.raises(EnvironmentFailure, match="nothing can be read from it yet"):
        nv2.sign_blob(_NotYet(), key=PAIR.signer(), session=session)
    with pytest.raises(EnvironmentFailure):
        nv2.verify_blob(_NotYet(), made, trust=TRUST, session=session)


def policy() -> str:
    terms = {"trustStores": ["ca:wabbit"], "trustedIdentities": ["*"]}
    statements = [
        {"name": "all", "globalPolicy": True, "signatureVerification": {"level": "strict"}, **terms},
        {
            "name": "others",
            "signatureVerification": {"level": "strict"},
            **terms,
            "trustedIdentities": ["x509.subject: C=US, ST=WA, O=acme-rockets.io"],
        },
        {"name": "drafts", "signatureVerification": {"level": "skip"}},
    ]
    return json.dumps({"version": "1.0", "trustPolicies": statements})


STORES = {"ca:wabbit": pem(WABBIT.chain)}


def test_a_policy_that_is_given_decides_by_name_or_globally(
    session: nv2.Session, made: nv2.DetachedSignature
) -> None:
    trust = nv2.BlobPolicyTrust(policy(), STORES)
    found = {
        name: nv2.evaluate_blob(
            io.BytesIO(DATA), made, trust=trust, policy_name=name, session=session
        ).verdict
        for name in (None, "all", "others", "drafts")
    }
    assert found == {
        None: nv2.Verdict.TRUSTED,
        "all": nv2.Verdict.TRUSTED,
        "others": nv2.Verdict.NOT_TRUSTED,
        "drafts": nv2.Verdict.NOT_CHECKED,
    }
    for name, error in (("absent", PolicyError), ("", UsageError)):
        with pytest.raises(error):
            nv2.evaluate_blob(io.BytesIO(DATA), made, trust=trust, policy_name=name, session=session)


@pytest.mark.parametrize("name", [None, "drafts"])
def test_denials_that_are_given_go_before_the_policy_even_where_it_skips(
    session: nv2.Session, made: nv2.DetachedSignature, name: str | None
) -> None:
    digest = f"sha256:{hashlib.sha256(DATA).hexdigest()}"
    listed = DenialList([Denial(DenialKind.ARTIFACT, (digest,), "bad", "2026-01-02T15:04:05Z")])
    trust = nv2.BlobPolicyTrust(policy(), STORES, denials=listed.encode())
    with pytest.raises(NotTrusted, match="the artifact is denied"):
        nv2.verify_blob(io.BytesIO(DATA), made, trust=trust, policy_name=name, session=session)


def test_a_policy_that_is_given_is_checked_when_it_is_made() -> None:
    with pytest.raises(TrustStoreError, match="was not given"):
        nv2.BlobPolicyTrust(policy(), {})
    with pytest.raises(PolicyError):
        nv2.BlobPolicyTrust(policy().replace("globalPolicy", "registryScopes"), STORES)
    assert repr(nv2.BlobPolicyTrust(policy(), STORES)) == (
        "<BlobPolicyTrust blob trust policy: all, others, drafts>"
    )
