"""Findings, and what they come to: the verdict of a signature, and of an artifact.

*Passed > unknown > failed*: a worse finding never improves a verdict, and what could not run never passes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import Enum
from typing import Any, NamedTuple

from nv2.oci.descriptor import Descriptor
from nv2.trust.level import Action, Level, Validation


class Outcome(Enum):
    """How one validation came out."""

    PASSED = "passed"
    FAILED = "failed"
    UNKNOWN = "unknown"
    """It could not be decided: something needed was missing, unreachable or unreadable."""
    NOT_ASKED = "notAsked"
    """The level skips it, or an earlier enforced failure made it pointless."""


class Finding(NamedTuple):
    """The outcome of one validation, with its reason and advice.

    Both are one line for people, empty if there is nothing to say.
    """

    validation: Validation
    outcome: Outcome
    reason: str = ""
    hint: str = ""

    def to_json(self, level: Level) -> dict[str, Any]:
        """The JSON object, with what `level` does about it; without advice if there is none."""
        found = {
            "validation": self.validation.value,
            "outcome": self.outcome.value,
            "action": level.action(self.validation).value,
            "reason": self.reason,
        }
        return {**found, "hint": self.hint} if self.hint else found


class Verdict(Enum):
    """What findings, or verdicts, come to."""

    TRUSTED = "trusted"
    NOT_TRUSTED = "notTrusted"
    UNDECIDED = "undecided"
    NOT_CHECKED = "notChecked"
    """The level is skip: nobody looked."""


USABLE = (Verdict.TRUSTED, Verdict.NOT_CHECKED)
"""Verdicts of an artifact that may be used: the policy says so."""


class Judgement(NamedTuple):
    """The verdict of one signature, the findings it rests on, and those that only warn."""

    verdict: Verdict
    findings: tuple[Finding, ...]
    warnings: tuple[Finding, ...]
    decisive: Finding | None = None
    """Why the signature is not trusted: the enforced failure, else the first enforced unknown."""


class SignatureVerdict(NamedTuple):
    """One signature that was looked at."""

    manifest: Descriptor
    judgement: Judgement
    facts: SignatureFacts | None
    """What the envelope says, once its integrity is proven; None before."""

    @property
    def verdict(self) -> Verdict:
        """The verdict of the judgement."""
        return self.judgement.verdict

    @property
    def reason(self) -> str:
        """Why it is not trusted, in one line; empty if it is."""
        decisive = self.judgement.decisive
        return f"{decisive.validation.value}: {decisive.reason}" if decisive else ""

    def to_json(self, level: Level) -> dict[str, Any]:
        """The JSON object, with what `level` does about each finding."""
        return {
            "digest": self.manifest.digest,
            "verdict": self.verdict.value,
            "facts": self.facts.to_json() if self.facts else None,
            "findings": [finding.to_json(level) for finding in self.judgement.findings],
        }


class SignatureFacts(NamedTuple):
    """What a signature of proven integrity says about itself; times are RFC 3339 in UTC."""

    signer: str
    """Subject of the signing certificate."""
    thumbprint: str
    """Lower-hex SHA-256 of the signing certificate."""
    algorithm: str
    media_type: str
    signing_scheme: str
    signing_time: str
    expiry: str | None
    user_metadata: tuple[tuple[str, str], ...]

    def to_json(self) -> dict[str, Any]:
        """The JSON object."""
        return {
            "signer": self.signer,
            "thumbprint": self.thumbprint,
            "algorithm": self.algorithm,
            "envelopeType": self.media_type,
            "signingScheme": self.signing_scheme,
            "signingTime": self.signing_time,
            "expiry": self.expiry,
            "userMetadata": dict(self.user_metadata),
        }


class ArtifactVerdict(NamedTuple):
    """The verdict of an artifact, the level that was applied, and every signature that was looked at."""

    verdict: Verdict
    level: Level
    statement: str
    """Name of the trust-policy statement, or how the trust was named (`-k FILE`)."""
    subject: Descriptor | None
    """None only at level skip, where nobody looks at the artifact's signatures."""
    signatures: tuple[SignatureVerdict, ...] = ()
    problems: tuple[str, ...] = ()
    """What could not be used on the way: junk referrers, listings cut short. One line each."""
    reason: str = ""
    """Why, in one line, when it is not trusted or undecided."""
    denied: bool = False
    """Whether this machine denies the artifact itself: then nobody looked at its signatures."""

    @property
    def trusted_by(self) -> SignatureVerdict | None:
        """The first signature that is trusted."""
        return next((s for s in self.signatures if s.verdict is Verdict.TRUSTED), None)

    def to_json(self) -> dict[str, Any]:
        """The JSON object that `nv2 verify --output json` shows, save for the reference."""
        return {
            "artifact": self.subject.to_json() if self.subject else None,
            "verdict": self.verdict.value,
            "reason": self.reason,
            "level": self.level.name,
            "statement": self.statement,
            "signatures": [signature.to_json(self.level) for signature in self.signatures],
            "problems": list(self.problems),
            "denied": self.denied,
        }


