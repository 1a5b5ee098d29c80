"""`nv2 inspect`: what the signatures of an artifact say. Nothing is verified."""

from __future__ import annotations

from nv2.cli import exits, options
from nv2.cli.command import DEBUG, VERBOSE, Call, Command, Flag, wants_json
from nv2.cli.inspected import signature_document, signature_tree
from nv2.cli.tree import Tree
from nv2.errors import ArtifactError
from nv2.notary.inspection import Inspection, inspect_signatures
from nv2.oci import media_types as mt

FORMATS = {"tree": False, "text": False, "json": True}


def run(call: Call) -> int:
    """Show every signature of one artifact; a signature that cannot be shown makes the command fail."""
    as_json = wants_json(call, FORMATS)
    reference = options.only_reference(call)
    limit = options.check_max_signatures(call)
    options.warn_of_tag(call.output.warn, reference, "inspect")
    inspection = inspect_signatures(reference, max_signatures=limit, session=options.session(call))
    if as_json:
        call.output.json(_document(inspection))
    else:
        _print_tree(call, inspection)
    for item in inspection.unreadable:
        call.output.warn(f"Skipping signature {item.manifest.digest} because of error: {item.reason}")
    for problem in inspection.problems:
        call.output.warn(problem)
    if inspection.left:
        call.output.warn(f"exceeded configured limit of max signatures {limit} to examine")
    if inspection.unreadable:
        raise ArtifactError("at least one signature was skipped and not displayed")
    return exits.DONE


def _document(inspection: Inspection) -> dict[str, object]:
    return {
        "mediaType": inspection.artifact.subject.media_type,
        "signatures": [signature_document(item) for item in inspection.signatures],
    }


def _print_tree(call: Call, inspection: Inspection) -> None:
    shown = inspection.artifact.shown
    if not inspection.signatures and not inspection.unreadable:
        call.output.line(f"{shown} has no associated signature")
        return
    call.output.line("Inspecting all signatures for signed artifact")
    signatures = tuple(signature_tree(item) for item in inspection.signatures)
    call.output.lines(Tree(shown, (Tree(mt.SIGNATURE, signatures),)).lines())


COMMAND = Command(
    "inspect",
    "show what the signatures of an artifact say",
    run,
    flags=(
        options.ONE_REFERENCE,
        options.MAX_SIGNATURES,
        options.OCI_LAYOUT,
        *options.CONNECTION,
        Flag("output", "format of the output: tree or json", short="o", default="tree"),
        options.ALLOW_REFERRERS_API,
        DEBUG,
        VERBOSE,
    ),
    usage="<reference>",
    description="Show what the signatures of an artifact say about themselves. Nothing is verified.",
    examples=("nv2 inspect registry.example.com/net-monitor@sha256:...",),
    schema="nv2.inspect/v1",
)
