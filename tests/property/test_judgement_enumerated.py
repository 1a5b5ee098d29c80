"""The judgement is finite: every outcome × every level and override × the artifact rule, against the oracle.

`oracle` was written from the specification's prose by somebody who had not seen the code.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from nv2.errors import PolicyError
from nv2.trust.level import LEVELS, Level, Validation, custom_level
from nv2.trust.verdict import ON_DEMAND, Finding, Outcome, Verdict, conclude, judge
from tests.property import oracle

ASKED = [validation for validation in Validation if validation not in ON_DEMAND]


def _actions(level: Level) -> dict[str, str]:
    return {validation.value: level.action(validation).value for validation in Validation}


def test_every_level_and_override_acts_as_the_specification_says() -> None:
    combinations = list(oracle.every_level())
    assert len(combinations) == 325
    for name, override in combinations:
        assert _actions(custom_level(name, override, "here")) == oracle.actions(name, override), (
            name,
            override,
        )


def test_every_forbidden_override_is_refused() -> None:
    for name, override in oracle.every_forbidden_override():
        assert oracle.actions(name, override) is None
        with pytest.raises(PolicyError):
            custom_level(name, override, "here")


def _distinct_levels() -> Iterator[Level]:
    seen: set[tuple[tuple[str, str], ...]] = set()
    for name, override in oracle.every_level():
        level = custom_level(name, override, "here")
        acts = tuple(_actions(level).items())
        if acts not in seen:
            seen.add(acts)
            yield level


@pytest.mark.parametrize("demanded", [None, *Outcome], ids=lambda item: item.value if item else "no metadata")
def test_every_outcome_of_every_validation_is_judged_as_the_specification_says(
    demanded: Outcome | None,
) -> None:
    levels = list(_distinct_levels())
    assert len(levels) == 25
    for outcomes in itertools.product(Outcome, repeat=len(ASKED)):
        found = dict(zip(ASKED, outcomes, strict=True))
        if demanded is not None:
            found[Validation.USER_METADATA] = demanded
        words = {validation.value: outcome.value for validation, outcome in found.items()}
        findings = [Finding(validation, outcome) for validation, outcome in found.items()]
        for level in levels:
            judgement = judge(findings, level)
            acts = _actions(level)
            assert judgement.verdict.value == oracle.signature_verdict(words, acts), (words, acts)
            if not level.skips:
                warned = tuple(finding.validation.value for finding in judgement.warnings)
                assert warned == oracle.warnings(words, acts), (words, acts)


@pytest.mark.parametrize("denied", Outcome, ids=lambda item: item.value)
def test_a_denial_is_judged_before_everything_at_every_level(denied: Outcome) -> None:
    for level in _distinct_levels():
        for rest in Outcome:
            found = {Validation.DENIAL: denied, **dict.fromkeys(ASKED, rest)}
            words = {validation.value: outcome.value for validation, outcome in found.items()}
            judgement = judge([Finding(validation, outcome) for validation, outcome in found.items()], level)
            assert judgement.verdict.value == oracle.signature_verdict(words, _actions(level)), (words, level)
            if denied is Outcome.FAILED and not level.skips:
                assert judgement.verdict is Verdict.NOT_TRUSTED
                assert {finding.outcome for finding in judgement.findings[1:]} == {Outcome.NOT_ASKED}


def test_every_few_verdicts_are_concluded_as_the_rule_says() -> None:
    looked_at = [verdict for verdict in Verdict if verdict is not Verdict.NOT_CHECKED]
    for count, complete in itertools.product(range(5), (True, False)):
        for verdicts in itertools.product(looked_at, repeat=count):
            words = [verdict.value for verdict in verdicts]
            concluded = conclude(verdicts, complete=complete).value
            assert concluded == oracle.artifact_verdict(words, complete), (words, complete)


def test_the_four_levels_are_those_of_the_specification() -> None:
    assert set(LEVELS) == {name for name, override in oracle.every_level() if not override}
