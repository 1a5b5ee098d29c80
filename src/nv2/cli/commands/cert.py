"""`nv2 cert`: the certificates that are trusted."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from nv2.cli import exits
from nv2.cli.command import NO_NETWORK_DEBUG, OUTPUT, VERBOSE, Call, Command, Flag, Group, Kind, wants_json
from nv2.cli.commands import cert_trial
from nv2.errors import Nv2Error, TrustStoreError, UsageError

if TYPE_CHECKING:
    from nv2.notary.machine import Machine
    from nv2.notary.trust_stores import Listed
    from nv2.pki.certificate import Certificate

_TYPE_HELP = "specify trust store type, options: ca, signingAuthority, tsa"
_STORE_HELP = "specify named store"
_TYPE = Flag("type", _TYPE_HELP, short="t", required=True)
_STORE = Flag("store", _STORE_HELP, short="s", required=True)
_RULE = "-" * 80


def _store(call: Call) -> tuple[str, str]:
    return call.string("type") or "", call.string("store") or ""


def add(call: Call) -> int:
    """Copy files into a store; those that can be, even if others cannot."""
    from nv2.notary.machine import Machine
    from nv2.notary.trust_stores import add_to_store, check_store

    machine = Machine.from_environment()
    kind, name = _store(call)
    check_store(machine, kind, name)
    added, failed = [], []
    for path in call.arguments:
        try:
            warning = add_to_store(machine, kind, name, Path(path))
        except Nv2Error as e:
            failed.append((path, e))
            continue
        added.append(path)
        if warning:
            call.output.warn(warning)
    if added:
        call.output.line(f"Successfully added following certificates to named store {name} of type {kind}:")
        call.output.lines(added)
    if not failed:
        return exits.DONE
    call.output.error(
        TrustStoreError(f"Failed to add following certificates to named store {name} of type {kind}:")
    )
    for path, error in failed:
        call.output.detail(f'{path}, with error "{error.message}"')
        if error.hint:
            call.output.detail(f"hint: {error.hint}")
    return exits.PARTLY if added else exits.FAILED


def list_all(call: Call) -> int:
    """List the files of stores."""
    from nv2.notary.machine import Machine
    from nv2.notary.trust_stores import check_type, list_stored

    as_json = wants_json(call)
    if call.output.program != "notation":  # which lists nothing, as if there were nothing
        check_type(call.string("type") or "")
    found = list(list_stored(Machine.from_environment(), *_store(call)))
    good = [listed for listed in found if not listed.problem]
    if as_json:
        _print_json(call, found)
    elif good:
        rows = [(listed.file.kind, listed.file.store, listed.file.name) for listed in good]
        call.output.table(("STORE TYPE", "STORE NAME", "CERTIFICATE"), rows)
    for listed in found:
        if listed.problem:
            call.output.error(listed.problem)
    return exits.DONE if len(good) == len(found) else exits.FAILED


def _print_json(call: Call, found: list[Listed]) -> None:
    from nv2.cli.output import error_document
    from nv2.notary.trust_stores import describe_certificate

    files = [
        {
            "type": listed.file.kind,
            "store": listed.file.store,
            "file": listed.file.name,
            "path": str(listed.file.path),
            "certificates": [describe_certificate(certificate) for certificate in listed.certificates],
            **({"error": error_document(listed.problem)} if listed.problem else {}),
        }
        for listed in found
    ]
    call.output.json({"schema": "nv2.cert.list/v1", "files": files})


def show(call: Call) -> int:
    """Show the certificates of one file."""
    from nv2.notary.machine import Machine
    from nv2.notary.trust_stores import check_store, describe_certificate, show_stored

    as_json = wants_json(call)
    machine = Machine.from_environment()
    (kind, name), file = _store(call), call.arguments[0]
    check_store(machine, kind, name, file)
    try:
        certificates = show_stored(machine, kind, name, file)
    except TrustStoreError as e:
        raise TrustStoreError(
            f"failed to show details of certificate {file}, with error: {e}", hint=e.hint
        ) from None
    if as_json:
        call.output.json(
            {
                "schema": "nv2.cert.show/v1",
                "type": kind,
                "store": name,
                "file": file,
                "certificates": [describe_certificate(certificate) for certificate in certificates],
            }
        )
        return exits.DONE
    call.output.line("Certificate details")
    for certificate in certificates:
        call.output.line(_RULE)
        call.output.lines(_details(certificate))
    return exits.DONE


def _details(certificate: Certificate) -> tuple[str, ...]:
    return (
        f"Issuer: {certificate.issuer}",
        f"Subject: {certificate.subject}",
        f"Valid from: {_go_time(certificate.not_before)}",
        f"Valid to: {_go_time(certificate.not_after)}",
        f"IsCA: {str(certificate.is_ca).lower()}",
        f"SHA256 Thumbprint: {certificate.thumbprint}",
    )


def _go_time(instant: datetime) -> str:
    """As Go's `time.Time` prints itself."""
    return f"{instant:%Y-%m-%d %H:%M:%S} +0000 UTC"


