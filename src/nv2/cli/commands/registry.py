"""`nv2 registry`: the embedded registry, and what can be said of others."""

from __future__ import annotations

from nv2.cli.command import Group
from nv2.cli.commands import (
    registry_check,
    registry_collect,
    registry_doctor,
    registry_history,
    registry_serve,
)

COMMAND = Group(
    "registry",
    "serve a registry, or see what another one can do",
    (
        registry_serve.COMMAND,
        registry_history.COMMAND,
        registry_check.COMMAND,
        registry_collect.COMMAND,
        registry_doctor.COMMAND,
    ),
    examples=(*registry_serve.COMMAND.examples[:1], *registry_doctor.COMMAND.examples[:1]),
)
