"""Files of a cache, which whoever can write to the machine may have put there."""

from __future__ import annotations

import os
from pathlib import Path

from nv2.errors import EnvironmentFailure
from nv2.files import failure

REMOVE = "remove it; it will be fetched again"


def own_status(path: Path) -> os.stat_result | None:
    """Of a file that this user, or root, wrote; None if there is none. Links are not followed.

    Raises `EnvironmentFailure` if it is somebody else's.
    """
    try:
        found = path.lstat()
    except FileNotFoundError:
        return None
    except OSError as e:
        raise failure(e, path) from None
    if hasattr(os, "geteuid") and found.st_uid not in (os.geteuid(), 0):
        raise EnvironmentFailure("belongs to another user, so it is not read", at=str(path), hint=REMOVE)
    return found
