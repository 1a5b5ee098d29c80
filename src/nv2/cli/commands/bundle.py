"""`nv2 bundle`: images with signatures and all that proves them, in one file for where there is no network."""

from __future__ import annotations

from nv2.cli.command import Group
from nv2.cli.commands import (
    bundle_check,
    bundle_create,
    bundle_import,
    bundle_inspect,
    bundle_install_policy,
    bundle_verify,
)

COMMAND = Group(
    "bundle",
    "carry images and all that proves them over an air gap",
    (
        bundle_create.COMMAND,
        bundle_check.COMMAND,
        bundle_inspect.COMMAND,
        bundle_verify.COMMAND,
        bundle_import.COMMAND,
        bundle_install_policy.COMMAND,
    ),
    examples=(
        "nv2 bundle create registry.example.com/net-monitor:v1 --file net-monitor.tar",
        "nv2 bundle verify net-monitor.tar",
        "nv2 bundle import net-monitor.tar registry.inside.example",
    ),
)
