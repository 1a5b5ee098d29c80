"""`nv2 key add`: a key that exists already, in files, in a token or behind a plugin."""

from __future__ import annotations

from pathlib import Path

from nv2.cli import exits, passphrase
from nv2.cli.command import NO_NETWORK_DEBUG, VERBOSE, Call, Command, Flag, Kind
from nv2.errors import UsageError

DEFAULT = Flag("default", "mark as default", Kind.BOOL)
_PLUGIN_FLAGS = ("id", "plugin-config")
_HOW_TO_ADD = "nv2 key add NAME --key-file FILE --cert-file FILE, or --plugin PLUGIN --id ID"
_ONE_NAME = "either missing key name or unnecessary parameters passed"


def run(call: Call) -> int:
    """Add one key to the list."""
    if "pkcs11" in call.changed:
        _add_token_key(call)
    elif "plugin" in call.changed:
        _add_plugin_key(call)
    else:
        _add_pair(call)
    call.output.line(marked(call.arguments[0], call.on("default")))
    return exits.DONE


def marked(name: str, default: bool) -> str:
    """The line that says that the key `name` is on the list, and whether it signs where none is named."""
    return f"{name}: marked as default" if default else name


def _add_pair(call: Call) -> None:
    from nv2.notary.keyring import add_key
    from nv2.notary.machine import Machine

    if stray := [flag for flag in _PLUGIN_FLAGS if flag in call.changed]:
        raise UsageError(f"--{stray[0]} is for plugins: --plugin names one", hint=_HOW_TO_ADD)
    key = call.string("key-file")
    if not key:
        raise UsageError('required flag(s) "key-file" not set', hint=_HOW_TO_ADD)
    warnings = add_key(
        Machine.from_environment(),
        call.arguments[0],
        Path(key),
        _certificate(call),
        default=call.on("default"),
        passphrase=passphrase.passphrase_source(call),
    )
    for warning in warnings:
        call.output.warn(warning)


def _add_plugin_key(call: Call) -> None:
    from nv2.notary.keyring import add_plugin_key
    from nv2.notary.machine import Machine

    add_plugin_key(
        Machine.from_environment(),
        call.arguments[0],
        call.string("plugin") or "",
        call.string("id") or "",
        call.pairs("plugin-config"),
        default=call.on("default"),
    )


def _add_token_key(call: Call) -> None:
    from nv2.notary.keyring import add_token_key
    from nv2.notary.machine import Machine

    add_token_key(
        Machine.from_environment(),
        call.arguments[0],
        call.string("pkcs11") or "",
        _certificate(call),
        default=call.on("default"),
        passphrase=passphrase.passphrase_source(call),
    )


def _certificate(call: Call) -> Path | None:
    path = call.string("cert-file")
    return Path(path) if path else None


COMMAND = Command(
    "add",
    "add a key to the list of signing keys",
    run,
    flags=(
        Flag("key-file", "file of the private key: PEM or PKCS#12"),
        Flag("cert-file", "file of its certificates, when not with the key or beside it"),
        Flag("pkcs11", "URI of a key in a token: 'pkcs11:token=ci;object=build'"),
        DEFAULT,
        *passphrase.FLAGS,
        Flag("plugin", "signing plugin name"),
        Flag("id", "key id (required if --plugin is set)"),
        Flag("plugin-config", "passed to the plugin as it is", Kind.PAIRS),
        NO_NETWORK_DEBUG,
        VERBOSE,
    ),
    usage="<key_name>",
    arguments=(1, 1),
    missing=_ONE_NAME,
    too_many=_ONE_NAME,
    description=(
        "Add a pair of files, or a key in a token, to the list of signing keys. Both stay where they are."
    ),
    examples=(
        "nv2 key add ci --key-file ci.key --cert-file ci.crt --default",
        "nv2 key add hsm --pkcs11 'pkcs11:token=ci;object=build?module-name=softhsm2'",
    ),
    exclusive=(
        ("pkcs11", "key-file"),
        ("pkcs11", "plugin"),
        ("key-file", "plugin"),
        ("cert-file", "plugin"),
    ),
)
