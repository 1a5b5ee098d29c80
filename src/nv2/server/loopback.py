"""The addresses of this machine alone."""

from __future__ import annotations

import ipaddress

from nv2.errors import UsageError


def check_loopback(host: str, port: int) -> str:
    """`host` as an address, which must be one of this machine alone, and a port that can be. Raises `UsageError`."""
    if not 0 <= port <= 65535:
        raise UsageError(f"{port} is not a port", hint="ports are numbers from 0 (any free one) to 65535")
    try:
        address = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host.strip("[]"))
    except ValueError:
        raise UsageError(f"{host!r} is not an address", hint="write 127.0.0.1, [::1] or localhost") from None
    if not address.is_loopback:
        raise UsageError(
            f"{host} can be reached from other machines, and this server has no login and no TLS",
            hint="listen on 127.0.0.1; to share content, copy it to a registry that has both",
        )
    return str(address)
