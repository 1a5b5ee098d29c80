from __future__ import annotations

from collections.abc import Iterator

import pytest

from nv2.trust.level import LEVELS, Validation, custom_level
from nv2.trust.verdict import REQUIRED, Finding, Outcome, Verdict, conclude, judge

PASSED, FAILED, UNKNOWN, NOT_ASKED = Outcome.PASSED, Outcome.FAILED, Outcome.UNKNOWN, Outcome.NOT_ASKED
STRICT, AUDIT = LEVELS["strict"], LEVELS["audit"]


def all_passed(**changed: Outcome) -> list[Finding]:
    return [Finding(v, changed.get(v.name.lower(), PASSED), v.value) for v in REQUIRED]


def test_all_passed_is_trusted() -> None:
    assert judge(all_passed(), STRICT).verdict is Verdict.TRUSTED


def test_an_enforced_failure_is_not_trusted_and_says_why() -> None:
    judgement = judge(all_passed(expiry=FAILED), STRICT)
    assert judgement.verdict is Verdict.NOT_TRUSTED
    assert judgement.decisive == Finding(Validation.EXPIRY, FAILED, "expiry")


def test_an_enforced_unknown_is_undecided_and_says_why() -> None:
    judgement = judge(all_passed(revocation=UNKNOWN), STRICT)
    assert judgement.verdict is Verdict.UNDECIDED
    assert judgement.decisive == Finding(Validation.REVOCATION, UNKNOWN, "revocation")


def test_a_failure_after_an_unknown_decides() -> None:
    judgement = judge(all_passed(authenticity=UNKNOWN, expiry=FAILED), STRICT)
    assert judgement.verdict is Verdict.NOT_TRUSTED
    assert judgement.decisive is not None
    assert judgement.decisive.validation is Validation.EXPIRY


@pytest.mark.parametrize("outcome", [FAILED, UNKNOWN, NOT_ASKED])
def test_what_is_only_logged_becomes_a_warning(outcome: Outcome) -> None:
    judgement = judge(all_passed(revocation=outcome), AUDIT)
    assert judgement.verdict is Verdict.TRUSTED
    assert [warning.validation for warning in judgement.warnings] == [Validation.REVOCATION]
    assert judgement.decisive is None


def test_not_asked_is_fine_where_the_level_skips() -> None:
    level = custom_level("strict", {"revocation": "skip"}, "")
    assert judge(all_passed(revocation=NOT_ASKED), level).verdict is Verdict.TRUSTED


def test_not_asked_is_not_fine_where_the_level_enforces() -> None:
    assert judge(all_passed(revocation=NOT_ASKED), STRICT).verdict is Verdict.UNDECIDED


@pytest.mark.parametrize("left_out", REQUIRED)
def test_a_finding_that_never_came_is_unknown(left_out: Validation) -> None:
    judgement = judge([f for f in all_passed() if f.validation is not left_out], STRICT)
    assert judgement.verdict is Verdict.UNDECIDED
    assert Finding(left_out, UNKNOWN, "was not examined") in judgement.findings


def test_nobody_is_asked_after_an_enforced_failure() -> None:
    def findings() -> Iterator[Finding]:
        yield Finding(Validation.INTEGRITY, FAILED)
        raise AssertionError("asked for more")

    judgement = judge(findings(), STRICT)
    assert [finding.outcome for finding in judgement.findings] == [FAILED, *[NOT_ASKED] * 4]


def test_somebody_is_asked_after_a_failure_that_is_only_logged() -> None:
    judgement = judge(all_passed(authenticity=FAILED, revocation=FAILED), AUDIT)
    assert [w.validation for w in judgement.warnings] == [Validation.AUTHENTICITY, Validation.REVOCATION]


def test_level_skip_asks_nothing_and_is_no_yes() -> None:
    def findings() -> Iterator[Finding]:
        raise AssertionError("asked")
        yield

    assert judge(findings(), LEVELS["skip"]).verdict is Verdict.NOT_CHECKED


def test_user_metadata_that_was_demanded_is_enforced_at_audit_too() -> None:
    findings = [*all_passed(), Finding(Validation.USER_METADATA, FAILED)]
    assert judge(findings, AUDIT).verdict is Verdict.NOT_TRUSTED


T, N, U = Verdict.TRUSTED, Verdict.NOT_TRUSTED, Verdict.UNDECIDED


@pytest.mark.parametrize(
    ("verdicts", "complete", "expected"),
    [
        ([], True, N),
        ([], False, U),
        ([N], True, N),
        ([N], False, U),
        ([N, U], True, U),
        ([N, U, T], True, T),
        ([T, N], False, T),
    ],
)
def test_an_artifact_is_what_its_signatures_come_to(
    verdicts: list[Verdict], complete: bool, expected: Verdict
) -> None:
    assert conclude(verdicts, complete=complete) is expected


def test_the_rule_is_a_value() -> None:
    def both(verdicts: object) -> Verdict:
        return T if verdicts == [T, T] else N

    assert conclude([T, T], both) is T
    assert conclude([T, N], both) is N
