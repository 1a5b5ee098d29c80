"""`nv2 version`."""

from __future__ import annotations

import sys

from nv2._version import __version__
from nv2.cli import exits
from nv2.cli.command import OUTPUT, Call, Command, wants_json
from nv2.cli.version_text import machine, python_version, version_lines


def run(call: Call) -> int:
    """Show the version of nv2 and of what it runs on."""
    if not wants_json(call):
        call.output.lines(version_lines(call.output.program))
        return exits.DONE
    call.output.json(
        {
            "schema": COMMAND.schema,
            "version": __version__,
            "python": python_version(),
            "os": sys.platform,
            "arch": machine(),
        }
    )
    return exits.DONE


COMMAND = Command(
    "version",
    "show the version",
    run,
    flags=(OUTPUT,),
    arguments=(0, 0),
    too_many='unknown command "{}" for "nv2 version"',
    examples=("nv2 version", "nv2 version --output json"),
    schema="nv2.version/v1",
)
