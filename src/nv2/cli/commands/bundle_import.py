"""`nv2 bundle import`: verify a bundle, copy what it brings into a registry, and install its evidence."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nv2.cli import bundles, exits, options
from nv2.cli.command import DEBUG, OUTPUT, Call, Command, Flag, Kind, wants_json
from nv2.cli.output import error_document
from nv2.cli.verdicts import Results, documents_of, report_text
from nv2.errors import Nv2Error
from nv2.notary.bundles import OpenBundle, as_it_was, judge, named_by, open_bundle
from nv2.notary.bundles_imported import Imported, copy_all, destinations
from nv2.notary.evidence import Installation, age_rule, install


def run(call: Call) -> int:
    """Judge all of it first; if anything is not trusted, no artifact is copied.

    The evidence is kept in any case: it speaks for itself, and a signer who was revoked is just what it must tell. It is
    kept before anything is copied, so that a registry that fails does not keep the news away.
    """
    as_json = wants_json(call)
    inside = bundles.naming(call.arguments[1])
    budget = options.check_max_signatures(call)
    session = options.session(call)
    choose = bundles.trust(call, session)
    rule = age_rule(session)
    bundle = open_bundle(call.arguments[0])
    destinations(bundle, inside)
    naming = as_it_was if call.on("original-names") else inside
    results = judge(session, bundle, choose, naming=naming, max_signatures=budget, all_signatures=as_json)
    documents, code = _judged(call, bundle, results)
    installed = install(bundle.evidence, session, named_by(choose, bundle, naming))
    if not as_json:
        call.output.lines(installed.lines)
    for text in (*installed.problems, *installed.warnings):
        call.output.warn(text)
    imported: list[Imported] = []
    failure: Nv2Error | None = None
    if code == exits.DONE:
        failure = _copy(call, copy_all(session, bundle, inside, older=call.on("older")), imported)
        failed = [exits.exit_code(failure)] if failure else []
        code = exits.all_or_some([exits.DONE] * len(imported) + failed)
    if as_json:
        about = {"bundle": bundles.document(bundle), "rule": rule.to_json(), "results": documents}
        call.output.json({"schema": COMMAND.schema, **about, **_told(imported, installed, failure)})
    else:
        if not imported:
            call.output.note("No artifact was imported.")
        call.output.note(f"By the rule of this machine, {rule.text}.")
    problems = [problem for each in imported for problem in each.result.problems]
    for text in problems:
        call.output.warn(text)
    return exits.worst((code, exits.PARTLY)) if problems or installed.problems else code


def _judged(call: Call, bundle: OpenBundle, results: Results) -> tuple[list[dict[str, Any]], int]:
    """The verdicts as documents, or told in lines after what `bundle` brings; and the exit code."""
    if wants_json(call):
        return documents_of(call, results)
    call.output.lines(bundles.summary(bundle))
    return [], report_text(call, results)


def _copy(call: Call, arriving: Iterator[Imported], imported: list[Imported]) -> Nv2Error | None:
    """Tell of each that has arrived, in `imported` as well. What ended it early is returned: what came before it stays."""
    try:
        for each in arriving:
            imported.append(each)
            if not wants_json(call):
                copied, skipped = len(each.result.copied), len(each.result.skipped)
                counts = f"{copied} copied, {skipped} there already"
                call.output.line(f"Imported {each.source} as {each.destination}: {counts}")
    except Nv2Error as e:
        call.output.error(e)
        return e
    return None


def _told(imported: list[Imported], installed: Installation, failure: Nv2Error | None) -> dict[str, Any]:
    return {
        "imported": [_document(each) for each in imported],
        "evidence": installed.to_json(),
        "problems": list(installed.problems),
        "error": error_document(failure) if failure else None,
    }


def _document(each: Imported) -> dict[str, Any]:
    result = each.result
    return {
        "source": str(each.source),
        "destination": str(each.destination),
        "copied": [bundles.plain(item) for item in result.copied],
        "skipped": [bundles.plain(item) for item in result.skipped],
        "problems": list(result.problems),
    }


COMMAND = Command(
    "import",
    "verify a bundle, copy what it brings, and install its evidence",
    run,
    flags=(
        *bundles.TRUST,
        Flag("original-names", "judge by the names that artifacts had where they come from", Kind.BOOL),
        Flag("older", "let an older bundle move a tag back that a newer one brought", Kind.BOOL),
        *options.CONNECTION,
        OUTPUT,
        DEBUG,
    ),
    usage="<file> <registry>[/<prefix>]",
    arguments=(2, 2),
    missing="names the file of a bundle and a registry",
    description=(
        "Verify a bundle as 'bundle verify --destination' does. Trusted or not, put the evidence about\n"
        "revocation where nv2 and notation look for it, if an authority made it that is trusted here,\n"
        "and it is newer than what is there. If all of the bundle is trusted, copy every artifact with\n"
        "all that refers to it below the registry or prefix. A bundle that is older than the one that\n"
        "brought a tag does not move it. A trust policy in the bundle is not touched."
    ),
    examples=(
        "nv2 bundle import net-monitor.tar registry.inside.example",
        "nv2 bundle import net-monitor.tar registry.inside.example/imported",
    ),
    schema="nv2.bundle.import/v1",
)
