"""`nv2 bundle inspect`: show what a bundle brings. Nothing of it is judged."""

from __future__ import annotations

from nv2.bundling.evidence import Evidence
from nv2.cli import bundles, exits
from nv2.cli.command import NO_NETWORK_DEBUG, OUTPUT, Call, Command, wants_json
from nv2.notary.bundles import OpenBundle, open_bundle
from nv2.notary.evidence import piece_json, shown


def run(call: Call) -> int:
    """Check every digest and show the contents."""
    as_json = wants_json(call)
    bundle = open_bundle(call.arguments[0])
    if as_json:
        evidence = bundle.evidence
        pieces = [piece_json(piece) for piece in evidence.pieces] if evidence else []
        gaps = [str(gap) for gap in evidence.gaps] if evidence else []
        more = {"evidencePieces": pieces, "missingEvidence": gaps}
        call.output.json({"schema": COMMAND.schema, **bundles.document(bundle), **more})
    else:
        _print(call, bundle)
    return exits.DONE


def _print(call: Call, bundle: OpenBundle) -> None:
    call.output.lines(bundles.summary(bundle))
    call.output.lines(
        f"artifact: {image.reference} {image.descriptor.digest}" for image in bundle.contents.images
    )
    call.output.line(f"referrers: {bundles.kinds(bundle.contents)}")
    if bundle.evidence is not None:
        _print_evidence(call, bundle.evidence)
    if bundle.contents.trust is not None:
        call.output.line("a trust policy with its stores: 'nv2 bundle install-policy' takes it over")
    signed = len(bundle.manifests.signatures)
    call.output.line(f"signatures of the bundle as a whole: {signed}, not judged here")


def _print_evidence(call: Call, evidence: Evidence) -> None:
    call.output.lines(f"evidence: {shown(piece)}" for piece in evidence.pieces)
    call.output.lines(f"missing: {gap}" for gap in evidence.gaps)


COMMAND = Command(
    "inspect",
    "show what a bundle brings",
    run,
    flags=(OUTPUT, NO_NETWORK_DEBUG),
    usage="<file>",
    arguments=(1, 1),
    missing="names the file of a bundle",
    description=(
        "Check every digest in a bundle and show what it brings. Nothing of it is judged; no network is\n"
        "asked."
    ),
    examples=("nv2 bundle inspect net-monitor.tar",),
    schema="nv2.bundle.inspect/v1",
)
