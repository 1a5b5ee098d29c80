"""`nv2 registry collect`: remove what nothing names from the directory of the embedded registry."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from nv2.cli import exits
from nv2.cli.command import OUTPUT, Call, Command, Flag, Kind, wants_json
from nv2.cli.commands.registry_check import DIRECTORY

if TYPE_CHECKING:
    from nv2.server.registry.collection import Removed

SHORT = timedelta(hours=1)
"""A grace below this may take away what a push under way has sent."""


def run(call: Call) -> int:
    """Collect, and say what went."""
    from nv2.server.registry.collection import GRACE, Rule, collect

    as_json, dry = wants_json(call), call.on("dry-run")
    given = call.duration("grace")
    grace = GRACE if given is None else given
    if grace < SHORT and not dry:
        call.output.warn("with a grace below an hour, pushes that are under way may have to be repeated")
    removed = []
    for one in collect(Path(call.string("dir") or ""), Rule(grace, call.duration("untagged"), dry)):
        removed.append(one)
        if not as_json:
            call.output.line(_line(one, dry))
    freed = sum(one.size for one in removed if one.kind in ("file", "upload"))
    if as_json:
        call.output.json(
            {
                "schema": COMMAND.schema,
                "dryRun": dry,
                "removed": [{k: v for k, v in one._asdict().items() if v != ""} for one in removed],
                "freed": freed,
            }
        )
    else:
        call.output.note(f"{freed} bytes {'would be ' if dry else ''}freed")
    return exits.DONE


def _line(one: Removed, dry: bool) -> str:
    place = f" of {one.repository}" if one.repository else ""
    return f"{'would remove' if dry else 'removed'} {one.kind} {one.name}{place}"


COMMAND = Command(
    "collect",
    "remove what nothing names from a registry's directory",
    run,
    flags=(
        DIRECTORY,
        Flag("dry-run", "say what would be removed, and remove nothing", Kind.BOOL),
        Flag("grace", "keep what came, or was asked for, within this time (default 24h)", Kind.DURATION),
        Flag("untagged", "remove manifests too that have had no tag for this long", Kind.DURATION),
        OUTPUT,
    ),
    arguments=(0, 0),
    description=(
        "Remove blobs that no manifest names, files that no repository has, and uploads that nobody\n"
        "continued. The registry may be served meanwhile, and pushes go on. Manifests stay, unless\n"
        "--untagged says how long they must have been without a tag; what refers to a manifest that\n"
        "stays, such as a signature, stays too."
    ),
    examples=(
        "nv2 registry collect --dir /srv/registry --dry-run",
        "nv2 registry collect --dir /srv/registry --untagged 720h",
    ),
    schema="nv2.registry.collect/v1",
)
