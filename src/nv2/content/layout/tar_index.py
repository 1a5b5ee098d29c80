"""Where the files of an OCI image layout stand in a tar archive (POSIX pax and ustar, GNU).

The headers are walked once, and nothing is unpacked. Programs differ in how they read odd archives: what two of
them could read differently is refused, so that no layout is one thing to nv2 and another to whoever unpacks it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from nv2.errors import BadAnswer, MalformedManifest
from nv2.plain_text import quoted

BLOCK = 512

MAX_HEADERS = 400_000
"""Headers of an archive: those of 100,000 signatures and their envelopes, extended ones too. Some 100 MB of memory."""

MAX_EXTENSION = 64 * 1024
"""Bytes of an extension: a long name, or what some programs add about owners and times."""

_REGULAR, _DIRECTORY = (b"\0", b"0", b"7"), b"5"
_NO_FILES = (b"1", b"2", b"3", b"4", b"6")
"""Links, devices and pipes."""
_LONG_NAME, _PAX, _PAX_GLOBAL, _IGNORED = b"L", b"x", b"g", (b"K", b"V")
"""`K` is the long target of a link, `V` the label of a volume."""

_POSIX = b"ustar\x0000"
_CHECKSUM = slice(148, 156)
_WANTED = "a layout is a directory or a tar archive of one"
_LENGTH = re.compile(rb"[0-9]{1,6} ")


class Member(NamedTuple):
    """Bytes of the archive that are one file."""

    offset: int
    size: int


class Header(NamedTuple):
    """What one header says; `offset` is where its data begin."""

    name: bytes
    kind: bytes
    size: int
    offset: int
    at: str

    def wrong(self, message: str) -> MalformedManifest:
        """The error for what this header says."""
        return MalformedManifest(message, at=self.at)


def index_members(stream: BinaryIO, length: int, at: str, *, nothing_else: bool = False) -> dict[str, Member]:
    """The files of the layout in `stream`, an archive of `length` bytes, by their names. `at` names it in messages.

    What belongs to no layout is left out, or with `nothing_else` refused. Raises `MalformedManifest` for what is no tar archive or is cut off, and
    for names that lead out of it, sparse files, and files of the layout that are there twice or are links or
    devices; `BadAnswer` above the limits.
    """
    found: dict[str, Member] = {}
    for header in headers_of(stream, length, at):
        name = _plain_name(header)
        if nothing_else and name and not _belongs(name):
            raise header.wrong(f"{quoted(name)} does not belong to an image layout")
        if header.kind == _DIRECTORY or not _belongs(name):
            continue
        if header.kind not in _REGULAR:
            raise header.wrong(f"{quoted(name)} is no regular file")
        if name in found:
            raise header.wrong(f"{quoted(name)} is in the archive twice")
        found[name] = Member(header.offset, header.size)
    return found


def _belongs(name: str) -> bool:
    return name in ("oci-layout", "index.json", "blobs") or name.startswith("blobs/")


def headers_of(stream: BinaryIO, length: int, at: str) -> Iterator[Header]:
    """Every header of a file, directory or link, with what the extensions before it say."""
    position, said = 0, dict[str, bytes]()
    for _ in range(MAX_HEADERS):
        header = _header(stream, position, length, at)
        if header is None:
            if said:
                raise MalformedManifest("the last extension belongs to no file", at=at)
            return
        if header.kind in (_LONG_NAME, _PAX, _PAX_GLOBAL):
            more = _extension(stream, header)
            if more.keys() & said.keys():
                raise header.wrong("two extensions say different things of one file")
            said |= more
        elif header.kind not in _IGNORED:
            header, said = _extended(header, said), {}
            yield header
        position = header.offset + -(-header.size // BLOCK) * BLOCK
        if position > length:
            raise header.wrong("the archive ends in the middle of a file")
    raise BadAnswer(f"the archive has more than {MAX_HEADERS} headers", at=at)


def _header(stream: BinaryIO, position: int, length: int, at: str) -> Header | None:
    """The header at `position`, or None at the end mark: two blocks of zeros."""
    block = exactly(stream, position, BLOCK)
    at = f"{at}, byte {position}"
    if len(block) < BLOCK and position:
        raise MalformedManifest("the archive has no end mark: it may have been cut off", at=at)
    if block and not any(block):
        if any(exactly(stream, position + BLOCK, BLOCK)) or not position:
            raise MalformedManifest("a header is empty", at=at)
        return None
    plain = sum(block) - sum(block[_CHECKSUM]) + 8 * ord(" ")
    if len(block) < BLOCK or _number(block[_CHECKSUM], at) != plain:
        raise MalformedManifest("no header of a tar archive", at=at, hint=None if position else _WANTED)
    name, kind = _text(block[:100]), block[156:157]
    if block[257:265] == _POSIX and (prefix := _text(block[345:500])):
        name = prefix + b"/" + name
    header = Header(name, kind, _number(block[124:136], at), position + BLOCK, at)
    if kind in (*_NO_FILES, _DIRECTORY) and header.size:
        raise header.wrong("a link, device or directory with content")
    if header.offset + header.size > length and kind not in _REGULAR:
        raise header.wrong("the archive ends in the middle of a file")
    return header


def _extended(header: Header, said: dict[str, bytes]) -> Header:
    """The header of a file with what stands in extensions in place of its own words."""
    if header.kind not in (*_REGULAR, *_NO_FILES, _DIRECTORY):
        raise header.wrong(f"a file of an unknown or sparse kind: {quoted(header.kind.decode('latin-1'))}")
    if "size" in said and header.kind in _REGULAR:
        if not re.fullmatch(rb"[0-9]{1,18}", said["size"]):
            raise header.wrong("a size that is no number")
        header = header._replace(size=int(said["size"]))
    name = said.get("path", header.name)
    # In the oldest archives a directory is a file whose name ends so.
    directory = header.kind in _REGULAR and name.endswith(b"/")
    if directory and header.size:
        raise header.wrong("a directory with content")
    return header._replace(name=name, kind=_DIRECTORY if directory else header.kind)


def _extension(stream: BinaryIO, header: Header) -> dict[str, bytes]:
    """What an extension says of the next file: `path` and `size`."""
    if header.size > MAX_EXTENSION:
        raise BadAnswer(f"an extension of more than {MAX_EXTENSION} bytes", at=header.at)
    data = exactly(stream, header.offset, header.size)
    if header.kind == _LONG_NAME:
        return {"path": _text(data)}
    records = dict(_records(data, header))
    if any(key.startswith(b"GNU.sparse.") for key in records):
        raise header.wrong("a sparse file")
    said = {key: records[key.encode()] for key in ("path", "size") if key.encode() in records}
    if said and header.kind == _PAX_GLOBAL:
        raise header.wrong("one name or size for all files")
    return said


def _records(data: bytes, header: Header) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values of a pax extension (POSIX pax, "pax Extended Header")."""
    position = 0
    while position < len(data):
        start = _LENGTH.match(data, position)
        end = position + int(start[0]) if start else 0
        key, equals, value = data[start.end() if start else 0 : end].partition(b"=")
        if not key or not equals or not value.endswith(b"\n") or end > len(data):
            raise header.wrong("an extension that cannot be read")
        yield key, value[:-1]
        position = end


