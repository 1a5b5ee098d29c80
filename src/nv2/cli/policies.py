"""What `policy` and `blob policy` do alike: writing, bringing and showing a trust policy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from nv2.cli import exits
from nv2.cli.command import Call, Flag, Kind, wants_json
from nv2.errors import PolicyError

if TYPE_CHECKING:
    from nv2.notary.machine import Machine
    from nv2.notary.policy_setup import PolicyKind, Shown

FORCE = Flag("force", "override the existing trust policy without prompt", Kind.BOOL)
STATEMENT = (
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
)
"""What both kinds of statement say."""


def init(call: Call, kind: PolicyKind, applies: dict[str, object]) -> int:
    """Write a policy with one strict statement; `applies` says to what it applies."""
    from nv2.notary.policy_setup import strict_policy

    stores, identities = call.strings("trust-store"), call.strings("trusted-identity")
    data = strict_policy(call.string("name") or "", stores, identities, applies, kind)
    return _put(call, kind, data, f"Successfully initialized {kind.word} trust policy file to")


def bring(call: Call, kind: PolicyKind) -> int:
    """Make a file the policy."""
    from nv2.notary.policy_setup import read_policy

    data = read_policy(Path(call.arguments[0]), kind)
    return _put(call, kind, data, f"Successfully imported {kind.word} trust policy configuration to")


def show(call: Call, kind: PolicyKind, schema: str) -> int:
    """Show the policy's file as it is, good or bad."""
    from nv2.notary.machine import Machine
    from nv2.notary.policy_setup import show_policy

    as_json, program = wants_json(call), f"{call.output.program} {kind.command}"
    shown = show_policy(Machine.from_environment(), kind)
    if shown is None:
        raise PolicyError(
            f"failed to show {kind.word} trust policy as {kind.it} does not exist",
            hint=f"make one with '{program} init', or bring one with '{program} import FILE'",
        )
    _warn_of(call, shown, program)
    if not as_json:
        if shown.problem:
            call.output.note(
                f"Existing {kind.word} trust policy configuration is invalid, you may update or create a new one via "
                f"`{program} import <path-to-policy.json>`."
            )
        call.output.raw(shown.file.data.decode("utf-8", "backslashreplace"))
    if shown.problem:
        raise shown.problem
    if as_json:
        policy = json.loads(shown.file.data)
        call.output.json({"schema": schema, "path": str(shown.file.path), "policy": policy})
    return exits.DONE


def _warn_of(call: Call, shown: Shown, program: str) -> None:
    if shown.is_old:
        call.output.warn(
            "old trust policy `trustpolicy.json` is deprecated; please update the trust policy configuration via "
            f"`{program} import`."
        )
    for warning in shown.file.warnings:
        call.output.warn(warning)


def _put(call: Call, kind: PolicyKind, data: bytes, done: str) -> int:
    """Make `data` the policy, over another one only if the caller wants that, and say that it is `done`."""
    from nv2.notary.machine import Machine
    from nv2.notary.policy_setup import has_policy

    machine = Machine.from_environment()
    replace = has_policy(machine, kind)
    if not replace or _may_replace(call, kind):
        replace = replace or call.on("force")
        call.output.line(f"{done} {_write(call, machine, kind, data, replace=replace)}.")
    return exits.DONE


def _may_replace(call: Call, kind: PolicyKind) -> bool:
    """Whether the caller wants to lose the policy that there is."""
    if call.on("force"):
        call.output.warn(f"existing {kind.word} trust policy configuration will be overwritten")
        return True
    question = f"The {kind.word} trust policy configuration already exists, do you want to overwrite it?"
    return call.output.confirm(question, "force")


def _write(call: Call, machine: Machine, kind: PolicyKind, data: bytes, *, replace: bool) -> Path:
    from nv2.notary.policy_setup import unusable_stores, write_policy

    written = write_policy(machine, data, replace=replace, kind=kind)
    if written.removed_old:
        call.output.line("Deleted old trust policy configuration trustpolicy.json.")
        call.output.warn(
            "notation 1.x reads trustpolicy.json alone; while it verifies here, copy trustpolicy.oci.json to that name"
        )
    for warning in written.warnings:
        call.output.warn(warning)
    for problem in unusable_stores(machine, data, kind):
        call.output.warn(f"{problem}" + (f" ({problem.hint})" if problem.hint else ""))
    return written.path
