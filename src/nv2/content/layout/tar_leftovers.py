"""What a writer that was interrupted left of a tar archive: found again by the headers, and believed in nothing.

A large member has its place and its header before its content. How much of that has come nobody noted: places that
were not written read as zeros, so it is at most what stands before these. What this module does not do: decide that
it is the right content; who goes on with it hashes it first.
"""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Callable, Set
from typing import NamedTuple

from nv2.content.layout.tar_headers import GAP, end_of, header_of
from nv2.content.layout.tar_index import Header, Member, exactly, headers_of
from nv2.errors import BadAnswer, MalformedManifest

CHUNK = 1024 * 1024
"""Bytes in memory at a time."""

_ZEROS = bytes(CHUNK)

Read = Callable[[int, int], bytes]
"""Bytes of the archive, by position and count; fewer only at its end."""


class Leftovers(NamedTuple):
    """What may be gone on with."""

    members: dict[str, Member]
    directories: set[str]
    end: int
    """Where the archive goes on."""


def leftovers_of(file: io.FileIO) -> Leftovers:
    """The members of `file` from its beginning, as far as `GrowingTar` has written it; the rest is cut off.

    What stands beside the blobs is written last, from what is known then, and is not gone on with. Where members were being
    moved, the old content of one may look like headers: whoever takes over moves them once more, over what is none of them.
    """
    length = file.seek(0, os.SEEK_END)
    members: dict[str, Member] = {}
    directories: set[str] = set()
    end = 0
    with contextlib.suppress(MalformedManifest, BadAnswer):  # there it was cut, or is no archive of ours
        for header in headers_of(file, length, "unfinished archive"):
            name = header.name.decode(errors="replace")
            if not (_is_known(name, end, directories) and _is_ours(file, header, name, end)):
                break
            member = Member(header.offset, header.size)
            end = end_of(member)
            if name.endswith("/"):
                directories.add(name.rstrip("/"))
            elif name != GAP:
                members[name] = member
    file.truncate(end)  # it may also be longer then: who reads on finds zeros
    return Leftovers(members, directories, end)


def _is_known(name: str, position: int, directories: Set[str]) -> bool:
    """Whether something of that name stands here. What it lies in stands before it: it is never moved towards the end."""
    above = name.rstrip("/").rpartition("/")[0]
    is_blob = name.startswith("blobs/") and (not above or above in directories)
    return is_blob or name == GAP or (name == "oci-layout" and position == 0)


def _is_ours(file: io.FileIO, header: Header, name: str, position: int) -> bool:
    """Whether the header is, byte for byte, what is written here: nothing strange gets into the archive with it."""
    own = header_of(name, header.size)
    return header.offset - position == len(own) and exactly(file, position, len(own)) == own


def arrived(read: Read, member: Member) -> int:
    """Bytes of `member` that may have come. If its content ends with zeros, these count as missing."""
    end = member.size
    while end:
        start = max(0, end - CHUNK)
        found = read(member.offset + start, end - start)
        if found != _ZEROS[: len(found)]:
            return start + len(found.rstrip(b"\0"))
        end = start
    return 0
