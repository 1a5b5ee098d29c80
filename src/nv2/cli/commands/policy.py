"""`nv2 policy`: the trust policy, which says what is trusted for which artifacts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from nv2.cli import exits
from nv2.cli.command import OUTPUT, Call, Command, Flag, Group, Kind, wants_json
from nv2.errors import PolicyError

if TYPE_CHECKING:
    from nv2.notary.machine import Machine

_EXISTS = "The OCI trust policy configuration already exists, do you want to overwrite it?"


def _may_replace(call: Call) -> bool:
    """Whether the caller wants to lose the policy that there is."""
    if call.on("force"):
        call.output.warn("existing OCI trust policy configuration will be overwritten")
        return True
    return call.output.confirm(_EXISTS, "force")


def _put(call: Call, data: bytes, done: str) -> int:
    """Make `data` the policy, over another one only if the caller wants that, and say that it is `done`."""
    from nv2.notary.machine import Machine
    from nv2.notary.policy_setup import has_policy

    machine = Machine.from_environment()
    replace = has_policy(machine)
    if not replace or _may_replace(call):
        call.output.line(f"{done} {_write(call, machine, data, replace=replace or call.on('force'))}.")
    return exits.DONE


def _write(call: Call, machine: Machine, data: bytes, *, replace: bool) -> Path:
    from nv2.notary.policy_setup import unusable_stores, write_policy

    written = write_policy(machine, data, replace=replace)
    if written.removed_old:
        call.output.line("Deleted old trust policy configuration trustpolicy.json.")
        call.output.warn(
            "notation 1.x reads trustpolicy.json alone; while it verifies here, copy trustpolicy.oci.json to that name"
        )
    for warning in written.warnings:
        call.output.warn(warning)
    for problem in unusable_stores(machine, data):
        call.output.warn(f"{problem}" + (f" ({problem.hint})" if problem.hint else ""))
    return written.path


def init(call: Call) -> int:
    """Write a policy with one strict statement."""
    from nv2.notary.policy_setup import strict_policy

    data = strict_policy(
        call.string("name") or "",
        call.strings("registry-scope"),
        call.strings("trust-store"),
        call.strings("trusted-identity"),
    )
    return _put(call, data, "Successfully initialized OCI trust policy file to")


def bring(call: Call) -> int:
    """Make a file the policy."""
    from nv2.notary.policy_setup import read_policy

    data = read_policy(Path(call.arguments[0]))
    return _put(call, data, "Successfully imported OCI trust policy configuration to")


def show(call: Call) -> int:
    """Show the policy's file as it is, good or bad."""
    from nv2.notary.machine import Machine
    from nv2.notary.policy_setup import show_policy

    as_json, program = wants_json(call), call.output.program
    shown = show_policy(Machine.from_environment())
    if shown is None:
        raise PolicyError(
            "failed to show OCI trust policy as it does not exist",
            hint=f"make one with '{program} policy init', or bring one with '{program} policy import FILE'",
        )
    if shown.is_old:
        call.output.warn(
            "old trust policy `trustpolicy.json` is deprecated; please update the trust policy configuration via "
            f"`{program} policy import`."
        )
    for warning in shown.file.warnings:
        call.output.warn(warning)
    if not as_json:
        if shown.problem:
            call.output.note(
                "Existing OCI trust policy configuration is invalid, you may update or create a new one via "
                f"`{program} policy import <path-to-policy.json>`."
            )
        call.output.raw(shown.file.data.decode("utf-8", "backslashreplace"))
    if shown.problem:
        raise shown.problem
    if as_json:
        policy = json.loads(shown.file.data)
        call.output.json({"schema": "nv2.policy.show/v1", "path": str(shown.file.path), "policy": policy})
    return exits.DONE


_FORCE = Flag("force", "override the existing trust policy without prompt", Kind.BOOL)

_INIT_EXAMPLE = (
    "nv2 policy init --name production --registry-scope registry.example.com/net-monitor \\\n"
    '    --trust-store ca:acme-rockets --trusted-identity "x509.subject: C=US, ST=WA, O=acme-rockets.io"'
)

COMMAND = Group(
    "policy",
    "Manage OCI trust policy configuration for OCI artifact signature verification",
    (
        Command(
            "init",
            "write a strict trust policy",
            init,
            flags=(
                Flag("name", "name of the policy statement", short="n", required=True),
                Flag(
                    "registry-scope",
                    "repository that the statement is for, or '*' for all; may repeat",
                    Kind.STRINGS,
                    required=True,
                ),
                Flag(
                    "trust-store",
                    'trust store in the format "<store_type>:<store_name>"; may repeat',
                    Kind.STRINGS,
                    required=True,
                ),
                Flag(
                    "trusted-identity",
                    "x509.subject:<subject of the signer>, or '*' for all; may repeat",
                    Kind.STRINGS,
                    required=True,
                ),
                _FORCE,
            ),
            arguments=(0, 0),
            description="Write a trust policy with one statement of level strict.",
            examples=(_INIT_EXAMPLE,),
        ),
        Command(
            "import",
            "import a trust policy from a JSON file",
            bring,
            flags=(_FORCE,),
            usage="<file_path>",
            arguments=(1, 1),
            missing="requires 1 argument but received 0",
            examples=("nv2 policy import my_policy.json", "nv2 policy import --force my_policy.json"),
        ),
        Command(
            "show",
            "show the trust policy",
            show,
            flags=(OUTPUT,),
            arguments=(0, 0),
            examples=("nv2 policy show", "nv2 policy show > my_policy.json"),
            schema="nv2.policy.show/v1",
        ),
    ),
    examples=(_INIT_EXAMPLE, "nv2 policy import my_policy.json", "nv2 policy show"),
)
