"""`nv2 verify`: decide whether artifacts may be used."""

from __future__ import annotations

from typing import Any

from nv2.cli import exits, options
from nv2.cli.command import DEBUG, OUTPUT, VERBOSE, Call, Command, Flag, Kind, wants_json
from nv2.cli.verdicts import verdict_hint, verdict_lines
from nv2.errors import Nv2Error, UsageError
from nv2.notary.session import Session
from nv2.notary.trust import TrustChoice, trust_by_policy, trust_in_file
from nv2.notary.verification import Evaluated, evaluate_reference, failure
from nv2.oci.reference import AnyReference
from nv2.trust.verdict import Verdict

_CODES = {
    Verdict.TRUSTED: exits.DONE,
    Verdict.NOT_CHECKED: exits.DONE,
    Verdict.NOT_TRUSTED: exits.NOT_TRUSTED,
    Verdict.UNDECIDED: exits.FAILED,
}


def run(call: Call) -> int:
    """Judge every reference; the exit code is the worst of them."""
    as_json = wants_json(call)
    wanted = options.references(call)
    budget = options.check_max_signatures(call)
    metadata = call.pairs(options.USER_METADATA)
    session = options.session(call)
    choose = _trust(call, session)
    if not as_json:
        for reference in wanted:
            options.warn_of_tag(call.output.warn, reference, "verify")
    results = session.each(
        wanted,
        lambda item: evaluate_reference(
            session, item, choose, max_signatures=budget, user_metadata=metadata, all_signatures=as_json
        ),
    )
    if as_json:
        return _report_json(call, results)
    return exits.report(call.output, results, lambda _, evaluated: _show(call, evaluated))


def _trust(call: Call, session: Session) -> TrustChoice:
    key = call.string("key")
    if key is not None:
        if call.string("scope") is not None:
            raise UsageError("--scope chooses a policy statement; with --key no policy is read")
        return trust_in_file(session, key)
    return trust_by_policy(session, call.string("scope"))


def _show(call: Call, evaluated: Evaluated) -> int:
    output, verdict = call.output, evaluated.verdict
    for finding in verdict.trusted_by.judgement.warnings if verdict.trusted_by else ():
        output.warn(f'{finding.validation.value} was set to "log" and failed with error: {finding.reason}')
    if verdict.verdict in (Verdict.TRUSTED, Verdict.NOT_CHECKED):
        if output.warned:
            output.line()
            output.warned = False
        _show_success(call, evaluated)
    else:
        output.error(failure(evaluated))
        for line in verdict_lines(verdict):
            output.detail(line)
        output.hint(verdict_hint(verdict))
    return _CODES[verdict.verdict]


def _show_success(call: Call, evaluated: Evaluated) -> None:
    output, trusted_by = call.output, evaluated.verdict.trusted_by
    if trusted_by is None:
        output.line(
            f"Trust policy is configured to skip signature verification for {evaluated.artifact.shown}"
        )
        return
    output.line(f"Successfully verified signature for {evaluated.artifact.shown}")
    metadata = trusted_by.facts.user_metadata if trusted_by.facts else ()
    if metadata:
        output.lines(("", "The artifact was signed with the following user metadata.", ""))
        output.table(("KEY", "VALUE"), metadata)


def _report_json(call: Call, results: Any) -> int:
    documents: list[dict[str, Any]] = []

    def judged(reference: AnyReference, evaluated: Evaluated) -> int:
        documents.append({"reference": str(reference), **_document(evaluated)})
        return _CODES[evaluated.verdict.verdict]

    def failed(reference: AnyReference, error: Nv2Error) -> None:
        call.output.error(error)
        documents.append({**exits.failure_document(reference, error), "verdict": Verdict.UNDECIDED.value})

    code = exits.report(call.output, results, judged, failed)
    call.output.json({"schema": COMMAND.schema, "results": documents})
    return code


def _document(evaluated: Evaluated) -> dict[str, Any]:
    return {"resolved": evaluated.artifact.shown, **evaluated.verdict.to_json()}


COMMAND = Command(
    "verify",
    "verify artifacts against a key or the trust policy",
    run,
    flags=(
        Flag(
            "key",
            "trust exactly this: file of a certificate or key, or a key's name",
            short="k",
        ),
        options.REFERENCE,
        Flag(options.USER_METADATA, "{key}={value} pairs that must be in the signature", Kind.PAIRS, "m"),
        options.MAX_SIGNATURES,
        options.OCI_LAYOUT,
        Flag("scope", "choose the policy statement by this scope, not the repository"),
        *options.CONNECTION,
        OUTPUT,
        options.PLUGIN_CONFIG,
        options.ALLOW_REFERRERS_API,
        DEBUG,
        VERBOSE,
    ),
    usage="<reference>...",
    description=(
        "Verify artifacts. With --key exactly that key or certificate is trusted, strictly, and no policy\n"
        "is read; otherwise the trust policy decides. Exit code 0: trusted; 1: not trusted; 3: could not\n"
        "be decided."
    ),
    examples=(
        "nv2 verify -k wabbit-networks.crt -r registry.example.com/net-monitor:v1",
        "nv2 verify registry.example.com/net-monitor@sha256:...",
        "nv2 verify --output json registry.example.com/a@sha256:... registry.example.com/b@sha256:...",
    ),
    schema="nv2.verify/v1",
)