ON_DEMAND = (Validation.DENIAL, Validation.USER_METADATA)
"""Asked only where there is a list of denials, and where the caller demands user metadata."""

REQUIRED = tuple(v for v in Validation if v not in ON_DEMAND)
"""Every judgement needs a finding of each of these."""


def judge(findings: Iterable[Finding], level: Level) -> Judgement:
    """Consume `findings` in order and stop at the first enforced failure.

    An enforced *unknown* makes the verdict undecided; a later enforced failure still makes it not trusted.
    Findings that are logged become warnings. *Not asked* is fine only where the level skips; anywhere else,
    like a finding that never came, it counts as unknown. The iterable is not advanced beyond what is
    needed, so that nobody asks the network about a signature that has failed already; what was left out
    that way is *not asked*. At level skip nothing is consumed, and nothing is a yes.
    """
    seen: list[Finding] = []
    warnings: list[Finding] = []
    doubt: Finding | None = None
    if level.skips:
        return Judgement(Verdict.NOT_CHECKED, (), ())
    for finding in _completed(findings):
        seen.append(finding)
        action = level.action(finding.validation)
        if finding.outcome is Outcome.PASSED or action is Action.SKIP:
            continue
        if action is Action.LOG:
            warnings.append(finding)
        elif finding.outcome is Outcome.FAILED:
            rest = _left_out(seen, finding.validation)
            return Judgement(Verdict.NOT_TRUSTED, (*seen, *rest), tuple(warnings), finding)
        else:
            doubt = doubt or finding
    verdict = Verdict.UNDECIDED if doubt else Verdict.TRUSTED
    return Judgement(verdict, tuple(seen), tuple(warnings), doubt)


def _completed(findings: Iterable[Finding]) -> Iterator[Finding]:
    missing = list(REQUIRED)
    for finding in findings:
        if finding.validation in missing:
            missing.remove(finding.validation)
        yield finding
    for validation in missing:
        yield Finding(validation, Outcome.UNKNOWN, "was not examined")


def _left_out(seen: list[Finding], failed: Validation) -> Iterator[Finding]:
    examined = {finding.validation for finding in seen}
    for validation in REQUIRED:
        if validation not in examined:
            yield Finding(validation, Outcome.NOT_ASKED, f"{failed.value} has failed already")


Rule = Callable[[Sequence[Verdict]], Verdict]
"""What verdicts of signatures come to for the artifact."""


def any_one(verdicts: Sequence[Verdict]) -> Verdict:
    """The default rule: one trusted signature suffices; else an undecided one leaves it undecided."""
    for verdict in (Verdict.TRUSTED, Verdict.UNDECIDED):
        if verdict in verdicts:
            return verdict
    return Verdict.NOT_TRUSTED


def conclude(verdicts: Sequence[Verdict], rule: Rule = any_one, *, complete: bool = True) -> Verdict:
    """The verdict of an artifact under `rule`.

    Where not every signature could be looked at (`complete` is false), a no is only undecided.
    """
    verdict = rule(verdicts)
    if verdict is Verdict.NOT_TRUSTED and not complete:
        return Verdict.UNDECIDED
    return verdict
