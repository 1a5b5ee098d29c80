"""Is this artifact trusted? Findings of one signature, and the verdict of the artifact.

trust-store-trust-policy, "Signature Verification"; signing-and-verification-workflow, "Verification
Steps". The findings come from a generator in the order of the specification, and the judgement takes
no more of them than it needs, so nobody asks the network about a signature that has failed already.
What this module does not do: choose a policy, resolve a reference, or ask for the time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from nv2.content.interface import Source
from nv2.discovery import Discovery, discover
from nv2.envelope.envelope import Scheme
from nv2.errors import (
    ArtifactError,
    ConfigurationError,
    EnvironmentFailure,
    Nv2Error,
    UsageError,
)
from nv2.oci.descriptor import Descriptor
from nv2.oci.digest import Digest, digest_of
from nv2.opening import FoundSignature, Problem, open_signatures
from nv2.plain_text import one_line
from nv2.revocation import RevocationChecker, WithoutNetwork
from nv2.trust import validations
from nv2.trust.anchors import Anchors
from nv2.trust.level import Action, Level, Validation
from nv2.trust.policy import Statement
from nv2.trust.trust import MAX_SIGNATURES, NO_METADATA, Trust
from nv2.trust.validations import Proven
from nv2.trust.verdict import (
    ArtifactVerdict,
    Finding,
    Outcome,
    SignatureVerdict,
    Verdict,
    conclude,
    judge,
)

if TYPE_CHECKING:
    from nv2.pki.chain import Chain
    from nv2.plugin_verification import Assessment
    from nv2.programs.plugins.interface import FindPlugin


def not_checked(statement: Statement) -> ArtifactVerdict:
    """The verdict where the level of `statement` is skip: nobody looked at any signature."""
    return ArtifactVerdict(Verdict.NOT_CHECKED, statement.level, statement.name, None)


def foregone(trust: Trust, subject: Descriptor) -> ArtifactVerdict | None:
    """The verdict of `subject` where no signature could change it: it is denied, or the level is skip."""
    denied = trust.denials.of_artifact(subject.digest) if trust.denials is not None else None
    if denied is not None:
        return ArtifactVerdict(
            Verdict.NOT_TRUSTED, trust.level, trust.name, subject, reason=denied, denied=True
        )
    if trust.level.skips:
        return ArtifactVerdict(Verdict.NOT_CHECKED, trust.level, trust.name, subject)
    return None


class Question(NamedTuple):
    """What every signature of an artifact is asked."""

    subject: Descriptor
    trust: Trust
    revocation: RevocationChecker
    now: datetime
    """Aware; the same for all signatures."""
    user_metadata: Mapping[str, str] = NO_METADATA
    """What the signature must say, beside the artifact."""
    find_plugin: FindPlugin | None = None
    """Who finds verification plugins; None: there are none, and a signature that demands one is undecided."""


def findings(proven: Proven, anchorage: Finding, question: Question) -> Iterator[Finding]:
    """The findings about a signature of proven integrity, in the order of the specification.

    `anchorage` is whether its chain ends in a trusted anchor (`validations.anchored`).
    """
    trust, now = question.trust, question.now
    if trust.denials is not None:
        yield trust.denials.finding(proven.content.envelope, proven.chain, question.subject.digest)
    assessed = _assessed(proven, anchorage, question) if proven.plugin is not None else None
    yield assessed.integrity if assessed else validations.integrity()
    authenticity = (
        assessed.authenticity if assessed else validations.authenticity(anchorage, proven, trust.identities)
    )
    yield authenticity
    yield validations.expiry(proven, now)
    by_plugin = assessed.revocation if assessed else None
    signer = _SignerRevocation(proven.chain, authenticity, question, is_known=by_plugin is not None)
    timestamp, signed_by = _timestamp(proven, question, signer)
    yield timestamp
    by_authority = proven.scheme is Scheme.SIGNING_AUTHORITY
    signed_at = proven.content.envelope.attributes.signing_time if by_authority else signed_by
    yield by_plugin or signer.finding(signed_at)
    if question.user_metadata:
        yield validations.user_metadata(proven, question.user_metadata)


def _assessed(proven: Proven, anchorage: Finding, question: Question) -> Assessment:
    from nv2.plugin_verification import assess  # few signatures demand a plugin

    return assess(proven, anchorage, question.trust, question.find_plugin)


def _timestamp(
    proven: Proven, question: Question, signer: _SignerRevocation
) -> tuple[Finding, datetime | None]:
    """The finding, and the instant by which the signature was made, if a timestamp proves one."""
    trust = question.trust
    anchorable = trust.anchors.serves_timestamps
    finding = validations.authentic_timestamp(proven, trust.timestamp, question.now, anchorable=anchorable)
    if finding is not None:
        return finding, None
    from nv2.timestamping import verify_timestamp  # few signatures have one

    def revocation(chain: Chain, signed_by: datetime) -> Finding:
        """Of the authority, which counts as revoked if its key is denied."""
        denied = trust.denials.of_chain(chain) if trust.denials is not None else None
        if denied is not None:
            return Finding(Validation.REVOCATION, Outcome.FAILED, denied)
        signer.begin(signed_by)  # both chains are asked about at once
        return question.revocation.check(chain, question.now, None)

    return verify_timestamp(proven, trust.anchors.timestamp_roots, revocation)


class _SignerRevocation(NamedTuple):
    """The revocation of the chain of a signature."""

    chain: Chain
    authenticity: Finding
    question: Question
    is_known: bool
    """Whether somebody else has told."""

    @property
    def _is_skipped(self) -> bool:
        return self.question.trust.level.action(Validation.REVOCATION) is Action.SKIP

    def begin(self, signed_at: datetime) -> None:
        """Begin to ask what `finding` will want to know of a signature made by `signed_at`."""
        if not self.is_known and not self._is_skipped:
            self._checker().begin(self.chain, self.question.now, signed_at)

    def finding(self, signed_at: datetime | None) -> Finding:
        """About the chain of a signature made by `signed_at`, if that is authentic; not asked where the level skips it."""
        if self._is_skipped:
            return Finding(Validation.REVOCATION, Outcome.NOT_ASKED, "the level skips it")
        return self._checker().check(self.chain, self.question.now, signed_at)

    def _checker(self) -> RevocationChecker:
        # Addresses in a chain that nobody trusts are an attacker's: asking them would tell him who verifies.
        # Such a chain gets as far as this only where the level logs authenticity.
        passed = self.authenticity.outcome is Outcome.PASSED
        return self.question.revocation if passed else WithoutNetwork()


class Examined(NamedTuple):
    """A signature that was looked at, and what it counts as in the budget."""

    verdict: SignatureVerdict
    anchored: Proven | None
    """What was proven, if the chain ends in a trusted anchor."""

    def of(self, manifest: Descriptor) -> Examined:
        """The same of another manifest that names the same envelope."""
        return self._replace(verdict=self.verdict._replace(manifest=manifest))

    @property
    def counts_as(self) -> tuple[str, Digest] | None:
        """Signer and signed content, if the chain ends in a trusted anchor."""
        if self.anchored is None:
            return None
        return self.anchored.chain.leaf.thumbprint, digest_of(self.anchored.content.envelope.signed_bytes)


def examine(found: FoundSignature | Problem, question: Question) -> Examined:
    """Judge one signature, or why it could not be read."""
    level = question.trust.level
    if isinstance(found, Problem):
        return unreadable(found.manifest, found.error, level)
    try:
        proven = validations.prove(found.envelope.media_type, found.data, question.subject)
    except ArtifactError as e:
        return unreadable(found.manifest, e, level)
    return examine_proven(found.manifest, proven, question)


def examine_proven(manifest: Descriptor, proven: Proven, question: Question) -> Examined:
    """Judge a signature that was proven to be one of the artifact in question."""
    level = question.trust.level
    anchorage = validations.anchored(proven, question.trust.anchors)
    judgement = judge(findings(proven, anchorage, question), level)
    verdict = SignatureVerdict(manifest, judgement, validations.facts(proven))
    return Examined(verdict, proven if anchorage.outcome is Outcome.PASSED else None)


def unreadable(manifest: Descriptor, error: Nv2Error, level: Level) -> Examined:
    """The verdict of a signature that could not be opened.

    Bytes at fault will never do; whatever else went wrong leaves it open.
    """
    outcome = Outcome.FAILED if isinstance(error, ArtifactError) else Outcome.UNKNOWN
    finding = Finding(Validation.INTEGRITY, outcome, one_line(str(error)), error.hint or "")
    return Examined(SignatureVerdict(manifest, judge([finding], level), None), None)


def evaluate(
    source: Source,
    subject: Descriptor,
    trust: Trust,
    *,
    revocation: RevocationChecker,
    now: datetime,
    max_signatures: int = MAX_SIGNATURES,
    user_metadata: Mapping[str, str] = NO_METADATA,
    find_plugin: FindPlugin | None = None,
    stop_at_first: bool = True,
) -> ArtifactVerdict:
    """The verdict of the artifact `subject`, whose signatures are in `source`.

    One trusted signature suffices, and with `stop_at_first` no more are looked at after it. At most
    `max_signatures` different ones whose chain ends in a trusted anchor are judged; copies of one count
    once, others not at all, so that junk cannot use the budget up. A budget used up without a yes is
    undecided. Raises what `discover` raises if the listing itself cannot be had, and `UsageError` for a
    budget below one.
    """
    if max_signatures < 1:
        raise UsageError(f"at least one signature must be looked at, not {max_signatures}")
    if (verdict := foregone(trust, subject)) is not None:
        return verdict
    question = Question(subject, trust, revocation, now, user_metadata, find_plugin)
    found = discover(source, subject, _preferred(trust.anchors))
    signatures = _examine_all(source, found, question, max_signatures, stop_at_first)
    complete = found.complete and len(signatures) == len(found.signatures)
    came_to = conclude([signature.verdict for signature in signatures], complete=complete)
    reason = "" if came_to is Verdict.TRUSTED else _reason(found, signatures)
    return ArtifactVerdict(came_to, trust.level, trust.name, subject, signatures, found.problems, reason)


def _preferred(anchors: Anchors) -> frozenset[str]:
    try:
        return anchors.thumbprints()
    except (ConfigurationError, EnvironmentFailure):
        # Only the order of the work is lost here; the finding about authenticity will say what is wrong.
        return frozenset()


def _examine_all(
    source: Source, found: Discovery, question: Question, budget: int, stop_at_first: bool
) -> tuple[SignatureVerdict, ...]:
    seen: list[SignatureVerdict] = []
    counted: set[tuple[str, Digest]] = set()
    last: tuple[Descriptor, Examined] | None = None
    items = open_signatures(source, question.subject, found.signatures, found.manifests, found.preferred)
    for item in items:
        if last and isinstance(item, FoundSignature) and item.envelope == last[0]:
            examined = last[1].of(item.manifest)  # a copy: large ones come one after the other
        else:
            examined = examine(item, question)
        last = (item.envelope, examined) if isinstance(item, FoundSignature) else None
        seen.append(examined.verdict)
        if stop_at_first and examined.verdict.verdict is Verdict.TRUSTED:
            break
        if (counts_as := examined.counts_as) is not None:
            counted.add(counts_as)
        if len(counted) >= budget:
            break
    return tuple(seen)


def _reason(found: Discovery, seen: Sequence[SignatureVerdict]) -> str:
    """Why the artifact is not trusted, in one line."""
    if not found.signatures and found.complete:
        return "no signature is associated with the artifact"
    parts = ["no signature was found"] if not seen else []
    if len(seen) == 1:
        parts += [seen[0].reason] if seen[0].reason else []
    elif seen:
        parts.append(f"none of {len(seen)} signatures is trusted")
        undecided = sum(signature.verdict is Verdict.UNDECIDED for signature in seen)
        parts += [f"{undecided} could not be decided"] if undecided else []
    if rest := len(found.signatures) - len(seen):
        parts.append(f"the budget is used up, and {rest} were not looked at")
    if not found.complete:
        parts.append("not every referrer could be read")
    return ", ".join(parts)
