"""`nv2 bundle import`: verify a bundle, copy what it brings into a registry, and install its evidence."""

from __future__ import annotations

from typing import Any

from nv2.cli import bundles, exits, options
from nv2.cli.command import DEBUG, OUTPUT, Call, Command, Flag, Kind, wants_json
from nv2.cli.verdicts import documents_of, report_text
from nv2.notary.bundles import as_it_was, judge, open_bundle
from nv2.notary.bundles_imported import Imported, copy_all, destinations
from nv2.notary.evidence import age_rule, install


def run(call: Call) -> int:
    """Judge all of it first; if anything is not trusted, no artifact is copied.

    The evidence is kept in any case: it speaks for itself, and a signer who was revoked is just what it must tell.
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
    documents: list[dict[str, Any]] = []
    if as_json:
        documents, code = documents_of(call, results)
    else:
        call.output.lines(bundles.summary(bundle))
        code = report_text(call, results)
    imported = copy_all(session, bundle, inside) if code == exits.DONE else []
    installed = install(bundle.evidence, session) if bundle.evidence else None
    if as_json:
        about = {"bundle": bundles.document(bundle), "rule": rule.to_json(), "results": documents}
        done = [_document(each) for each in imported]
        evidence = installed.to_json() if installed else []
        call.output.json({"schema": COMMAND.schema, **about, "imported": done, "evidence": evidence})
    else:
        _print(call, imported, installed.lines if installed else ())
        call.output.note(f"By the rule of this machine, {rule.text}.")
    problems = [problem for each in imported for problem in each.result.problems]
    for text in (*problems, *(installed.warnings if installed else ())):
        call.output.warn(text)
    return exits.PARTLY if problems else code


def _print(call: Call, imported: list[Imported], lines: tuple[str, ...]) -> None:
    for each in imported:
        result = each.result
        call.output.line(
            f"Imported {each.source} as {each.destination}: {len(result.copied)} copied, {len(result.skipped)} there already"
        )
    call.output.lines(lines)
    if not imported:
        call.output.note("No artifact was imported.")


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
        *options.CONNECTION,
        OUTPUT,
        DEBUG,
    ),
    usage="<file> <registry>[/<prefix>]",
    arguments=(2, 2),
    missing="names the file of a bundle and a registry",
    description=(
        "Verify a bundle as 'bundle verify --destination' does; if all of it is trusted, copy every\n"
        "artifact with all that refers to it below the registry or prefix. Then, trusted or not, put\n"
        "the evidence about revocation where nv2 and notation look for it, if an authority made it that\n"
        "is trusted here, and it is newer than what is there. A trust policy in the bundle is not\n"
        "touched."
    ),
    examples=(
        "nv2 bundle import net-monitor.tar registry.inside.example",
        "nv2 bundle import net-monitor.tar registry.inside.example/imported",
    ),
    schema="nv2.bundle.import/v1",
)
