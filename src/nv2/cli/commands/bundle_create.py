"""`nv2 bundle create`: collect images and all that proves them in one file."""

from __future__ import annotations

from collections.abc import Sequence

from nv2.cli import bundles, exits, options, signing_flags
from nv2.cli.command import DEBUG, OUTPUT, Call, Command, Flag, Kind, wants_json
from nv2.cli.output import counted
from nv2.notary.bundles_made import MadeBundle, create
from nv2.notary.session import Session
from nv2.notary.trust_here import trust_in_file
from nv2.oci.reference import AnyReference, Reference, parse_registry


def run(call: Call) -> int:
    """Make the bundle; what could not come along makes it exit 4."""
    as_json = wants_json(call)
    references = options.references(call)
    names = [parse_registry(text) for text in call.strings("as")]
    session = options.session(call)
    made = _create(call, session, references, names)
    if as_json:
        _print_json(call, made)
    else:
        _print(call, made)
    for text in (*made.problems, *made.warnings):
        call.output.warn(text)
    return exits.PARTLY if made.problems else exits.DONE


def _create(
    call: Call, session: Session, references: Sequence[AnyReference], names: Sequence[Reference]
) -> MadeBundle:
    signs = call.string("key") is not None or call.string("plugin") is not None
    return create(
        session,
        references,
        call.string("file") or "",
        names=names,
        trusted=[trust_in_file(session, file).anchors.open() for file in call.strings("trusted-key")],
        with_policy=call.on("with-policy"),
        signer=signing_flags.signer_of(call, session) if signs else None,
        wish=signing_flags.wish_of(call, session) if signs else None,
    )


def _print(call: Call, made: MadeBundle) -> None:
    contents = made.contents
    call.output.line(f"Created {made.path} with {counted(len(contents.images), 'artifact')}")
    for image in contents.images:
        call.output.line(f"  {image.reference} {image.descriptor.digest}")
    call.output.line(f"referrers: {bundles.kinds(contents)}")
    evidence = made.evidence
    pieces, certificates = len(evidence.pieces), len(evidence.certificates)
    call.output.line(f"evidence: {counted(pieces, 'piece')}, {counted(certificates, 'certificate')}")
    if contents.trust:
        call.output.line("the trust policy and its stores")
    call.output.line(f"contents: {made.contents_in.digest}" + (", signed" if made.signature else ""))


def _print_json(call: Call, made: MadeBundle) -> None:
    call.output.json(
        {
            "schema": COMMAND.schema,
            "path": made.path,
            **bundles.contents_document(made.contents_in, made.contents),
            "signature": bundles.plain(made.signature) if made.signature else None,
            "evidencePieces": len(made.evidence.pieces),
            "certificates": len(made.evidence.certificates),
            "problems": list(made.problems),
            "warnings": list(made.warnings),
        }
    )


COMMAND = Command(
    "create",
    "collect artifacts and all that proves them in one file",
    run,
    flags=(
        Flag("file", "the file to make; its name ends in .tar", required=True),
        options.REFERENCE,
        Flag("as", "name of an image layout in the bundle; once for each", Kind.STRINGS),
        Flag(
            "trusted-key",
            "evidence for 'verify -k' of this certificate, too; may repeat",
            Kind.STRINGS,
        ),
        Flag("with-policy", "take the trust policy and stores along; needs --key or --plugin", Kind.BOOL),
        *signing_flags.KEY,
        *signing_flags.ENVELOPE,
        *signing_flags.ELSEWHERE,
        *options.CONNECTION,
        OUTPUT,
        DEBUG,
    ),
    usage="<reference>...",
    together=signing_flags.TOGETHER,
    exclusive=signing_flags.EXCLUSIVE,
    description=(
        "Collect artifacts, all that refers to them, certificates, and evidence about revocation in one\n"
        "new OCI image layout in a tar archive. --key or --plugin sign the bundle as a whole."
    ),
    examples=(
        "nv2 bundle create registry.example.com/net-monitor:v1 --file net-monitor.tar",
        "nv2 bundle create layout:out.tar:v1 --as registry.example.com/app:v1 --file app.tar",
        "nv2 bundle create -k acme -r registry.example.com/a:v1 --with-policy --file all.tar",
    ),
    schema="nv2.bundle.create/v1",
)
