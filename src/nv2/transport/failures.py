"""What went wrong on the way to a host, in one line that names it, and what may help."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from nv2.errors import Unreachable

if TYPE_CHECKING:
    import ssl


class Cut(Unreachable):
    """The peer ended the connection before it had answered in full."""


PLAIN_HINT = "the registry speaks plain HTTP; use --insecure-registry if that is meant"
TLS_HINT = (
    "the registry speaks HTTPS; do not use --insecure-registry, nor list it in insecureRegistries. "
    "If another registry of this command speaks plain HTTP, list that one there"
)
MAYBE_TLS_HINT = "it was asked by plain HTTP; perhaps it speaks HTTPS"
LOCALHOST_HINT = (
    "the registry speaks HTTPS, and localhost with a port means plain HTTP: name it by a name or address "
    "that its certificate has, such as 127.0.0.1"
)
CA_HINT = "name the file of the registry's CA with --ca-file, or let this machine trust it"

CLIENT_HINT = "the server may want another client certificate, or one at all: --client-cert and --client-key"
_DATE_HINT = "whoever runs the server must renew its certificate; or is the clock of this machine wrong?"
_NAME_HINT = "name the server as its certificate does, or let whoever runs it add this name"

_BY_CERTIFICATE = {9: _DATE_HINT, 10: _DATE_HINT, 62: _NAME_HINT, 64: _NAME_HINT}
"""Hint by OpenSSL's number: not yet valid, expired, another host, another address. Others miss an authority."""

_ABOUT_CLIENTS = (
    "ALERT_CERTIFICATE",
    "ALERT_BAD_CERTIFICATE",
    "ALERT_UNKNOWN_CA",
    "ALERT_HANDSHAKE_FAILURE",
    "ALERT_UNSUPPORTED_CERTIFICATE",
)
"""Parts of OpenSSL's names of what a server says that refuses, or misses, our certificate."""

_NOT_TLS = frozenset(
    {
        "WRONG_VERSION_NUMBER",
        "HTTP_REQUEST",
        "UNKNOWN_PROTOCOL",
        "PACKET_LENGTH_TOO_LONG",
        "RECORD_LAYER_FAILURE",
        "BAD_RECORD_TYPE",
    }
)
"""What OpenSSL, by version, calls the first bytes of an HTTP answer where it expected a TLS record."""

_PLAIN_SENT_TO_TLS = (
    b"HTTP request to an HTTPS server",
    b"plain HTTP request was sent to HTTPS port",
    b"speaking plain HTTP to an SSL-enabled server port",
)
"""How Go, nginx and Apache answer plain HTTP at a TLS port, with status 400."""

_TLS_RECORD_TYPES = (b"\x15\x03", b"\x16\x03")

PROXY_HINT = (
    "this is the proxy that HTTPS_PROXY or HTTP_PROXY names; NO_PROXY lists the hosts to reach without it"
)

_BY_NUMBER = {
    errno.ECONNREFUSED: ("the connection was refused", "is the server running, and is the port right?"),
    errno.EHOSTUNREACH: ("there is no way to the host", None),
    errno.ENETUNREACH: ("there is no way to the network", None),
}


def unreachable(error: OSError, place: str, seconds: float) -> Unreachable:
    """`error`, met on a connection to `place` (host:port) that waits `seconds` for each step."""
    # Imported here: who meets no failure, and no https, does not pay for them.
    import socket
    import ssl

    if isinstance(error, ssl.SSLCertVerificationError):
        hint = _BY_CERTIFICATE.get(error.verify_code, CA_HINT)
        why = error.verify_message.rstrip(".")
        return Unreachable(f"the certificate is not trusted: {why}", at=place, hint=hint)
    if isinstance(error, ssl.SSLError):
        return _tls_failure(error, place)
    if isinstance(error, socket.gaierror):
        return Unreachable(
            "cannot find the host", at=place, hint="is the name right, and is there a network?"
        )
    if isinstance(error, TimeoutError):
        return Unreachable(f"no answer within {seconds:g} seconds", at=place)
    if isinstance(error, ConnectionError) and error.errno != errno.ECONNREFUSED:
        return Cut("the connection was cut", at=place)
    message, advice = _BY_NUMBER.get(error.errno or 0, (f"no connection: {error.strerror or error}", None))
    return Unreachable(message, at=place, hint=advice)


def _tls_failure(error: ssl.SSLError, place: str) -> Unreachable:
    if error.reason in _NOT_TLS:
        return Unreachable("does not speak TLS", at=place, hint=PLAIN_HINT)
    what = f"TLS failed: {(error.reason or str(error)).lower().replace('_', ' ')}"
    asks = any(word in (error.reason or "") for word in _ABOUT_CLIENTS)
    return Unreachable(what, at=place, hint=CLIENT_HINT if asks else None)


def speaks_tls(first_bytes: bytes) -> bool:
    """Whether an answer to plain HTTP begins like a TLS record."""
    return first_bytes.startswith(_TLS_RECORD_TYPES)


def asks_for_tls(body: bytes) -> bool:
    """Whether the body of a 400 says that plain HTTP came to a TLS port."""
    return any(phrase in body for phrase in _PLAIN_SENT_TO_TLS)


def wants_tls(place: str) -> Unreachable:
    """The failure of plain HTTP at a TLS port."""
    hint = LOCALHOST_HINT if place.lower().startswith("localhost:") else TLS_HINT
    return Unreachable("does not speak plain HTTP", at=place, hint=hint)
