"""Verdicts as text for people and as JSON for programs (schema `nv2.verify/v1`)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nv2.trust.level import Level
from nv2.trust.verdict import ArtifactVerdict, Finding, SignatureFacts, SignatureVerdict


def verdict_lines(verdict: ArtifactVerdict) -> Iterator[str]:
    """Why: a line per signature with the finding that decided, then what could not be used."""
    for signature in verdict.signatures:
        signer = f" by {signature.facts.signer}" if signature.facts else ""
        yield f"{signature.manifest.digest}{signer}: {_why(signature)}"
    yield from verdict.problems


def verdict_hint(verdict: ArtifactVerdict) -> str | None:
    """The advice of the first finding that decided against a signature and has any."""
    decisive = (signature.judgement.decisive for signature in verdict.signatures)
    return next((finding.hint for finding in decisive if finding and finding.hint), None)


def _why(signature: SignatureVerdict) -> str:
    finding = signature.judgement.decisive
    if finding is None:
        return signature.verdict.value
    return f"{finding.validation.value} {finding.outcome.value}: {finding.reason}"


def verdict_document(verdict: ArtifactVerdict) -> dict[str, Any]:
    """The verdict of one artifact, with every signature that was looked at and every finding."""
    return {
        "artifact": verdict.subject.to_json() if verdict.subject else None,
        "verdict": verdict.verdict.value,
        "reason": verdict.reason,
        "level": verdict.level.name,
        "statement": verdict.statement,
        "signatures": [_signature(signature, verdict.level) for signature in verdict.signatures],
        "problems": list(verdict.problems),
    }


def _signature(signature: SignatureVerdict, level: Level) -> dict[str, Any]:
    return {
        "digest": signature.manifest.digest,
        "verdict": signature.verdict.value,
        "facts": _facts(signature.facts) if signature.facts else None,
        "findings": [_finding(finding, level) for finding in signature.judgement.findings],
    }


def _facts(facts: SignatureFacts) -> dict[str, Any]:
    return {
        "signer": facts.signer,
        "thumbprint": facts.thumbprint,
        "algorithm": facts.algorithm,
        "envelopeType": facts.media_type,
        "signingScheme": facts.signing_scheme,
        "signingTime": facts.signing_time,
        "expiry": facts.expiry,
        "userMetadata": dict(facts.user_metadata),
    }


def _finding(finding: Finding, level: Level) -> dict[str, Any]:
    found = {
        "validation": finding.validation.value,
        "outcome": finding.outcome.value,
        "action": level.action(finding.validation).value,
        "reason": finding.reason,
    }
    return {**found, "hint": finding.hint} if finding.hint else found
