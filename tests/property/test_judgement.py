"""Laws of judgement: worse is never better, what did not run is no yes, and order does not matter."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nv2.content.memory import MemoryStore
from nv2.errors import ContentMismatch
from nv2.pki.chain import Chain, parse_chain
from nv2.trust.anchors import CertificateAnchors
from nv2.trust.level import LEVELS, OVERRIDES, Action, Level, Validation, custom_level
from nv2.trust.trust import Trust
from nv2.trust.verdict import ON_DEMAND, Finding, Outcome, Verdict, any_one, conclude, judge
from nv2.verification import evaluate
from tests.world.ca import CA
from tests.world.signed import NOW, artifact, attach, put, sealed

RANK = {Verdict.NOT_TRUSTED: 0, Verdict.UNDECIDED: 1, Verdict.TRUSTED: 2}
WORSE = {
    Outcome.PASSED: (Outcome.UNKNOWN, Outcome.NOT_ASKED, Outcome.FAILED),
    Outcome.NOT_ASKED: (Outcome.UNKNOWN, Outcome.FAILED),
    Outcome.UNKNOWN: (Outcome.FAILED,),
    Outcome.FAILED: (),
}
"""*Not asked* stands between, because a level that skips asks for nothing."""


@st.composite
def levels(draw: st.DrawFn) -> Level:
    """Every level that verifies anything, custom ones included."""
    base = draw(st.sampled_from(["strict", "permissive", "audit"]))
    override = draw(
        st.fixed_dictionaries(
            {},
            optional={
                validation.value: st.sampled_from(sorted(action.value for action in actions))
                for validation, actions in OVERRIDES.items()
            },
        )
    )
    return custom_level(base, override, "")


outcomes = st.sampled_from(Outcome)
findings = st.fixed_dictionaries(
    {validation: outcomes for validation in Validation if validation not in ON_DEMAND},
    optional=dict.fromkeys(ON_DEMAND, outcomes),
)
Outcomes = dict[Validation, Outcome]


def verdict_of(found: Outcomes, level: Level) -> Verdict:
    in_order = [Finding(validation, found[validation]) for validation in Validation if validation in found]
    return judge(in_order, level).verdict


@given(found=findings, level=levels(), data=st.data())
def test_worsening_a_finding_never_improves_a_verdict(
    found: Outcomes, level: Level, data: st.DataObject
) -> None:
    validation = data.draw(st.sampled_from(sorted(found, key=lambda v: v.value)))
    for worse in WORSE[found[validation]]:
        before, after = verdict_of(found, level), verdict_of({**found, validation: worse}, level)
        assert RANK[after] <= RANK[before]


@given(found=findings, level=levels())
def test_trusted_means_that_everything_enforced_has_passed(found: Outcomes, level: Level) -> None:
    enforced = [outcome for v, outcome in found.items() if level.action(v) is Action.ENFORCE]
    expected = all(outcome is Outcome.PASSED for outcome in enforced)
    assert (verdict_of(found, level) is Verdict.TRUSTED) == expected


@given(found=findings, level=levels())
def test_not_trusted_means_that_something_enforced_has_failed(found: Outcomes, level: Level) -> None:
    failed = any(o is Outcome.FAILED and level.action(v) is Action.ENFORCE for v, o in found.items())
    assert (verdict_of(found, level) is Verdict.NOT_TRUSTED) == failed


@given(found=findings, level=levels(), data=st.data())
def test_what_never_ran_is_never_a_pass(found: Outcomes, level: Level, data: st.DataObject) -> None:
    enforced = [v for v in LEVELS["strict"].actions if v not in ON_DEMAND]
    validation = data.draw(st.sampled_from(enforced))
    rest = {v: outcome for v, outcome in found.items() if v is not validation}
    if level.action(validation) is Action.ENFORCE:
        assert verdict_of(rest, level) is not Verdict.TRUSTED
    assert RANK[verdict_of(rest, level)] <= RANK[verdict_of({**found, validation: Outcome.PASSED}, level)]


@given(found=findings, level=levels(), data=st.data())
def test_the_order_of_findings_does_not_change_the_verdict(
    found: Outcomes, level: Level, data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations([Finding(v, o) for v, o in found.items()]))
    assert judge(shuffled, level).verdict is verdict_of(found, level)


@given(found=findings)
def test_level_skip_never_says_trusted(found: Outcomes) -> None:
    assert verdict_of(found, LEVELS["skip"]) is Verdict.NOT_CHECKED


verdicts = st.lists(st.sampled_from([Verdict.TRUSTED, Verdict.NOT_TRUSTED, Verdict.UNDECIDED]))


@given(before=verdicts, further=verdicts)
def test_a_further_signature_never_takes_trust_away(before: list[Verdict], further: list[Verdict]) -> None:
    if any_one(before) is Verdict.TRUSTED:
        assert any_one(before + further) is Verdict.TRUSTED
    assert RANK[any_one(before + further)] >= RANK[any_one(before)]


@given(found=verdicts)
def test_what_was_not_looked_at_turns_a_no_into_undecided_and_nothing_else(found: list[Verdict]) -> None:
    whole, part = conclude(found), conclude(found, complete=False)
    assert part is (Verdict.UNDECIDED if whole is Verdict.NOT_TRUSTED else whole)


# --- the artifact, from its referrers ---------------------------------------------------------------------

GOOD = CA("Wabbit").issue("build", key="EC-256")
STRANGER = CA("Stranger").issue("stranger", key="EC-256")
IMAGE = artifact(MemoryStore())
OTHER = artifact(MemoryStore(), "other")
TRUST = Trust("test", LEVELS["strict"], CertificateAnchors((parse_chain(GOOD.chain).root,)))

ENVELOPES = {
    "good": sealed(IMAGE, GOOD),
    "expired": sealed(IMAGE, GOOD, expiry=NOW),
    "stranger": sealed(IMAGE, STRANGER),
    "other artifact": sealed(OTHER, GOOD),
    "junk": b"junk",
    "lost": b"lost",
}


class Passes:
    def check(self, chain: Chain, now: datetime, signed_at: datetime | None) -> Finding:
        return Finding(Validation.REVOCATION, Outcome.PASSED)

    def begin(self, chain: Chain, now: datetime, signed_at: datetime | None) -> None:
        """Nobody is asked."""


def world_of(kinds: Sequence[str]) -> MemoryStore:
    """A store with a signature of each kind, listed in this order."""
    store = MemoryStore()
    artifact(store)
    for kind in kinds:
        listed = attach(store, IMAGE, ENVELOPES[kind])
        if kind == "lost":
            del store.contents[listed.digest]
    return store


def judged(store: MemoryStore) -> Verdict:
    return evaluate(store, IMAGE, TRUST, revocation=Passes(), now=NOW).verdict


kinds = st.lists(st.sampled_from(sorted(ENVELOPES)), unique=True)


@given(listed=kinds, data=st.data())
def test_the_order_of_referrers_does_not_change_the_verdict(listed: list[str], data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(listed))
    assert judged(world_of(shuffled)) is judged(world_of(listed))


@given(listed=kinds, data=st.data())
def test_nor_does_it_where_the_budget_exceeds_the_trusted_by_one(
    listed: list[str], data: st.DataObject
) -> None:
    budget = 1 + len({"good", "expired"} & set(listed))
    expected = judged(world_of(listed))
    shuffled = world_of(data.draw(st.permutations(listed)))
    found = evaluate(
        shuffled, IMAGE, TRUST, revocation=Passes(), now=NOW, max_signatures=budget, stop_at_first=False
    )
    assert found.verdict is expected


@given(listed=kinds)
def test_an_artifact_is_trusted_exactly_if_one_of_its_signatures_is_good(listed: list[str]) -> None:
    verdict = judged(world_of(listed))
    assert (verdict is Verdict.TRUSTED) == ("good" in listed)
    assert (verdict is Verdict.UNDECIDED) == ("lost" in listed and "good" not in listed)


AGENT = re.compile(rb'"io.cncf.notary.signingAgent":"tests",')
SIGNED_PLACES = st.sampled_from(
    [
        at
        for start, end in [m.span() for m in AGENT.finditer(ENVELOPES["good"])]
        for at in range(len(ENVELOPES["good"]))
        if not start <= at < end
    ]
)
"""Every byte but those of the signing agent, which nobody signs and nobody believes."""


@given(at=SIGNED_PLACES, change=st.integers(1, 255))
def test_a_signature_with_a_changed_byte_is_never_trusted(at: int, change: int) -> None:
    envelope = bytearray(ENVELOPES["good"])
    envelope[at] ^= change
    store = MemoryStore()
    attach(store, IMAGE, bytes(envelope))
    assert judged(store) is Verdict.NOT_TRUSTED


ORIGINAL = MemoryStore()
MANIFEST = ORIGINAL.fetch(artifact(ORIGINAL), IMAGE.size)


@given(at=st.integers(0, IMAGE.size - 1), change=st.integers(1, 255))
def test_an_artifact_with_a_changed_byte_is_never_trusted(at: int, change: int) -> None:
    changed = bytearray(MANIFEST)
    changed[at] ^= change
    store = MemoryStore()
    # Somebody may well list the good signature for it; or a registry send it in place of the good one.
    forged = put(store, bytes(changed), IMAGE.media_type)
    attach(store, forged, ENVELOPES["good"])
    attach(store, IMAGE, ENVELOPES["good"], listed_for=forged)
    assert evaluate(store, forged, TRUST, revocation=Passes(), now=NOW).verdict is Verdict.NOT_TRUSTED
    artifact(store)
    store.contents[IMAGE.digest] = bytes(changed)
    with pytest.raises(ContentMismatch):
        store.resolve(IMAGE.digest)
