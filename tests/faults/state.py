"""What there was before, and what there is after."""

from __future__ import annotations

import threading
from pathlib import Path

State = dict[str, bytes]

UNDECIDED = "could not decide"


def files(directory: Path) -> State:
    """What the directory holds, but for the records that signing keeps for `list --heal`."""
    found = (path for path in directory.rglob("*") if path.is_file() and "state" not in path.parts)
    return {str(path.relative_to(directory)): path.read_bytes() for path in found}


def wait_for_threads() -> None:
    """Until the threads of a command that has failed are done with what they were at; the command does not wait for them."""
    for thread in threading.enumerate():
        if thread.name == "nv2-job":
            thread.join(60)
