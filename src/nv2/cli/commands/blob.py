"""`nv2 blob`: signatures of files, without a registry."""

from __future__ import annotations

from nv2.cli.command import Group
from nv2.cli.commands import blob_inspect, blob_policy, blob_sign, blob_verify

COMMAND = Group(
    "blob",
    "Sign files and verify them, without a registry",
    (blob_sign.COMMAND, blob_verify.COMMAND, blob_inspect.COMMAND, blob_policy.COMMAND),
    examples=(
        "nv2 blob sign -k wabbit-networks.key tool.tar.gz",
        "nv2 blob verify -k wabbit-networks.crt -s tool.tar.gz.jws.sig tool.tar.gz",
        "nv2 blob inspect tool.tar.gz.jws.sig",
    ),
)
