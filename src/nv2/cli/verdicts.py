"""Verdicts as text for people."""

from __future__ import annotations

from collections.abc import Iterator

from nv2.trust.verdict import ArtifactVerdict, SignatureVerdict


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
