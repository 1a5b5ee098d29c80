"""Heads of requests that everybody reads alike (RFC 9110, section 5; RFC 9112, sections 2, 3 and 5).

The standard library reads them leniently. What a proxy lets through as one request must not be two, nor one for
somebody else.
"""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

from nv2.server.messages import BadMessage

if TYPE_CHECKING:
    from email.message import Message

ONCE = ("Host", "Authorization")
"""Fields of which a second one would be read by some and not by others."""

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", re.ASCII)
"""The name of a field (RFC 9110, section 5.6.2)."""

_HOST = re.compile(r"[A-Za-z0-9._~%!$&'()*+,;=:\[\]-]*", re.ASCII)
"""The characters of a host and its port (RFC 3986, section 3.2.2)."""


class StrictLines(io.BufferedReader):
    """Reads lines that everybody reads alike: they end with CR LF, neither CR nor NUL is within, none goes on in the next
    (RFC 9112, 2.2 and 5.2).

    The standard library takes a lone CR or LF for the end of a field, so what a proxy let through as one could be two.
    """

    def readline(self, size: int | None = -1, /) -> bytes:
        """As any stream does. Raises `BadMessage`."""
        line = super().readline(size)
        within = line.removesuffix(b"\n").removesuffix(b"\r")
        alone = line.endswith(b"\n") and not line.endswith(b"\r\n")
        if alone or b"\r" in within or b"\0" in within or line[:1] in (b" ", b"\t"):
            raise BadMessage(400, "a line that cannot be read")
        return line


def check_fields(headers: Message[str, str], version: str) -> None:
    """Raise `BadMessage` (400) unless all of `headers`, of a request in `version`, are fields, with one host."""
    # A line `From x` passes for the beginning of a mail: the first is kept apart, the last for a body.
    if headers.defects or headers.get_unixfrom() is not None or headers.get_payload():
        raise BadMessage(400, "the header cannot be read")
    if not all(_TOKEN.fullmatch(name) for name in headers):
        raise BadMessage(400, "the name of a field is no token")
    if any(len(headers.get_all(name, [])) > 1 for name in ONCE):
        raise BadMessage(400, f"one of {', '.join(ONCE)} comes twice")
    host = headers.get("Host")
    if host is None and version != "HTTP/1.0":
        raise BadMessage(400, "the request names no host")
    if not _HOST.fullmatch((host or "").strip(" \t")):
        raise BadMessage(400, "the host cannot be read")
