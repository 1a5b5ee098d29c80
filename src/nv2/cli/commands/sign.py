"""`nv2 sign`: sign artifacts, without changing them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from nv2.cli import exits, options, signing_flags
from nv2.cli.build_metadata import MAX_FILE, parse_build_metadata, references_built
from nv2.cli.command import DEBUG, OUTPUT, VERBOSE, Call, Command, Flag, Kind, wants_json
from nv2.cli.signed import report
from nv2.errors import UsageError
from nv2.files import read_file
from nv2.notary.signing import Signed, sign_reference
from nv2.oci.reference import AnyReference

if TYPE_CHECKING:
    from nv2.notary.recursion import SignedAll


def run(call: Call) -> int:
    """Sign every reference; the exit code is the worst of them."""
    as_json = wants_json(call)
    if call.string("descriptor") is not None:
        return _sign_descriptor(call, as_json=as_json)
    wanted = _references(call)
    session = options.session(call)
    wish = signing_flags.wish_of(call, session)
    signer = signing_flags.signer_of(call, session)
    for reference in wanted:
        options.warn_of_tag(call.output.warn, reference, "sign")
    force = call.on("force-referrers-tag")
    if call.on("recursive"):
        from nv2.notary.recursion import sign_all

        deep = session.each(
            wanted, lambda item: sign_all(session, item, signer, wish, force_referrers_tag=force)
        )
        return report(call, deep, COMMAND.schema, _all_lines, as_json=as_json)
    results = session.each(
        wanted, lambda item: sign_reference(session, item, signer, wish, force_referrers_tag=force)
    )
    return report(call, results, COMMAND.schema, _lines, as_json=as_json)


def _references(call: Call) -> tuple[AnyReference, ...]:
    path = call.string("metadata-file")
    if path is None:
        return options.references(call)
    built = parse_build_metadata(read_file(Path(path), MAX_FILE, "build metadata"), path)
    wanted = tuple(options.read_reference(call, text) for text in options.reference_texts(call))
    return references_built(built, wanted, path)


def _sign_descriptor(call: Call, *, as_json: bool) -> int:
    """Sign what a file describes, into a file: nothing is asked of any registry."""
    from nv2.notary.attaching import read_descriptor, sign_descriptor_into

    if texts := options.reference_texts(call):
        raise UsageError(
            "with --descriptor nothing is fetched, so there is no reference",
            at=texts[0],
            hint="'nv2 attach' puts the signature beside the artifact, where the registry is",
        )
    path = call.string("signature-file") or ""
    subject = read_descriptor(Path(call.string("descriptor") or ""))
    session = options.session(call)
    wish = signing_flags.wish_of(call, session)
    sign_descriptor_into(session, subject, signing_flags.signer_of(call, session), wish, Path(path))
    if as_json:
        result = {"artifact": subject.to_json(), "signatureFile": path}
        call.output.json({"schema": COMMAND.schema, "results": [result]})
    else:
        call.output.line(f"Successfully signed {subject.digest}")
        call.output.line(f"Wrote the signature to {path}")
    return exits.DONE


def _lines(signed: Signed) -> Iterator[str]:
    yield f"Successfully signed {signed.artifact.shown}"
    yield f"Pushed the signature to {signed.artifact.name}@{signed.manifest.digest}"


def _all_lines(done: SignedAll) -> Iterator[str]:
    for skipped in done.skipped:
        yield f"Signed already, and skipped: {done.artifact.name}@{skipped.digest}"
    for signed in done.signed:
        yield from _lines(signed)


COMMAND = Command(
    "sign",
    "sign artifacts",
    run,
    flags=(
        *signing_flags.KEY,
        options.REFERENCE,
        Flag("metadata-file", "sign the digest that docker buildx wrote to this file"),
        Flag("descriptor", "file of an OCI descriptor: sign that, and ask no registry"),
        Flag("signature-file", "new file for the signature, with --descriptor"),
        Flag("recursive", "sign its children too, and what refers to any of them", Kind.BOOL),
        *signing_flags.ENVELOPE,
        options.FORCE_REFERRERS_TAG,
        options.OCI_LAYOUT,
        *options.CONNECTION,
        OUTPUT,
        *signing_flags.ELSEWHERE,
        options.ALLOW_REFERRERS_API,
        DEBUG,
        VERBOSE,
    ),
    usage="<reference>...",
    description="Sign artifacts; their digests and tags do not change. Without --key the default signing key signs.",
    examples=(
        "nv2 sign -k wabbit-networks.key -r registry.example.com/net-monitor:v1",
        "nv2 sign -k ci --descriptor image.json --signature-file image.sig",
    ),
    together=(*signing_flags.TOGETHER, ("descriptor", "signature-file")),
    exclusive=(
        *signing_flags.EXCLUSIVE,
        ("oci-layout", "force-referrers-tag"),
        *(
            ("descriptor", name)
            for name in ("metadata-file", "recursive", "oci-layout", "force-referrers-tag")
        ),
    ),
    schema="nv2.sign/v1",
)
