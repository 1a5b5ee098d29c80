"""The addresses of this machine alone, and when others may be listened on."""

from __future__ import annotations

import ipaddress

from nv2.errors import UsageError


def check_address(host: str, port: int, *, public: bool = False) -> str:
    """`host` as an address: one of this machine alone unless `public`; and a port that can be. Raises `UsageError`."""
    if not 0 <= port <= 65535:
        raise UsageError(f"{port} is not a port", hint="ports are numbers from 0 (any free one) to 65535")
    try:
        address = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host.strip("[]"))
    except ValueError:
        raise UsageError(f"{host!r} is not an address", hint="write 127.0.0.1, [::1] or localhost") from None
    if not (public or address.is_loopback):
        raise UsageError(
            f"{host} can be reached from other machines, which takes TLS and a login",
            hint="give it a certificate (--tls-cert, --tls-key) and a file of logins and rights (--access)",
        )
    return str(address)


def is_loopback(address: str) -> bool:
    """Whether `address`, one that `check_address` gave, is of this machine alone."""
    return ipaddress.ip_address(address).is_loopback
