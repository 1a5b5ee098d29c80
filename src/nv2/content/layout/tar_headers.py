"""The headers of a tar archive that we write. Those of strangers are read in `tar_index`."""

from __future__ import annotations

import tarfile

from nv2.content.layout.files import UNFINISHED
from nv2.content.layout.tar_index import BLOCK, Member

GAP = UNFINISHED + "gap"
"""The name of a place whose content was bad."""


def header_of(name: str, size: int = 0) -> bytes:
    """The header of a file or (by a name that ends so) directory: the same for everybody who writes the same."""
    info = tarfile.TarInfo(name.rstrip("/"))
    info.size = size
    if name.endswith("/"):
        info.type, info.mode = tarfile.DIRTYPE, 0o755
    return info.tobuf(tarfile.PAX_FORMAT)


def end_of(member: Member) -> int:
    """Where the next header begins: contents are filled up to whole blocks."""
    return member.offset + -(-member.size // BLOCK) * BLOCK
