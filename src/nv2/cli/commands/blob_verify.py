"""`nv2 blob verify`: decide whether a file may be used."""

from __future__ import annotations

from nv2.cli import exits, options
from nv2.cli.command import DEBUG, OUTPUT, VERBOSE, Call, Command, Flag, wants_json
from nv2.cli.verdicts import advice, say_trusted, say_warnings
from nv2.errors import UsageError
from nv2.notary.blobs import blob_failure, blob_trust, evaluate_open_blob, open_blob
from nv2.notary.signature_files import read_signature
from nv2.trust.verdict import USABLE, ArtifactVerdict


def run(call: Call) -> int:
    """Judge one file, or what comes on standard input, by one signature."""
    as_json = wants_json(call)
    name = options.only_blob(call)
    path = call.string("signature")
    if not path:
        raise UsageError("filepath of the signature cannot be empty", hint="name it: --signature FILE")
    content_type = call.string("media-type")
    if content_type == "":
        raise UsageError("--media-type is set but with empty value")
    session = options.session_without_registry(call)
    trust = blob_trust(session, call.string("key"), call.string("policy-name"))
    signature = read_signature(path)
    with open_blob(*options.blob_source(name)) as blob:
        verdict = evaluate_open_blob(
            session,
            blob,
            signature,
            trust,
            content_type=content_type,
            user_metadata=call.pairs(options.USER_METADATA),
            plugin_config=call.pairs("plugin-config"),
        )
    if as_json:
        result = {"blob": name, "signature": path, **verdict.to_json()}
        call.output.json({"schema": COMMAND.schema, "results": [result]})
    else:
        _show(call, name, verdict)
    return exits.verdict_code(verdict.verdict)


def _show(call: Call, name: str, verdict: ArtifactVerdict) -> None:
    say_warnings(call.output, verdict)
    if verdict.verdict in USABLE:
        say_trusted(call.output, name, verdict)
        return
    call.output.error(blob_failure(verdict))
    signer = next((signature.facts.signer for signature in verdict.signatures if signature.facts), None)
    if signer:
        call.output.detail(f"signed by {signer}")
    call.output.hint(advice(verdict))


COMMAND = Command(
    "verify",
    "verify a file against a key or the trust policy for blobs",
    run,
    flags=(
        Flag("signature", "file of the signature: {blob file name}.{jws|cose}.sig", short="s"),
        options.TRUSTED_KEY,
        Flag("media-type", "media type that must be signed (default: any)"),
        Flag("policy-name", "statement of the blob policy (default: the global one)"),
        options.DEMANDED_METADATA,
        OUTPUT,
        options.PLUGIN_CONFIG,
        DEBUG,
        VERBOSE,
    ),
    usage="--signature <signature_path> <blob_path | ->",
    arguments=(1, None),
    missing="missing path to the blob artifact",
    description=(
        "Verify a file by its signature. With --key exactly that key or certificate is trusted, strictly,\n"
        "and no policy is read; otherwise a statement of the trust policy for blobs decides. Exit code 0:\n"
        "trusted; 1: not trusted; 3: could not be decided. '-' is standard input."
    ),
    examples=(
        "nv2 blob verify -k wabbit-networks.crt -s tool.tar.gz.jws.sig tool.tar.gz",
        "nv2 blob verify --policy-name releases -s tool.tar.gz.jws.sig tool.tar.gz",
    ),
    exclusive=(("key", "policy-name"),),
    schema="nv2.blob.verify/v1",
)
