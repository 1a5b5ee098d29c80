"""`nv2 bundle check`: will the evidence in a bundle still count when it arrives?"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from nv2.bundling.arrival import Freshness, left_open
from nv2.cli import bundles, exits, options
from nv2.cli.command import NO_NETWORK_DEBUG, OUTPUT, Call, Command, Flag, wants_json
from nv2.errors import UsageError
from nv2.notary.bundles import open_bundle
from nv2.notary.evidence import (
    Arriving,
    Evidence,
    age_rule,
    arriving_at,
    notation_warnings,
    piece_json,
    shown,
)
from nv2.plain_text import one_line, parse_span, quoted, rfc3339, span

_WORDS = {
    Freshness.FRESH: "fresh",
    Freshness.BY_GRACE: "past its nextUpdate, and within the grace: nv2 uses it, notation does not",
    Freshness.STALE: "stale",
}


def run(call: Call) -> int:
    """Look at every piece as it will be at arrival; 0 if every certificate can be judged by what is there."""
    as_json = wants_json(call)
    fresh_for = _span(call.string("fresh-for") or "0s")
    session = options.session_without_registry(call)
    rule = age_rule(session)
    bundle = open_bundle(call.arguments[0])
    evidence = bundle.evidence or Evidence(bundle.contents.created)
    instant = session.now + fresh_for
    pieces = arriving_at(session, evidence, instant)
    undecided = left_open(evidence, pieces)
    code = exits.FAILED if undecided or evidence.gaps else exits.DONE
    if as_json:
        call.output.json(
            {
                "schema": COMMAND.schema,
                "bundle": bundles.document(bundle),
                "rule": rule.to_json(),
                "at": rfc3339(instant),
                "evidence": [_document(each) for each in pieces],
                "missing": [str(gap) for gap in evidence.gaps],
                "undecided": [
                    {"subject": found.subject, "certificate": found.thumbprint} for found in undecided
                ],
                "warnings": list(notation_warnings(evidence)),
            }
        )
        return code
    call.output.lines(f"{shown(each.piece)}: {_words(each)}; issuer {each.piece.issuer}" for each in pieces)
    call.output.lines(f"missing: {gap}" for gap in evidence.gaps)
    call.output.lines(
        f'undecided by then: signatures under "{one_line(found.subject)}"' for found in undecided
    )
    call.output.line(_summary(pieces, len(evidence.gaps), rfc3339(instant), fresh_for))
    for warning in notation_warnings(evidence):
        call.output.warn(warning)
    call.output.note(f"By the rule of this machine, {rule.text}.")
    return code


def _span(text: str) -> timedelta:
    found = parse_span(text)
    if found is None:
        raise UsageError(
            f"{quoted(text)} is not a span of time for --fresh-for", hint="such as 14d, 36h or 30m"
        )
    return found


def _words(each: Arriving) -> str:
    since = f" since {rfc3339(each.ends)}" if each.freshness is Freshness.STALE and each.ends else ""
    return _WORDS[each.freshness] + since


def _document(each: Arriving) -> dict[str, Any]:
    return {
        **piece_json(each.piece),
        "issuerSubject": each.issuer,
        "freshness": each.freshness.value,
        "countsUntil": rfc3339(each.ends) if each.ends else None,
    }


def _summary(pieces: Sequence[Arriving], missing: int, instant: str, fresh_for: timedelta) -> str:
    counts = [(sum(each.freshness is which for each in pieces), which) for which in Freshness]
    words = {Freshness.FRESH: "fresh", Freshness.BY_GRACE: "by grace", Freshness.STALE: "stale"}
    told = ", ".join(f"{count} {words[which]}" for count, which in counts)
    return f"in {span(fresh_for)}, at {instant}: {told}, {missing} missing"


COMMAND = Command(
    "check",
    "say which evidence in a bundle will be stale on arrival",
    run,
    flags=(
        Flag("fresh-for", "how long the journey takes, such as 14d or 36h (default: now)"),
        OUTPUT,
        NO_NETWORK_DEBUG,
    ),
    usage="<file>",
    arguments=(1, 1),
    missing="names the file of a bundle",
    description=(
        "Check every digest in a bundle, and say of each CRL and OCSP answer whether it will still\n"
        "count when the bundle arrives: by its nextUpdate, and by the age rule of this machine.\n"
        "No network is asked, and nothing is verified. Exit code 0: every certificate can be judged\n"
        "then; 3: evidence will be stale, or is missing."
    ),
    examples=("nv2 bundle check --fresh-for 14d net-monitor.tar",),
    schema="nv2.bundle.check/v1",
)
