"""`nv2 blob inspect`: what the signature of a file says. Nothing is verified."""

from __future__ import annotations

from nv2.cli import exits
from nv2.cli.command import NO_NETWORK_DEBUG, VERBOSE, Call, Command, Flag, wants_json
from nv2.cli.inspected import signature_document, signature_tree
from nv2.errors import ArtifactError, UsageError
from nv2.inspection import Inspected
from nv2.notary.blobs import inspect_blob_signature

FORMATS = {"tree": False, "text": False, "json": True}


def run(call: Call) -> int:
    """Show one signature."""
    as_json = wants_json(call, FORMATS)
    path = call.arguments[0]
    if len(call.arguments) > 1 and call.output.program != "notation":
        raise UsageError(f"takes one signature, not {len(call.arguments)}")
    found = _inspected(path)
    if as_json:
        document = signature_document(found)
        del document["digest"]  # that of the manifest, and there is none
        call.output.json(document)
    else:
        call.output.lines(signature_tree(found)._replace(text=path).lines())
    return exits.DONE


def _inspected(path: str) -> Inspected:
    try:
        return inspect_blob_signature(path)
    except ArtifactError as e:
        raise type(e)(f"failed to parse signature: {e.message}", at=e.at, hint=e.hint) from None


COMMAND = Command(
    "inspect",
    "show what the signature of a file says",
    run,
    flags=(
        Flag("output", "format of the output: tree or json", short="o", default="tree"),
        NO_NETWORK_DEBUG,
        VERBOSE,
    ),
    usage="<signature_path>",
    arguments=(1, None),
    missing="missing signature path",
    description="Show what the signature of a file says about itself. Nothing is verified.",
    examples=("nv2 blob inspect tool.tar.gz.jws.sig", "nv2 blob inspect -o json tool.tar.gz.cose.sig"),
    schema="nv2.blob.inspect/v1",
)
