from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from nv2.content.memory import MemoryStore
from nv2.errors import DenialListError
from nv2.oci.digest import Digest
from nv2.pki.certificate import parse_certificate
from nv2.revocation import WithoutNetwork
from nv2.trust.anchors import CertificateAnchors
from nv2.trust.denial import MAX_TEXT, Denial, DenialKind, DenialList, deny, parse_denials, spki_hash
from nv2.trust.level import LEVELS, Validation
from nv2.trust.trust import Trust
from nv2.trust.verdict import Outcome, Verdict
from nv2.verification import evaluate
from tests.world.ca import CA
from tests.world.signed import NOW, artifact, sign

HASH, OTHER = "ab" * 32, "cd" * 32
DIGEST = Digest(f"sha256:{HASH}")
SINCE = "2026-01-02T15:04:05Z"
ENTRY = {"kind": "key", "spki": HASH, "reason": "stolen", "deniedAt": SINCE}


def document(*entries: Any, **more: Any) -> bytes:
    return json.dumps({"schema": "nv2.trust.denials/v1", "denials": entries, **more}).encode()


def test_a_list_is_read() -> None:
    (found,) = parse_denials(document({**ENTRY, "deniedBy": "alice"}), DenialListError).denials
    assert found == Denial(DenialKind.KEY, (HASH,), "stolen", SINCE, "alice")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not JSON"),
        (b"[]", "expected an object"),
        (b"{}", "schema: a string is missing"),
        (document(schema="nv2.trust.denials/v2"), "schema: not a list of denials"),
        (b'{"schema": "nv2.trust.denials/v1"}', "denials: an array is missing"),
        (document(more=1), "unknown field 'more'"),
        (document("x"), "denials[0]: expected an object"),
        (document({**ENTRY, "kind": "person"}), "denials[0].kind: an unknown kind of denial"),
        (document({**ENTRY, "spki": HASH.upper()}), "denials[0].spki: expected SHA-256"),
        (document({**ENTRY, "spki": f"{HASH}00"}), "denials[0].spki: expected SHA-256"),
        (document({**ENTRY, "artifact": DIGEST}), "denials[0]: unknown field 'artifact'"),
        (document({**ENTRY, "kind": "signature"}), "denials[0].signedBytes: a string is missing"),
        (document({**ENTRY, "kind": "keyForArtifact"}), "denials[0].artifact: a string is missing"),
        (document({**ENTRY, "kind": "keyForArtifact", "artifact": "sha256:12"}), "denials[0].artifact: "),
        (document({**ENTRY, "deniedAt": "yesterday"}), "denials[0].deniedAt: expected a time"),
        (document({**ENTRY, "reason": " "}), "denials[0].reason: expected one line"),
        (document({**ENTRY, "reason": "a\nb"}), "denials[0].reason: expected one line"),
        (document({**ENTRY, "reason": "x" * (MAX_TEXT + 1)}), "denials[0].reason: expected one line"),
        (document({**ENTRY, "deniedBy": ""}), "denials[0].deniedBy: expected one line"),
        (document({**ENTRY, "id": "0" * 16}), "denials[0].id: does not fit"),
        (document(ENTRY, {**ENTRY, "reason": "other"}), "denials: two denials mean the same"),
    ],
)
def test_what_is_not_exactly_a_list_is_refused_with_its_place(data: bytes, message: str) -> None:
    with pytest.raises(DenialListError) as raised:
        parse_denials(data, DenialListError)
    assert str(raised.value).startswith(message)


def test_what_is_known_keeps_its_words() -> None:
    old, new = Denial(DenialKind.KEY, (HASH,), "old", SINCE), Denial(DenialKind.KEY, (HASH,), "new", SINCE)
    other = Denial(DenialKind.KEY, (OTHER,), "other", SINCE)
    assert DenialList([old]).merged([new, other]).denials == (old, other)


def test_a_reason_must_be_one_that_can_be_read_again() -> None:
    with pytest.raises(DenialListError, match="reason: expected one line"):
        deny(DenialKind.KEY, (HASH,), reason="\x1b[2J", now=NOW, who=None, error=DenialListError)


def test_a_denial_is_dated_in_utc() -> None:
    at = datetime(2026, 1, 2, 15, 4, 5, 6, tzinfo=UTC)
    assert (
        deny(DenialKind.KEY, (HASH,), reason="x", now=at, who=None, error=DenialListError).denied_at == SINCE
    )