def delete(call: Call) -> int:
    """Delete one file of a store, or the store."""
    from nv2.notary.machine import Machine

    if call.on("all") and call.arguments:
        raise UsageError(
            "cannot delete a single certificate file when --all flag is set. use --help flag for more details"
        )
    if not call.on("all") and not call.arguments:
        raise UsageError(
            "delete requires either the certificate file name that needs to be deleted or --all flag to delete "
            "all certificates in the given named trust store",
            hint="see 'nv2 cert list'",
        )
    machine = Machine.from_environment()
    return _delete_store(call, machine) if call.on("all") else _delete_file(call, machine)


def _delete_file(call: Call, machine: Machine) -> int:
    from nv2.notary.trust_stores import check_store, delete_from_store

    (kind, name), file = _store(call), call.arguments[0]
    check_store(machine, kind, name, file)
    if not _confirmed(call, f'Are you sure you want to delete "{file}" in "{name}" of type "{kind}"?'):
        return exits.DONE
    try:
        delete_from_store(machine, kind, name, file)
    except TrustStoreError as e:
        raise TrustStoreError(f"failed to delete the certificate file: {e}", hint=e.hint) from None
    call.output.line(f"Successfully deleted {file} from trust store {name} of type {kind}")
    return exits.DONE


def _delete_store(call: Call, machine: Machine) -> int:
    from nv2.notary.trust_stores import check_store, delete_store

    kind, name = _store(call)
    check_store(machine, kind, name)
    if not _confirmed(
        call, f'Are you sure you want to delete all certificates in "{name}" of type "{kind}"?'
    ):
        return exits.DONE
    try:
        path = delete_store(machine, kind, name)
    except TrustStoreError as e:
        raise TrustStoreError(f"failed to delete the named trust store: {e}", hint=e.hint) from None
    call.output.line(f"Successfully deleted {path}")
    return exits.DONE


def _confirmed(call: Call, question: str) -> bool:
    return call.on("yes") or call.output.confirm(question, "yes")


COMMAND = Group(
    "cert",
    "Manage certificates in trust store for signature verification",
    (
        Command(
            "add",
            "add certificates to the trust store",
            add,
            flags=(_TYPE, _STORE),
            usage="<cert_path>...",
            arguments=(1, None),
            missing="missing certificate path",
            description=(
                "Copy files of certificates into a trust store. A trust policy says for which artifacts\n"
                "the store counts."
            ),
            examples=("nv2 cert add --type ca --store acme-rockets acme-rockets.crt",),
        ),
        Command(
            "list",
            "list certificates in the trust store",
            list_all,
            flags=(
                Flag("type", _TYPE_HELP, short="t"),
                Flag("store", _STORE_HELP, short="s"),
                OUTPUT,
                NO_NETWORK_DEBUG,
                VERBOSE,
            ),
            aliases=("ls",),
            examples=("nv2 cert ls", "nv2 cert ls --type ca --store acme-rockets"),
            schema="nv2.cert.list/v1",
        ),
        Command(
            "show",
            "show the certificates of one file of a trust store",
            show,
            flags=(_TYPE, _STORE, OUTPUT, NO_NETWORK_DEBUG, VERBOSE),
            usage="<cert_fileName>",
            arguments=(1, 1),
            missing="missing certificate file name",
            too_many="show only supports single certificate file",
            examples=("nv2 cert show --type ca --store acme-rockets acme-rockets.crt",),
            schema="nv2.cert.show/v1",
        ),
        Command(
            "delete",
            "delete certificates from the trust store",
            delete,
            flags=(
                _TYPE,
                _STORE,
                Flag("all", "delete all certificates in the named store", Kind.BOOL, "a"),
                Flag("yes", "do not prompt for confirmation", Kind.BOOL, "y"),
            ),
            usage="(--all | <cert_fileName>)",
            examples=(
                "nv2 cert delete --type ca --store acme-rockets acme-rockets.crt",
                "nv2 cert delete --type ca --store acme-rockets --all --yes",
            ),
        ),
        cert_trial.GENERATE,
        cert_trial.CLEANUP,
    ),
    aliases=("certificate",),
    examples=(
        "nv2 cert add --type ca --store acme-rockets acme-rockets.crt",
        "nv2 cert list --type ca --store acme-rockets",
    ),
)
