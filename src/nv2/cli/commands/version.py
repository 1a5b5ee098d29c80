"""`nv2 version`."""

from __future__ import annotations

import os
import sys

from nv2._version import __version__
from nv2.cli import exits
from nv2.cli.command import OUTPUT, Call, Command, wants_json


def run(call: Call) -> int:
    """Show the version of nv2 and of what it runs on."""
    as_json = wants_json(call)
    python = ".".join(map(str, sys.version_info[:3]))
    machine = _machine()
    if as_json:
        call.output.json(
            {
                "schema": "nv2.version/v1",
                "version": __version__,
                "python": python,
                "os": sys.platform,
                "arch": machine,
            }
        )
        return exits.DONE
    name = "Notation" if call.output.program == "notation" else "nv2"
    call.output.lines(
        (
            f"{name} - a tool to sign and verify artifacts.",
            "",
            f"Version:     {__version__}",
            f"Python:      {python}",
            f"OS/Arch:     {sys.platform}/{machine}",
        )
    )
    return exits.DONE


def _machine() -> str:
    """What `platform.machine()` says, without loading all of `platform`."""
    return os.environ.get("PROCESSOR_ARCHITECTURE", "") if os.name == "nt" else os.uname().machine


COMMAND = Command(
    "version",
    "show the version",
    run,
    flags=(OUTPUT,),
    arguments=(0, 0),
    schema="nv2.version/v1",
)
