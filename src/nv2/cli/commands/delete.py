"""`nv2 delete`: a signature or an artifact, for good."""

from __future__ import annotations

from collections.abc import Iterable

from nv2.cli import exits, options
from nv2.cli.command import DEBUG, OUTPUT, Call, Command, Flag, Kind, wants_json
from nv2.cli.output import counted
from nv2.errors import Nv2Error, UsageError
from nv2.notary.deletion import Doomed, delete, delete_tag, plan_delete, plan_delete_tag
from nv2.notary.session import Artifact, Session
from nv2.oci.descriptor import Descriptor
from nv2.oci.reference import AnyReference


def run(call: Call) -> int:
    """Delete one artifact, after a question; by its tag, what the tag names now."""
    as_json = wants_json(call)
    if as_json and not (call.on("yes") or call.on("dry-run")):
        raise UsageError("JSON has no room for a question", hint="add --yes, or --dry-run")
    reference = options.only_reference(call)
    session = options.session(call)
    if call.on("tag-only"):
        return _delete_tag(call, session, reference)
    doomed = plan_delete(reference, with_referrers=call.on("with-referrers"), session=session)
    if not call.on("dry-run") and not _confirmed(call, reference, doomed):
        return exits.DONE
    deleted, failure = _deleted(call, session, doomed)
    if as_json:
        call.output.json(_document_of(call, doomed, deleted, failure))
    else:
        _print(call, doomed, deleted)
    for problem in doomed.plan.problems:
        call.output.warn(problem)
    if failure is not None:
        call.output.warn(f"the rest was not deleted: {failure}")
        call.output.hint(failure.hint)
    return exits.PARTLY if failure is not None or doomed.plan.problems else exits.DONE


def _deleted(call: Call, session: Session, doomed: Doomed) -> tuple[tuple[Descriptor, ...], Nv2Error | None]:
    if call.on("dry-run"):
        return doomed.plan.manifests, None
    done = delete(doomed, session=session)
    return done.deleted, done.failure


def _delete_tag(call: Call, session: Session, reference: AnyReference) -> int:
    rehearsed = call.on("dry-run")
    artifact = plan_delete_tag(reference, session=session)
    question = f"Are you sure you want to delete the tag {reference}, which names {artifact.shown}?"
    if not (rehearsed or call.on("yes") or call.output.confirm(question, "yes")):
        return exits.DONE
    if not rehearsed:
        delete_tag(artifact, session=session)
    if wants_json(call):
        call.output.json(_document(call, artifact, tag=reference.tag))
    else:
        verb = "Would delete" if rehearsed else "Deleted"
        call.output.line(f"{verb} the tag {reference}; {artifact.shown} stays")
    return exits.DONE


def _confirmed(call: Call, reference: AnyReference, doomed: Doomed) -> bool:
    if call.on("yes"):
        return True
    count = len(doomed.plan.manifests) - 1
    more = (
        f" and {counted(count, 'manifest')} that {'refer' if count > 1 else 'refers'} to it" if count else ""
    )
    tags = ", with every tag that names it" if reference.digest is None else ""
    return call.output.confirm(f"Are you sure you want to delete {doomed.artifact.shown}{tags}{more}?", "yes")


def _print(call: Call, doomed: Doomed, deleted: Iterable[Descriptor]) -> None:
    verb = "Would delete" if call.on("dry-run") else "Deleted"
    for descriptor in deleted:
        call.output.line(f"{verb} {doomed.artifact.name}@{descriptor.digest} {_kind(descriptor)}")
    plan = doomed.plan
    if plan.referrers:
        call.output.note(
            f"Kept what refers to it, {counted(len(plan.referrers), 'manifest')}: --with-referrers deletes that, too"
        )
    if plan.parts:
        call.output.note(
            f"Kept what it consists of, {counted(len(plan.parts), 'manifest')}: delete that by digest"
        )


def _kind(descriptor: Descriptor) -> str:
    return descriptor.artifact_type or descriptor.media_type


def _document(call: Call, artifact: Artifact, *, tag: str | None = None) -> dict[str, object]:
    return {
        "schema": COMMAND.schema,
        "reference": str(artifact.reference),
        "resolved": artifact.shown,
        "dryRun": call.on("dry-run"),
        "tag": tag,
        "deleted": [],
        "referrersLeft": [],
        "partsLeft": [],
        "problems": [],
    }


def _document_of(
    call: Call, doomed: Doomed, deleted: Iterable[Descriptor], failure: Nv2Error | None
) -> dict[str, object]:
    from nv2.cli.output import error_document

    return {
        **_document(call, doomed.artifact),
        "deleted": [item.to_json() for item in deleted],
        "referrersLeft": [item.to_json() for item in doomed.plan.referrers],
        "partsLeft": [item.to_json() for item in doomed.plan.parts],
        "problems": list(doomed.plan.problems),
        **({"error": error_document(failure)} if failure is not None else {}),
    }


COMMAND = Command(
    "delete",
    "delete a signature or an artifact",
    run,
    flags=(
        options.REFERENCE,
        Flag(
            "with-referrers", "delete everything that refers to it, too: signatures first of all", Kind.BOOL
        ),
        Flag("tag-only", "delete the tag alone; what it names stays", Kind.BOOL),
        Flag("dry-run", "say what would be deleted, and delete nothing", Kind.BOOL),
        Flag("yes", "do not prompt for confirmation", Kind.BOOL, "y"),
        options.OCI_LAYOUT,
        *options.CONNECTION,
        OUTPUT,
        DEBUG,
    ),
    exclusive=(("with-referrers", "tag-only"),),
    usage="<reference>",
    description=(
        "Delete a signature or an artifact, and keep the list of what refers to its subject right.\n"
        "A tag stands for what it names: that goes with all its tags. What an index consists of stays."
    ),
    examples=(
        "nv2 delete registry.example.com/net-monitor@sha256:...",
        "nv2 delete --with-referrers --dry-run registry.example.com/net-monitor:v1",
        "nv2 delete --tag-only registry.example.com/net-monitor:v1",
    ),
    schema="nv2.delete/v1",
)
