"""The version of nv2, and of what it runs on."""

from __future__ import annotations

import os
import sys

from nv2._version import __version__


def python_version() -> str:
    """`3.11.7`."""
    return ".".join(map(str, sys.version_info[:3]))


def machine() -> str:
    """What `platform.machine()` says, without loading all of `platform`."""
    return os.environ.get("PROCESSOR_ARCHITECTURE", "") if os.name == "nt" else os.uname().machine


def version_lines(program: str) -> tuple[str, ...]:
    """The version as lines of text, under the name `program`."""
    name = "Notation" if program == "notation" else "nv2"
    return (
        f"{name} - a tool to sign and verify artifacts.",
        "",
        f"Version:     {__version__}",
        f"Python:      {python_version()}",
        f"OS/Arch:     {sys.platform}/{machine()}",
    )
