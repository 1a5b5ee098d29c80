"""`nv2 copy`: an artifact with all its signatures, to another place."""

from __future__ import annotations

from nv2.cli import exits, options
from nv2.cli.command import DEBUG, OUTPUT, Call, Command, Flag, Kind, wants_json
from nv2.errors import UsageError
from nv2.notary.copying import Copied, copy, copy_signatures, plan_copy, plan_copy_signatures
from nv2.notary.session import Session
from nv2.oci.reference import AnyReference


def run(call: Call) -> int:
    """Copy from the first reference to the second."""
    as_json = wants_json(call)
    source = options.with_name(options.read_reference(call, call.arguments[0]), call.arguments[0])
    destination = options.read_reference(call, call.arguments[1])
    if destination.digest is not None:
        raise UsageError("a destination is named by tag or not at all", at=str(destination))
    if call.string("scope") is not None and not call.on("verify"):
        raise UsageError("--scope chooses a policy statement; without --verify no policy is read")
    session = options.session(call)
    if call.on("verify"):
        code, source = _verified(call, session, source, quiet=as_json)
        if code != exits.DONE:
            return code
    copied = _copy(call, session, source, destination)
    if as_json:
        _print_json(call, copied)
    else:
        _print(call, copied)
    for problem in copied.result.problems:
        call.output.warn(problem)
    return exits.PARTLY if copied.result.problems else exits.DONE


def _verified(call: Call, session: Session, source: AnyReference, *, quiet: bool) -> tuple[int, AnyReference]:
    """What `nv2 verify` says and exits with, and `source` by the digest that was judged: its tag may move."""
    from nv2.cli.verdicts import report_text
    from nv2.notary.verification import evaluate, failure
    from nv2.trust.verdict import USABLE

    evaluated = evaluate(source, scope=call.string("scope"), session=session, all_signatures=False)
    if quiet and evaluated.verdict.verdict not in USABLE:
        raise failure(evaluated)
    code = exits.DONE if quiet else report_text(call, [(source, evaluated)])
    return code, source._replace(digest=evaluated.artifact.subject.digest)


def _copy(call: Call, session: Session, source: AnyReference, destination: AnyReference) -> Copied:
    rehearsed = call.on("dry-run")
    if call.on("signatures-only"):
        follow = plan_copy_signatures if rehearsed else copy_signatures
        return follow(source, destination, session=session)
    go = plan_copy if rehearsed else copy
    return go(source, destination, referrer_types=_types(call), recheck=call.on("recheck"), session=session)


def _types(call: Call) -> frozenset[str] | None:
    """Of which types referrers come along: of all, if nothing was said."""
    if call.on("no-referrers"):
        return frozenset()
    types = frozenset(call.strings("referrer-type"))
    if "" in types:
        raise UsageError("the value of --referrer-type is empty", hint="--no-referrers copies no referrers")
    return types or None


def _print(call: Call, copied: Copied) -> None:
    result = copied.result
    rehearsed = call.on("dry-run")
    verb = "Would copy" if rehearsed else "Copied"
    call.output.line(f"{verb} {copied.source.shown} to {copied.destination}")
    counts = (
        ("to copy" if rehearsed else "copied", result.copied),
        ("to mount" if rehearsed else "mounted", result.mounted),
        ("there already", result.skipped),
        ("left out", result.left),
    )
    said = ", ".join(f"{len(found)} {word}" for word, found in counts if found)
    call.output.line(f"{said}; {result.bytes_sent} bytes to send" if rehearsed else said)


def _print_json(call: Call, copied: Copied) -> None:
    result = copied.result
    call.output.json(
        {
            "schema": COMMAND.schema,
            "source": copied.source.shown,
            "destination": str(copied.destination),
            "dryRun": call.on("dry-run"),
            "artifact": copied.source.subject.to_json(),
            "copied": [item.to_json() for item in result.copied],
            "mounted": [item.to_json() for item in result.mounted],
            "skipped": [item.to_json() for item in result.skipped],
            "left": [item.descriptor.to_json() | {"reason": item.reason} for item in result.left],
            "problems": list(result.problems),
        }
    )


COMMAND = Command(
    "copy",
    "copy an artifact with its signatures",
    run,
    flags=(
        Flag("dry-run", "say what would be copied, and write nothing", Kind.BOOL),
        Flag("no-referrers", "leave signatures and all other referrers behind", Kind.BOOL),
        Flag("referrer-type", "copy only referrers of this artifact type; may repeat", Kind.STRINGS),
        Flag("signatures-only", "copy only signatures of what is there already", Kind.BOOL),
        Flag("recheck", "ask for every piece, also of signatures that are listed there", Kind.BOOL),
        Flag("verify", "copy only what the trust policy trusts; exit as verify", Kind.BOOL),
        Flag("scope", "with --verify: choose the policy statement by this scope"),
        *options.CONNECTION,
        OUTPUT,
        DEBUG,
    ),
    exclusive=(("no-referrers", "referrer-type", "signatures-only"),),
    usage="<source> <destination>",
    arguments=(2, 2),
    missing="names a source and a destination",
    aliases=("cp",),
    description=(
        "Copy an artifact, all that belongs to it and all that refers to it (signatures first of all) between\n"
        "registries and OCI image layouts. The tag is written last: whoever sees it sees the signatures too."
    ),
    examples=(
        "nv2 copy registry.example.com/net-monitor:v1 registry.acme.example/net-monitor:v1",
        "nv2 copy registry.example.com/net-monitor:v1 layout:./net-monitor:v1",
    ),
    schema="nv2.copy/v1",
)
