"""`nv2 bundle verify`: may what a bundle brings be used? Without a network, and writing nothing."""

from __future__ import annotations

from nv2.cli import bundles, options
from nv2.cli.command import NO_NETWORK_DEBUG, OUTPUT, Call, Command, Flag, wants_json
from nv2.cli.verdicts import documents_of, report_text
from nv2.notary.bundles import judge, open_bundle
from nv2.notary.evidence import age_rule


def run(call: Call) -> int:
    """Check every digest, then judge every artifact; the exit code is the worst of them."""
    as_json = wants_json(call)
    naming = bundles.naming(call.string("destination"))
    budget = options.check_max_signatures(call)
    session = options.session_without_registry(call)
    choose = bundles.trust(call, session)
    rule = age_rule(session)
    bundle = open_bundle(call.arguments[0])
    results = judge(session, bundle, choose, naming=naming, max_signatures=budget, all_signatures=as_json)
    if as_json:
        documents, code = documents_of(call, results)
        about = {"bundle": bundles.document(bundle), "rule": rule.to_json()}
        call.output.json({"schema": COMMAND.schema, **about, "results": documents})
        return code
    call.output.lines(bundles.summary(bundle))
    code = report_text(call, results)
    call.output.note(f"By the rule of this machine, {rule.text}.")
    return code


COMMAND = Command(
    "verify",
    "decide whether what a bundle brings may be used",
    run,
    flags=(
        *bundles.TRUST,
        Flag("destination", "judge by the names that artifacts would have below this place"),
        OUTPUT,
        NO_NETWORK_DEBUG,
    ),
    usage="<file>",
    arguments=(1, 1),
    missing="names the file of a bundle",
    description=(
        "Check every digest in a bundle, and decide about every artifact by the trust policy of this\n"
        "machine (or the key of --key) and by what the bundle and this machine know about revocation.\n"
        "No network is asked, and nothing is written. Exit code 0: all trusted; 1: not trusted; 3:\n"
        "could not be decided, or no bundle."
    ),
    examples=(
        "nv2 bundle verify net-monitor.tar",
        "nv2 bundle verify --destination registry.inside.example/imported net-monitor.tar",
    ),
    schema="nv2.bundle.verify/v1",
)
