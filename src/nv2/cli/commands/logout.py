"""`nv2 logout`: forget the credentials of a registry."""

from __future__ import annotations

from nv2.cli import exits
from nv2.cli.command import NO_NETWORK_DEBUG, VERBOSE, Call, Command
from nv2.errors import CredentialError


def run(call: Call) -> int:
    """Log out of one registry."""
    from nv2.notary.logins import check_server, log_out
    from nv2.notary.registry_access import Settings
    from nv2.notary.session import Session

    server = check_server(call.arguments[0])
    session = call.resources.enter_context(Session.from_environment(Settings(warn=call.output.warn)))
    try:
        log_out(session, server)
    except CredentialError as e:
        raise CredentialError(f"failed to log out of {server}: {e}", hint=e.hint) from None
    call.output.line("Logout Succeeded")
    return exits.DONE


COMMAND = Command(
    "logout",
    "log out of a registry",
    run,
    flags=(NO_NETWORK_DEBUG, VERBOSE),
    usage="<server>",
    arguments=(1, None),
    missing="no hostname specified",
    examples=("nv2 logout registry.example.com",),
)
