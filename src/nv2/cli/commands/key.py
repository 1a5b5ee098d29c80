"""`nv2 key`: the keys that sign."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from nv2.cli import exits
from nv2.cli.command import NO_NETWORK_DEBUG, OUTPUT, VERBOSE, Call, Command, Flag, Group, wants_json
from nv2.cli.commands import key_add
from nv2.errors import UsageError

if TYPE_CHECKING:
    from nv2.home.signing_keys import SigningKey

_VALIDITY = re.compile(r"([0-9]{1,6})([dh])", re.ASCII)


def generate(call: Call) -> int:
    """Make a pair of files, and add it to the list."""
    from nv2.notary.keyring import generate_pair
    from nv2.notary.machine import Machine

    name, default = call.arguments[0], call.on("default")
    pair = generate_pair(
        Machine.from_environment(),
        name,
        call.string("subject") or "",
        call.string("key-spec") or "",
        _validity(call.string("validity") or ""),
        default=default,
    )
    call.output.lines(
        (
            f"wrote key: {pair.key}",
            f"wrote certificate: {pair.certificate}",
            f"subject: {pair.subject}",
            f"valid until: {pair.not_after}",
            f"SHA256 thumbprint: {pair.thumbprint}",
            f"{name}: added to the key list",
        )
    )
    if default:
        call.output.line(f"{name}: marked as default signing key")
    for line in _hand_out(pair.certificate.name, call.output.program):
        call.output.note(line)
    return exits.DONE


def _hand_out(certificate: str, program: str) -> tuple[str, ...]:
    return (
        f"Hand out {certificate}, never the key, over a way that your users trust. They verify with",
        f"  {program} verify -k {certificate} -r REFERENCE",
        "or put it into a trust store that their trust policy names. It was put into no trust store here:",
        "what a machine signs with and what it trusts are two decisions.",
    )


def _validity(text: str) -> timedelta:
    found = _VALIDITY.fullmatch(text)
    if not found:
        raise UsageError(f"--validity: {text!r} is not a number of days or hours", hint="write 365d or 12h")
    number = int(found[1])
    return timedelta(days=number) if found[2] == "d" else timedelta(hours=number)


def update(call: Call) -> int:
    """Mark a key as the default."""
    from nv2.notary.keyring import set_default
    from nv2.notary.machine import Machine

    if not call.on("default"):
        call.output.warn("--default flag is not set, command did not take effect")
        return exits.DONE
    set_default(Machine.from_environment(), call.arguments[0])
    call.output.line(key_add.marked(call.arguments[0], True))
    return exits.DONE


def list_all(call: Call) -> int:
    """List the keys."""
    from nv2.notary.keyring import list_keys
    from nv2.notary.machine import Machine

    as_json = wants_json(call)
    found = list_keys(Machine.from_environment())
    if as_json:
        keys = [_document(key, key.name == found.default) for key in found.keys]
        call.output.json({"schema": "nv2.key.list/v1", "default": found.default, "keys": keys})
        return exits.DONE
    call.output.table(
        ("NAME", "KEY PATH", "CERTIFICATE PATH", "ID", "PLUGIN NAME"),
        [
            (
                f"* {key.name}" if key.name == found.default else key.name,
                *(text or "" for text in (key.key_path, key.certificate_path, key.id or key.uri, key.plugin)),
            )
            for key in found.keys
        ],
    )
    return exits.DONE


def _document(key: SigningKey, default: bool) -> dict[str, Any]:
    """Without the plugin's configuration, which may hold secrets."""
    fields = {
        "keyPath": key.key_path,
        "certPath": key.certificate_path,
        "id": key.id,
        "pluginName": key.plugin,
        "pkcs11": key.uri,
    }
    return {"name": key.name, "default": default} | {k: v for k, v in fields.items() if v is not None}


def delete(call: Call) -> int:
    """Take keys off the list."""
    from nv2.notary.keyring import delete_keys
    from nv2.notary.machine import Machine

    names = call.arguments
    default = delete_keys(Machine.from_environment(), names)
    if len(names) == 1:
        shown = f"default key {names[0]}" if names[0] == default else names[0]
        call.output.line(f"Removed {shown} from Notation signing key list. The source key still exists.")
        return exits.DONE
    call.output.line(
        "Removed the following keys from Notation signing key list. The source keys still exist."
    )
    call.output.lines(f"{name} (default)" if name == default else name for name in names)
    return exits.DONE


COMMAND = Group(
    "key",
    "Manage keys used for signing",
    (
        key_add.COMMAND,
        Command(
            "generate",
            "generate a key with a self-signed certificate",
            generate,
            flags=(
                Flag(
                    "subject", 'distinguished name, such as "CN=ci,O=example.com,ST=WA,C=US"', required=True
                ),
                Flag("key-spec", "RSA-2048, RSA-3072, RSA-4096, EC-256, EC-384 or EC-521", default="EC-256"),
                Flag("validity", "how long the certificate is valid, such as 30d or 12h", default="365d"),
                key_add.DEFAULT,
            ),
            usage="<key_name>",
            arguments=(1, 1),
            missing="missing key name",
            description=(
                "Generate a key with a self-signed certificate in localkeys/, and add it to the list of signing\n"
                "keys. It is added to no trust store: what a machine signs with and what it trusts are two\n"
                "decisions."
            ),
            examples=('nv2 key generate ci --subject "CN=ci,O=example.com,ST=WA,C=US" --default',),
        ),
        Command(
            "list",
            "list keys used for signing",
            list_all,
            flags=(OUTPUT,),
            aliases=("ls",),
            examples=("nv2 key ls", "nv2 key list --output json"),
            schema="nv2.key.list/v1",
        ),
        Command(
            "update",
            "update a key in the list of signing keys",
            update,
            flags=(key_add.DEFAULT, NO_NETWORK_DEBUG, VERBOSE),
            usage="<key_name>",
            arguments=(1, None),
            missing="missing key name",
            aliases=("set",),
            examples=("nv2 key set --default ci",),
        ),
        Command(
            "delete",
            "remove keys from the list of signing keys",
            delete,
            flags=(NO_NETWORK_DEBUG, VERBOSE),
            usage="<key_name>...",
            arguments=(1, None),
            missing="missing key names",
            description="Remove keys from the list of signing keys, all or none. The files stay.",
            examples=("nv2 key delete ci",),
        ),
    ),
    examples=(
        'nv2 key generate ci --subject "CN=ci,O=example.com,ST=WA,C=US" --default',
        "nv2 key add wabbit --key-file wabbit-networks.key --cert-file wabbit-networks.crt",
        "nv2 key list",
    ),
)
