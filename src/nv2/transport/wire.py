"""HTTP/1.1 messages as bytes (RFC 9112): writing the head of a request, reading that of a response.

What this module does not do: move bytes. It is strict where two readers could disagree about where a
message ends: no folded lines, no spaces before a colon, one length, never a length beside chunks.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from nv2.errors import BadAnswer, UsageError

MAX_HEAD = 64 * 1024
"""Bytes of a status line and headers, or of trailers: presigned redirects and policies stay far below."""

MAX_FIELDS = 200
"""Header fields of one answer."""

MAX_CHUNK_LINE = 1024
"""Bytes of the line that says how long a chunk is, extensions included."""

END_OF_HEAD = b"\r\n\r\n"

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", re.ASCII)
_FIELD_VALUE = re.compile(r"[\t -~]*", re.ASCII)
_STATUS_LINE = re.compile(r"HTTP/1\.([01]) ([1-9][0-9]{2})(?: .*)?", re.ASCII)
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;.*)?", re.DOTALL)


class Head(NamedTuple):
    """Status and headers; names are lower case, equal ones are joined by a comma (RFC 9110 5.3)."""

    status: int
    headers: Mapping[str, str]
    keep_alive: bool


class Framing(NamedTuple):
    """How the body ends: after `length` bytes, with the last chunk, or (neither) with the connection."""

    length: int | None
    chunked: bool = False


def request_head(method: str, target: str, headers: Mapping[str, str]) -> bytes:
    """The head of a request. Raises `UsageError` for a header that cannot be sent as it is."""
    for name, value in headers.items():
        if not _TOKEN.fullmatch(name) or not _FIELD_VALUE.fullmatch(value):
            raise UsageError(f"the header {name!r} cannot be sent")
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join(lines).encode("ascii") + END_OF_HEAD


def parse_head(data: bytes, at: str) -> Head:
    """Read status line and headers without the empty line after them. Raises `BadAnswer`."""
    lines = data.decode("latin-1").split("\r\n")
    found = _STATUS_LINE.fullmatch(lines[0])
    if not found:
        raise BadAnswer("the answer is not HTTP", at=at)
    if len(lines) > MAX_FIELDS + 1:
        raise BadAnswer(f"the answer has more than {MAX_FIELDS} headers", at=at)
    headers: dict[str, str] = {}
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if not colon or not _TOKEN.fullmatch(name) or "\n" in value or "\r" in value or "\0" in value:
            raise BadAnswer("the answer has a malformed header", at=at)
        name, value = name.lower(), value.strip(" \t")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    options = headers.get("connection", "").lower()
    return Head(int(found[2]), headers, found[1] == "1" and "close" not in options)


def framing(head: Head, method: str, at: str) -> Framing:
    """How the body of the answer to `method` ends (RFC 9112 6.3). Raises `BadAnswer` if that is ambiguous."""
    if method == "HEAD" or head.status in (204, 304) or head.status < 200:
        return Framing(0)
    encoding, length = head.headers.get("transfer-encoding"), head.headers.get("content-length")
    if encoding is not None:
        if encoding.lower() != "chunked" or length is not None:
            raise BadAnswer("the answer does not say clearly where it ends", at=at)
        return Framing(None, chunked=True)
    if length is None:
        return Framing(None)
    lengths = {part.strip() for part in length.split(",")}
    text = lengths.pop()
    if lengths or not text.isascii() or not text.isdigit() or len(text) > 18:
        raise BadAnswer(f"the answer has the length {length[:40]!r}", at=at)
    return Framing(int(text))


def parse_chunk_size(line: bytes, at: str) -> int:
    """The length that the line before a chunk announces. Raises `BadAnswer`."""
    found = _CHUNK_SIZE.fullmatch(line)
    if not found:
        raise BadAnswer("the answer has a malformed chunk", at=at)
    return int(found[1], 16)
