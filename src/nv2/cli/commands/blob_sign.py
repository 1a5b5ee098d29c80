"""`nv2 blob sign`: sign a file; the signature goes into a file beside it."""

from __future__ import annotations

import os
from pathlib import Path

from nv2.cli import exits, options, signing_flags
from nv2.cli.command import DEBUG, OUTPUT, VERBOSE, Call, Command, Flag, Kind, wants_json
from nv2.errors import UsageError
from nv2.notary.blobs import (
    SignedBlob,
    check_media_type,
    open_blob,
    sign_open_blob,
    write_signature,
)
from nv2.notary.signature_files import format_of, signature_path
from nv2.oci import media_types as mt

_EXISTS = "The signature file already exists, do you want to overwrite it?"


def run(call: Call) -> int:
    """Sign one file, or what comes on standard input."""
    as_json = wants_json(call)
    name = options.only_blob(call)
    content_type = call.string("media-type") or ""
    check_media_type(content_type)
    session = options.session_without_registry(call)
    wish = signing_flags.wish_of(call, session)
    path = _signature_path(call, name, wish.media_type)
    signer = signing_flags.signer_of(call, session)
    with open_blob(*options.blob_source(name)) as blob:
        signed = sign_open_blob(session, blob, signer, wish, content_type)
        replace = os.path.lexists(path)
        if replace and not _may_replace(call):
            return exits.DONE
        write_signature(blob, signed, path, replace=replace)
    if as_json:
        call.output.json(_document(name, path, signed))
        return exits.DONE
    call.output.line(f"Successfully signed {name}")
    # Under the name `notation`, with the space that scripts have learnt to expect.
    indent = " " if call.output.program == "notation" else ""
    call.output.line(f"{indent}Signature file written to {path}")
    return exits.DONE


def _signature_path(call: Call, name: str, media_type: str) -> Path:
    given, directory = call.string("signature-file"), call.string("signature-directory")
    if given is not None:
        if format_of(given) != media_type:
            raise UsageError(
                f"{given} says another format than the signature has",
                hint="the name ends in .jws.sig or .cose.sig; --signature-format chooses the format",
            )
        return Path(given)
    if directory == "":
        raise UsageError("signature directory cannot be empty")
    if name == options.STANDARD_INPUT:
        raise UsageError(
            "standard input has no name to derive the signature's from",
            hint="say where the signature goes: --signature-file <blob>.jws.sig",
        )
    return signature_path(name, media_type, directory)


def _may_replace(call: Call) -> bool:
    if call.on("force"):
        call.output.warn("existing signature file will be overwritten")
        return True
    return call.output.confirm(_EXISTS, "force")


def _document(name: str, path: Path, signed: SignedBlob) -> dict[str, object]:
    signature = {
        "path": str(path),
        "mediaType": signed.signature.media_type,
        "size": len(signed.signature.data),
    }
    result = {"blob": name, "artifact": signed.subject.to_json(), "signature": signature}
    return {"schema": COMMAND.schema, "results": [result]}


COMMAND = Command(
    "sign",
    "sign a file",
    run,
    flags=(
        *signing_flags.KEY,
        *signing_flags.ENVELOPE,
        Flag("media-type", "media type of the blob", default=mt.OCTET_STREAM),
        Flag("signature-directory", "directory for the signature file (default: the blob's)"),
        Flag("signature-file", "file for the signature, ending in .jws.sig or .cose.sig"),
        Flag("force", "override the existing signature file, never prompt", Kind.BOOL),
        OUTPUT,
        *signing_flags.ELSEWHERE,
        DEBUG,
        VERBOSE,
    ),
    usage="<blob_path | ->",
    arguments=(1, None),
    missing="missing file path to the blob artifact",
    description=(
        "Sign a file. The signature is written to {blob file name}.{jws|cose}.sig beside it; the file itself\n"
        "does not change. '-' is standard input. Without --key the default signing key signs."
    ),
    examples=(
        "nv2 blob sign -k wabbit-networks.key tool.tar.gz",
        "nv2 blob sign -k ci --signature-format cose --media-type application/gzip tool.tar.gz",
        "tar c src | nv2 blob sign -k ci --signature-file src.tar.jws.sig -",
    ),
    together=signing_flags.TOGETHER,
    exclusive=(*signing_flags.EXCLUSIVE, ("signature-directory", "signature-file")),
    schema="nv2.blob.sign/v1",
)