# fmt: off
MIDDLE = CA("Root").intermediate("Middle")
PAIR = MIDDLE.issue("build", key="EC-256")
CHAIN = [spki_hash(parse_certificate(der)) for der in PAIR.chain]
IMAGE = artifact(MemoryStore())
TARGETS = (
    # what                          kind                         target                    denied
    ("the signing key",             DenialKind.KEY,              (CHAIN[0],),              True),
    ("an intermediate's key",       DenialKind.KEY,              (CHAIN[1],),              True),
    ("the root's key",              DenialKind.KEY,              (CHAIN[2],),              True),
    ("another key",                 DenialKind.KEY,              (HASH,),                  False),
    ("the key for the artifact",    DenialKind.KEY_FOR_ARTIFACT, (CHAIN[0], IMAGE.digest), True),
    ("the root for the artifact",   DenialKind.KEY_FOR_ARTIFACT, (CHAIN[2], IMAGE.digest), True),
    ("the key for another one",     DenialKind.KEY_FOR_ARTIFACT, (CHAIN[0], DIGEST),       False),
    ("another key for it",          DenialKind.KEY_FOR_ARTIFACT, (HASH, IMAGE.digest),     False),
    ("the artifact",                DenialKind.ARTIFACT,         (IMAGE.digest,),          True),
    ("another artifact",            DenialKind.ARTIFACT,         (DIGEST,),                False),
    ("another signature",           DenialKind.SIGNATURE,        (CHAIN[0], HASH),         False),
)
# fmt: on


def judged(kind: DenialKind, target: tuple[str, ...], level: str) -> Any:
    store = MemoryStore()
    subject = artifact(store)
    sign(store, subject, PAIR)
    anchors = CertificateAnchors((parse_certificate(PAIR.leaf),))
    denials = DenialList([Denial(kind, target, "stolen", SINCE)])
    trust = Trust("test", LEVELS[level], anchors, denials=denials)
    return evaluate(store, subject, trust, revocation=WithoutNetwork(), now=NOW)


@pytest.mark.parametrize("level", ["strict", "permissive", "audit"])
@pytest.mark.parametrize(
    ("kind", "target", "denied"), [row[1:] for row in TARGETS], ids=[r[0] for r in TARGETS]
)
def test_a_denial_goes_before_every_level(
    kind: DenialKind, target: tuple[str, ...], denied: bool, level: str
) -> None:
    verdict = judged(kind, target, level)
    assert verdict.verdict is (Verdict.NOT_TRUSTED if denied else Verdict.TRUSTED)
    assert ("stolen" in verdict.reason) == denied
    assert verdict.denied == (denied and kind is DenialKind.ARTIFACT)


def test_at_level_skip_an_artifact_that_is_denied_is_not_passed() -> None:
    assert judged(DenialKind.ARTIFACT, (IMAGE.digest,), "skip").verdict is Verdict.NOT_TRUSTED
    assert judged(DenialKind.ARTIFACT, (DIGEST,), "skip").verdict is Verdict.NOT_CHECKED


def test_nothing_else_is_asked_of_a_signature_that_is_denied() -> None:
    (signature,) = judged(DenialKind.KEY, (CHAIN[0],), "strict").signatures
    first, *rest = signature.judgement.findings
    assert (first.validation, first.outcome) == (Validation.DENIAL, Outcome.FAILED)
    assert {finding.outcome for finding in rest} == {Outcome.NOT_ASKED}


def test_a_good_signature_beside_a_denied_one_counts() -> None:
    store = MemoryStore()
    subject = artifact(store)
    other = MIDDLE.issue("new", key="EC-256")
    for pair in (PAIR, other):
        sign(store, subject, pair)
    anchors = CertificateAnchors((parse_certificate(PAIR.root),))
    trust = Trust(
        "test",
        LEVELS["strict"],
        anchors,
        denials=DenialList([Denial(DenialKind.KEY, (CHAIN[0],), "x", SINCE)]),
    )
    verdict = evaluate(store, subject, trust, revocation=WithoutNetwork(), now=NOW, stop_at_first=False)
    assert verdict.verdict is Verdict.TRUSTED
    assert sorted(s.verdict.value for s in verdict.signatures) == ["notTrusted", "trusted"]
