"""`nv2 attach`: put a signature that was made elsewhere beside its artifact."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from nv2.cli import options
from nv2.cli.command import DEBUG, OUTPUT, Call, Command, wants_json
from nv2.cli.signed import report
from nv2.notary.attaching import attach_signature
from nv2.notary.signature_files import read_envelope
from nv2.notary.signing import Signed


def run(call: Call) -> int:
    """Attach one signature to every reference; the exit code is the worst of them."""
    as_json = wants_json(call)
    path, *texts = call.arguments
    wanted = tuple(
        options.with_name(options.read_reference(call, text), text)
        for text in (*call.strings("reference"), *texts)
    )
    if not wanted:
        raise options.missing_reference()
    envelope = read_envelope(Path(path))
    session = options.session(call)
    force = call.on("force-referrers-tag")
    results = session.each(
        wanted, lambda item: attach_signature(session, item, envelope, force_referrers_tag=force)
    )
    return report(call, results, COMMAND.schema, _lines, as_json=as_json)


def _lines(signed: Signed) -> Iterator[str]:
    yield f"Attached the signature to {signed.artifact.shown}"
    yield f"Pushed the signature to {signed.artifact.name}@{signed.manifest.digest}"


COMMAND = Command(
    "attach",
    "attach a signature that was made elsewhere",
    run,
    flags=(
        options.REFERENCE,
        options.FORCE_REFERRERS_TAG,
        options.OCI_LAYOUT,
        *options.CONNECTION,
        OUTPUT,
        DEBUG,
    ),
    usage="<signature file> <reference>...",
    arguments=(1, None),
    missing="requires the file of a signature, and the artifact that it signs",
    description=(
        "Attach the signature in a file, which 'nv2 sign --descriptor' made where the key lives.\n"
        "It must sign the artifact, and its integrity must hold; whether anyone trusts it is not asked."
    ),
    examples=(
        "nv2 attach net-monitor.sig registry.example.com/net-monitor@sha256:...",
        "nv2 attach net-monitor.sig layout:./image:v1",
    ),
    exclusive=(("oci-layout", "force-referrers-tag"),),
    schema="nv2.attach/v1",
)
