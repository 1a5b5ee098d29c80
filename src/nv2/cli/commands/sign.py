"""`nv2 sign`: sign artifacts, without changing them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nv2.cli import exits, options, signing_flags
from nv2.cli.build_metadata import MAX_FILE, parse_build_metadata, references_built
from nv2.cli.command import DEBUG, OUTPUT, VERBOSE, Call, Command, Flag, Kind, wants_json
from nv2.errors import Nv2Error
from nv2.files import read_file
from nv2.notary.signing import Signed, sign_reference
from nv2.oci.reference import AnyReference


def run(call: Call) -> int:
    """Sign every reference; the exit code is the worst of them."""
    as_json = wants_json(call)
    wanted = _references(call)
    session = options.session(call)
    wish = signing_flags.wish_of(call, session)
    signer = signing_flags.signer_of(call, session)
    for reference in wanted:
        options.warn_of_tag(call.output.warn, reference, "sign")
    force = call.on("force-referrers-tag")
    results = session.each(
        wanted, lambda item: sign_reference(session, item, signer, wish, force_referrers_tag=force)
    )
    if not as_json:
        return exits.report(call.output, results, lambda _, signed: _show(call, signed))
    documents: list[dict[str, Any]] = []
    code = exits.report(
        call.output,
        results,
        lambda reference, signed: _collect(documents, reference, signed),
        lambda reference, error: documents.append(_failed(call, reference, error)),
    )
    call.output.json({"schema": COMMAND.schema, "results": documents})
    return code


def _references(call: Call) -> tuple[AnyReference, ...]:
    path = call.string("metadata-file")
    if path is None:
        return options.references(call)
    built = parse_build_metadata(read_file(Path(path), MAX_FILE, "build metadata"), path)
    wanted = tuple(options.read_reference(call, text) for text in options.reference_texts(call))
    return references_built(built, wanted, path)


def _show(call: Call, signed: Signed) -> int:
    call.output.line(f"Successfully signed {signed.artifact.shown}")
    call.output.line(f"Pushed the signature to {signed.artifact.name}@{signed.manifest.digest}")
    return exits.DONE


def _collect(documents: list[dict[str, Any]], reference: AnyReference, signed: Signed) -> int:
    documents.append(
        {
            "reference": str(reference),
            "artifact": signed.artifact.subject.to_json(),
            "signature": {
                "mediaType": signed.manifest.media_type,
                "digest": signed.manifest.digest,
                "size": signed.manifest.size,
            },
        }
    )
    return exits.DONE


def _failed(call: Call, reference: AnyReference, error: Nv2Error) -> dict[str, Any]:
    call.output.error(error)
    return exits.failure_document(reference, error)


COMMAND = Command(
    "sign",
    "sign artifacts",
    run,
    flags=(
        *signing_flags.KEY,
        options.REFERENCE,
        Flag("metadata-file", "sign the digest that docker buildx wrote to this file"),
        *signing_flags.ENVELOPE,
        Flag("force-referrers-tag", "store by the referrers tag, whatever the registry can", Kind.BOOL),
        options.OCI_LAYOUT,
        *options.CONNECTION,
        OUTPUT,
        *signing_flags.ELSEWHERE,
        options.ALLOW_REFERRERS_API,
        DEBUG,
        VERBOSE,
    ),
    usage="<reference>...",
    description=(
        "Sign artifacts. The signature is stored beside the artifact; its digest and tags do not change.\n"
        "Without --key the default signing key signs."
    ),
    examples=(
        "nv2 sign -k wabbit-networks.key -r registry.example.com/net-monitor:v1",
        "nv2 sign --metadata-file build.json -k ci",
        "nv2 sign --signature-format cose --expiry 24h registry.example.com/net-monitor@sha256:...",
        "nv2 sign -k ci layout:./image:v1",
    ),
    together=signing_flags.TOGETHER,
    exclusive=(*signing_flags.EXCLUSIVE, ("oci-layout", "force-referrers-tag")),
    schema="nv2.sign/v1",
)
