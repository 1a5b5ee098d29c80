"""`HOST:PORT:ADDRESS[:PORT]`, as curl and oras have it: where to connect for a name, in place of what a name server says.

Only the connection changes. The name stays in requests, in the check of the certificate, and for credentials.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable

from nv2.errors import UsageError
from nv2.transport.urls import DEFAULT_PORTS, Origin

EXPECTED = "expected HOST:PORT:ADDRESS or HOST:PORT:ADDRESS:PORT, as in registry.example.com:443:192.0.2.7"

MAX_PORT = 65535

_HOST = r"(?:\[[0-9a-fA-F:.]+\]|[A-Za-z0-9_.-]+)"
_LITERAL = r"(?:\[[0-9a-fA-F:.]+\]|[0-9.]+|[0-9a-fA-F:]*:[0-9a-fA-F:.]*)"
_FORM = re.compile(rf"({_HOST}):([0-9]{{1,5}}):({_LITERAL})(?::([0-9]{{1,5}}))?", re.ASCII)


def parse_resolutions(texts: Iterable[str]) -> dict[Origin, Origin]:
    """Where to connect to, by origin. An IPv6 address may stand in brackets, and must if a port follows.

    Raises `UsageError`, also if two of them speak of one host and port.
    """
    found: dict[Origin, Origin] = {}
    for text in texts:
        (host, port), (address, goal) = _parse(text)
        for scheme in DEFAULT_PORTS:
            origin = Origin(scheme, host, port)
            if origin in found:
                raise UsageError(f"{origin.place} is to be at two addresses", at="--resolve")
            found[origin] = Origin(scheme, address, goal)
    return found


def _parse(text: str) -> tuple[tuple[str, int], tuple[str, int]]:
    match = _FORM.fullmatch(text)
    if match is None:
        raise _refused(text)
    host, port, address, goal = match.groups()
    ports = (int(port), int(goal or port))
    if not all(0 < number <= MAX_PORT for number in ports):
        raise _refused(text)
    try:
        literal = ipaddress.ip_address(address.strip("[]"))
    except ValueError:
        raise _refused(text) from None
    return (host.strip("[]").lower(), ports[0]), (str(literal), ports[1])


def _refused(text: str) -> UsageError:
    return UsageError(f"cannot be read: {text!r}", at="--resolve", hint=EXPECTED)
