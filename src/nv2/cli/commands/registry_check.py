"""`nv2 registry check`: is everything there that the index of the embedded registry names?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from nv2.cli import exits
from nv2.cli.command import OUTPUT, Call, Command, Flag, Kind, wants_json
from nv2.cli.output import counted

if TYPE_CHECKING:
    from nv2.server.registry.checking import Report

DIRECTORY = Flag("dir", "directory of the registry", default="registry")

DAMAGED = 1
"""Exit code: something is not as the index says. That it could not be found out is 3, as everywhere."""


def run(call: Call) -> int:
    """Check a directory, and say what is damaged."""
    from nv2.server.registry.checking import check

    as_json = wants_json(call)
    directory = call.string("dir") or ""
    report = check(Path(directory), quick=call.on("quick"))
    if as_json:
        call.output.json(_document(directory, report, quick=call.on("quick")))
    else:
        for damage in report.damages:
            call.output.line(f"damaged: {damage.kind} {damage.name}: {damage.reason}")
        call.output.line(f"{_came_to(report)}: {_counted(report)}")
    return exits.DONE if report.is_sound else DAMAGED


def _came_to(report: Report) -> str:
    return "sound" if report.is_sound else f"damaged in {counted(len(report.damages), 'place')}"


def _counted(report: Report) -> str:
    return (
        f"{report.repositories} repositories, {report.tags} tags, {report.manifests} manifests, "
        f"{report.blobs} blobs; {report.content} files with {report.size} bytes"
    )


def _document(directory: str, report: Report, *, quick: bool) -> dict[str, object]:
    return {
        "schema": COMMAND.schema,
        "directory": directory,
        "quick": quick,
        "sound": report.is_sound,
        "counts": {
            "repositories": report.repositories,
            "tags": report.tags,
            "manifests": report.manifests,
            "blobs": report.blobs,
            "files": report.content,
            "bytes": report.size,
        },
        "damages": [damage._asdict() for damage in report.damages],
    }


COMMAND = Command(
    "check",
    "check that a registry's directory is whole",
    run,
    flags=(
        DIRECTORY,
        Flag("quick", "look at the sizes of the files, do not read them", Kind.BOOL),
        OUTPUT,
    ),
    arguments=(0, 0),
    description=(
        "Check that the index of an embedded registry is sound, that every file that it names is there\n"
        "with the right size and digest, that no tag dangles, and that the journal agrees. It changes\n"
        "nothing, and the registry may be served meanwhile. Exit code 0: sound, 1: damaged, 3: could\n"
        "not be found out."
    ),
    examples=("nv2 registry check", "nv2 registry check --dir /srv/registry --quick --output json"),
    schema="nv2.registry.check/v1",
)
