"""Logging in to registries, wired: ask the registry, then hand the credentials to a helper."""

from __future__ import annotations

from nv2.content.remote.endpoint import base_url, ping
from nv2.errors import CredentialError, UsageError
from nv2.notary.session import Session
from nv2.oci.reference import is_registry
from nv2.transport.credentials import Credential
from nv2.transport.urls import origin_of


def check_server(server: str) -> str:
    """`server`, if it is `host[:port]`. Raises `UsageError`."""
    if not is_registry(server):
        raise UsageError(
            f"{server!r} is not a registry", hint="write host or host:port, without scheme and path"
        )
    return server


def log_in(session: Session, server: str, username: str, password: str) -> bool:
    """Log in to `server` with the session's explicit credentials, which are these, and keep them.

    Without a user name, the password is an identity token. Returns False if the credentials are right and
    known, but cannot be kept in a helper. Raises `Refused` and other `RemoteError`s, `CredentialError`.
    """
    credential = Credential(username, password) if username else Credential(identity_token=password)
    plain_http = session.registries.plain_http(server)
    _warn_of_another(session, server, base_url(server, plain_http=plain_http))
    if not ping(server, session.registries.transport_to(server, alone=True), plain_http=plain_http):
        session.warn(f"{server} lets everybody in: the user name and the password were not checked")
    store = session.registries.credential_store()
    try:
        store.put(server, credential)
    except CredentialError:
        if store.get(server) == credential:
            return False
        raise
    return True


def _warn_of_another(session: Session, server: str, usual: str) -> None:
    """Credentials belong to a host: those of `server` are not sent to whoever a hosts file puts in its place."""
    base = session.registries.base_of(server)
    if base and origin_of(base) != origin_of(usual):
        other = origin_of(base).authority
        session.warn(
            f"a hosts file puts {other} in the place of {server}: nv2 login {other} is what counts there"
        )


def log_out(session: Session, server: str) -> None:
    """Forget the credentials of `server`. Raises `CredentialError`."""
    session.registries.credential_store().erase(server)