def _plain_name(header: Header) -> str:
    """The name without what means nothing in it. Raises `MalformedManifest` for one that leads elsewhere."""
    name = header.name.decode("utf-8", "backslashreplace")
    parts = name.split("/")
    if not name or "\0" in name:
        raise header.wrong(f"{quoted(name)} is no name of a file")
    if name.startswith("/") or ".." in parts:
        raise header.wrong(f"the name {quoted(name)} leads out of the archive")
    return "/".join(part for part in parts if part not in ("", "."))


def _number(field: bytes, at: str) -> int:
    """A number in octal digits, or, where they do not suffice, in binary."""
    if field[0] == 0x80:
        return int.from_bytes(field[1:], "big")
    digits = field.rstrip(b"\0 ").lstrip(b" ")
    if not re.fullmatch(rb"[0-7]*", digits):
        raise MalformedManifest("no header of a tar archive", at=at)
    return int(digits or b"0", 8)


def _text(field: bytes) -> bytes:
    return field.partition(b"\0")[0]


def exactly(stream: BinaryIO, position: int, count: int) -> bytes:
    """`count` bytes, fewer only at the end of the archive."""
    stream.seek(position)
    data = bytearray()
    while len(data) < count and (chunk := stream.read(count - len(data))):
        data += chunk
    return bytes(data)
