"""TLS contexts. `ssl` is loaded when the first https connection is made, not before."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from nv2.errors import ConfigurationError

if TYPE_CHECKING:
    import ssl

_CA_FILE = "--ca-file names a file of certificates in PEM"
_CLIENT = "--client-cert and --client-key name two files in PEM; the key must not be encrypted"


class TlsSettings(NamedTuple):
    """Whom to believe, and who we are, on https connections."""

    ca_files: tuple[str, ...] = ()
    """PEM bundles that are trusted besides the system's."""
    client_certificate: str | None = None
    """PEM file: our certificate and its chain."""
    client_key: str | None = None
    """PEM file of its key; None if the certificate's file holds it."""
    verify: bool = True
    """False accepts any certificate. No command sets it; tests and experiments may."""


def make_context(settings: TlsSettings) -> ssl.SSLContext:
    """The context of `settings`: TLS 1.2 or later. Raises `ConfigurationError`, naming the file."""
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.sslsocket_class = _socket_class()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    if not settings.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    else:
        _trust_system(context)
    for path in settings.ca_files:
        with _located(path, "certificates", _CA_FILE):
            context.load_verify_locations(cafile=path)
    if settings.client_certificate:
        with _located(settings.client_certificate, "a client certificate with its key", _CLIENT):
            context.load_cert_chain(settings.client_certificate, settings.client_key, _no_passphrase)
    return context


def _socket_class() -> type[ssl.SSLSocket]:
    import ssl

    class Socket(ssl.SSLSocket):
        """Closed when nobody holds it: `wrap_socket` lets go of an open one if the peer has just cut it."""

        def __del__(self) -> None:
            self.close()

    return Socket


def _trust_system(context: ssl.SSLContext) -> None:
    # Reading the whole bundle takes 30 ms. A directory of hashed names is searched when it is needed;
    # where the administrator names a file, or there is no such directory, the bundle is read.
    import ssl

    paths = ssl.get_default_verify_paths()
    if "SSL_CERT_FILE" not in os.environ and paths.capath and _is_hashed(paths.capath):
        context.load_verify_locations(capath=paths.capath)
    else:
        context.load_default_certs()


def _is_hashed(directory: str) -> bool:
    try:
        with os.scandir(directory) as entries:
            return any(entry.name.endswith(".0") for entry in entries)
    except OSError:
        return False


@contextmanager
def _located(path: str, what: str, hint: str) -> Iterator[None]:
    import ssl

    try:
        yield
    except ssl.SSLError as e:
        raise ConfigurationError(
            f"cannot read {what}: {e.reason or 'not there, or not PEM'}", at=path, hint=hint
        ) from None
    except OSError as e:
        raise ConfigurationError(f"cannot read {what}: {e.strerror}", at=path, hint=hint) from None


def _no_passphrase() -> str:
    """OpenSSL would ask on the terminal otherwise, from whatever thread connects."""
    return ""
