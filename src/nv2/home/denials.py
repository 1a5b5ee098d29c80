"""`denials.json` in nv2's own directory: what no longer counts on this machine.

It does not lie where notation reads, which would ignore it. What this module does not do: read what is in it; that
is `trust.denial`.
"""

from __future__ import annotations

from collections.abc import Callable

from nv2.errors import DenialListError
from nv2.files import read_file, write_atomically
from nv2.home.lock import host_lock
from nv2.home.paths import Paths

MAX_DENIALS = 16 * 1024 * 1024
"""Bytes of the list: fifty thousand denials and more."""


def has_denials(paths: Paths) -> bool:
    """Whether there is a list, good or bad. What cannot be looked at counts as there: reading it will say why."""
    try:
        paths.denials.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


def load_denials(paths: Paths) -> bytes | None:
    """The list's bytes; None if there is none. Raises `DenialListError` for one that cannot be read."""
    if not has_denials(paths):
        return None
    return read_file(paths.denials, MAX_DENIALS, "a list of denials", error=DenialListError, regular=True)


def change_denials(paths: Paths, change: Callable[[bytes | None], bytes]) -> None:
    """Replace the list by what `change` makes of it, while no other nv2 of this host changes it.

    The lock lies beside the list, not among the other locks: whoever comes with another home, or spells the path
    otherwise, must meet it too. A denial that is lost here is missed by nobody.
    Raises `DenialListError`, `EnvironmentFailure` and what `change` raises; the file is then as it was.
    """
    with host_lock(paths.denials.parent)(paths.denials.name):
        data = change(load_denials(paths))
        if len(data) > MAX_DENIALS:
            raise DenialListError(f"would have more than {MAX_DENIALS} bytes", at=str(paths.denials))
        write_atomically(paths.denials, data)
