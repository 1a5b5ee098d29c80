"""What `nv2 verify` says of what it judged: text or JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from nv2.cli import exits
from nv2.cli.command import Call
from nv2.cli.output import Output
from nv2.errors import Nv2Error
from nv2.notary.verification import Evaluated, failure
from nv2.oci.reference import AnyReference
from nv2.trust.verdict import USABLE, ArtifactVerdict, SignatureVerdict, Verdict

Results = Iterable[tuple[AnyReference, "Evaluated | Nv2Error"]]


def report_text(call: Call, results: Results) -> int:
    """Say of each artifact what was found, and return the exit code."""
    return exits.report(call.output, results, lambda _, evaluated: _show(call, evaluated))


def _show(call: Call, evaluated: Evaluated) -> int:
    output, verdict = call.output, evaluated.verdict
    say_warnings(output, verdict)
    if verdict.verdict in USABLE:
        say_trusted(output, evaluated.artifact.shown, verdict)
    else:
        output.error(failure(evaluated))
        for line in _lines(verdict):
            output.detail(line)
        output.hint(advice(verdict))
    return exits.verdict_code(verdict.verdict)


def say_warnings(output: Output, verdict: ArtifactVerdict) -> None:
    """What failed, and was not enforced, of the signature that made the artifact trusted."""
    for finding in verdict.trusted_by.judgement.warnings if verdict.trusted_by else ():
        output.warn(f'{finding.validation.value} was set to "log" and failed with error: {finding.reason}')


def say_trusted(output: Output, shown: str, verdict: ArtifactVerdict) -> None:
    """That what is called `shown` may be used, and with which user metadata it was signed."""
    if output.warned:
        output.line()
        output.warned = False
    trusted_by = verdict.trusted_by
    if trusted_by is None:
        output.line(f"Trust policy is configured to skip signature verification for {shown}")
        return
    output.line(f"Successfully verified signature for {shown}")
    metadata = trusted_by.facts.user_metadata if trusted_by.facts else ()
    if metadata:
        output.lines(("", "The artifact was signed with the following user metadata.", ""))
        output.table(("KEY", "VALUE"), metadata)


def report_json(call: Call, results: Results, schema: str | None) -> int:
    """The same as one JSON document."""
    documents, code = documents_of(call, results)
    call.output.json({"schema": schema, "results": documents})
    return code


def documents_of(call: Call, results: Results) -> tuple[list[dict[str, Any]], int]:
    """What the document says of each artifact, and the exit code. Errors are said on standard error as well."""
    documents: list[dict[str, Any]] = []

    def judged(reference: AnyReference, evaluated: Evaluated) -> int:
        documents.append({"reference": str(reference), **_document(evaluated)})
        return exits.verdict_code(evaluated.verdict.verdict)

    def failed(reference: AnyReference, error: Nv2Error) -> None:
        call.output.error(error)
        documents.append({**exits.failure_document(reference, error), "verdict": Verdict.UNDECIDED.value})

    return documents, exits.report(call.output, results, judged, failed)


def _document(evaluated: Evaluated) -> dict[str, Any]:
    return {"resolved": evaluated.artifact.shown, **evaluated.verdict.to_json()}


def _lines(verdict: ArtifactVerdict) -> Iterator[str]:
    """Why: a line per signature with the finding that decided, then what could not be used."""
    for signature in verdict.signatures:
        signer = f" by {signature.facts.signer}" if signature.facts else ""
        yield f"{signature.manifest.digest}{signer}: {_why(signature)}"
    yield from verdict.problems


def advice(verdict: ArtifactVerdict) -> str | None:
    """The advice of the first finding that decided against a signature and has any."""
    decisive = (signature.judgement.decisive for signature in verdict.signatures)
    return next((finding.hint for finding in decisive if finding and finding.hint), None)


def _why(signature: SignatureVerdict) -> str:
    finding = signature.judgement.decisive
    if finding is None:
        return signature.verdict.value
    return f"{finding.validation.value} {finding.outcome.value}: {finding.reason}"
