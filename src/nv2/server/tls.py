"""The certificate that a listener shows: TLS 1.2 or newer, read anew on demand."""

from __future__ import annotations

import ssl
from pathlib import Path

from nv2.errors import ConfigurationError

HANDSHAKE = 20.0
"""Seconds in which a client must have agreed on keys."""


class ServerCertificate:
    """A chain and its private key, both PEM: the server's certificate first. The key has no passphrase."""

    def __init__(self, chain: Path, key: Path) -> None:
        """Read both. Raises `ConfigurationError`."""
        self._chain, self._key = chain, key
        self._context = _context(chain, key)

    @property
    def context(self) -> ssl.SSLContext:
        """What new connections are wrapped with."""
        return self._context

    def reload(self) -> None:
        """Read both again, for new connections. Raises `ConfigurationError`; then the old ones are kept."""
        self._context = _context(self._chain, self._key)


def _context(chain: Path, key: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    # Most clients close without a word. Nothing can be cut off unseen: every body says where it ends.
    context.options |= ssl.OP_IGNORE_UNEXPECTED_EOF
    for path in (chain, key):
        try:
            path.open("rb").close()  # OpenSSL does not say which of the two it could not open
        except OSError as e:
            raise ConfigurationError(f"cannot be read: {e.strerror}", at=str(path)) from None
    try:
        context.load_cert_chain(chain, key, password=_no_passphrase)
    except (ssl.SSLError, ValueError) as e:
        reason = getattr(e, "reason", None) or str(e)
        raise ConfigurationError(
            f"not a certificate and its key: {str(reason).lower().replace('_', ' ')}",
            at=f"{chain}, {key}",
            hint="expected PEM: the server's certificate and the intermediate ones, and a key without passphrase",
        ) from None
    return context


def _no_passphrase() -> str:
    raise ValueError("the key has a passphrase")
