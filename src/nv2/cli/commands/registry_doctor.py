"""`nv2 registry doctor`: what a registry can do, which quirks it has, and what that means for signatures."""

from __future__ import annotations

from nv2.cli import exits, options
from nv2.cli.command import DEBUG, OUTPUT, Call, Command, Flag, wants_json

UNFIT = 1
"""The exit code where something is bad."""


def run(call: Call) -> int:
    """Ask, and show what came: a line for each thing."""
    from nv2.notary.diagnosis import diagnose
    from nv2.oci.reference import parse_registry

    as_json = wants_json(call)
    reference = parse_registry(call.arguments[0])
    options.with_name(reference, call.arguments[0])
    named = call.string("write")
    scratch = parse_registry(named) if named else None
    found = diagnose(options.session(call), reference, scratch)
    if as_json:
        call.output.json(
            {
                "schema": COMMAND.schema,
                "reference": str(reference),
                "state": found.state.value,
                "listedBy": "api" if found.by_api else "tag",
                "summary": found.summary,
                "findings": [finding.to_json() for finding in found.findings],
            }
        )
    else:
        for finding in found.findings:
            more = f"; {finding.meaning}" if finding.meaning else ""
            call.output.line(f"{finding.state.value:8} {finding.probe}: {finding.found}{more}")
        call.output.line(f"{reference.registry}: {found.summary}")
    return exits.DONE if found.is_fit else UNFIT


COMMAND = Command(
    "doctor",
    "say what a registry can do, and what that means for signatures",
    run,
    flags=(
        Flag("write", "new tag of the registry to try writing with; removed again"),
        *options.CONNECTION,
        OUTPUT,
        DEBUG,
    ),
    usage="<reference>",
    arguments=(1, 1),
    missing="missing reference to an artifact of the registry",
    description=(
        "Ask a registry about an artifact, and say what it can do, which quirks it has, and what that\n"
        "means for signatures. Nothing is written without --write."
    ),
    examples=(
        "nv2 registry doctor registry.example.com/net-monitor:v1",
        "nv2 registry doctor localhost:5000/net-monitor:v1 --write localhost:5000/scratch:new",
    ),
    schema="nv2.registry.doctor/v1",
)
