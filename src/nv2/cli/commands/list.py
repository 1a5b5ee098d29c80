"""`nv2 list`: which signatures an artifact has."""

from __future__ import annotations

from nv2.cli import exits, options
from nv2.cli.command import DEBUG, OUTPUT, VERBOSE, Call, Command, Flag, Kind, wants_json
from nv2.cli.tree import Tree
from nv2.notary.listing import Listed, list_signatures
from nv2.oci import media_types as mt


def run(call: Call) -> int:
    """List the signatures of one artifact; nothing is verified."""
    as_json = wants_json(call)
    reference = options.only_reference(call)
    limit = options.check_max_signatures(call)
    options.warn_of_tag(call.output.warn, reference, "list")
    listed = list_signatures(reference, heal=call.on("heal"), session=options.session(call))
    if as_json:
        _print_json(call, str(reference), listed, limit)
    else:
        _print_tree(call, listed, limit)
    if call.on("heal"):
        call.output.note(_healed(listed))
    for problem in listed.problems:
        call.output.warn(problem)
    if len(listed.signatures) > limit:
        call.output.warn(f"exceeded configured limit of max signatures {limit} to examine")
    return exits.DONE


def _healed(listed: Listed) -> str:
    restored = len(listed.restored)
    if not restored:
        return "nothing to restore: no signature that this machine attached was displaced from the list"
    return f"restored {restored} signature{'s' if restored > 1 else ''} that had been displaced from the list"


def _print_tree(call: Call, listed: Listed, limit: int) -> None:
    if not listed.signatures:
        call.output.line(f"{listed.artifact.shown} has no associated signatures")
        return
    digests = tuple(Tree(signature.digest) for signature in listed.signatures[:limit])
    call.output.lines(Tree(listed.artifact.shown, (Tree(mt.SIGNATURE, digests),)).lines())


def _print_json(call: Call, reference: str, listed: Listed, limit: int) -> None:
    shown = listed.signatures[:limit]
    call.output.json(
        {
            "schema": COMMAND.schema,
            "reference": reference,
            "resolved": listed.artifact.shown,
            "artifact": listed.artifact.subject.to_json(),
            "signatures": [signature.to_json() for signature in shown],
            "complete": listed.complete and len(shown) == len(listed.signatures),
            "problems": list(listed.problems),
            "restored": [signature.digest for signature in listed.restored],
        }
    )


COMMAND = Command(
    "list",
    "list the signatures of an artifact",
    run,
    flags=(
        options.ONE_REFERENCE,
        options.MAX_SIGNATURES,
        Flag("heal", "first list again what this machine attached and others displaced", Kind.BOOL),
        options.OCI_LAYOUT,
        *options.CONNECTION,
        OUTPUT,
        options.ALLOW_REFERRERS_API,
        DEBUG,
        VERBOSE,
    ),
    usage="<reference>",
    aliases=("ls",),
    examples=("nv2 list registry.example.com/net-monitor@sha256:...", "nv2 list layout:./image:v1"),
    schema="nv2.list/v1",
)
