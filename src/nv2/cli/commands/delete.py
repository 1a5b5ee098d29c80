"""`nv2 delete`: signatures and artifacts, for good."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from nv2.cli import exits, options
from nv2.cli.command import DEBUG, OUTPUT, Call, Command, Flag, Kind, wants_json
from nv2.cli.output import counted, error_document
from nv2.errors import Nv2Error, UsageError
from nv2.notary.deletion import Doomed, delete, delete_tag, plan_delete, plan_delete_tag
from nv2.notary.session import Artifact, Session
from nv2.oci.descriptor import Descriptor
from nv2.oci.reference import AnyReference


class _Planned(NamedTuple):
    """What one reference comes to, looked up before anybody is asked."""

    artifact: Artifact
    doomed: Doomed | None
    """None where the tag alone goes."""

    @property
    def key(self) -> tuple[str, str]:
        """What goes, and where: others of the references may name it, too."""
        gone = self.artifact.subject.digest if self.doomed else f":{self.artifact.reference.tag}"
        return self.artifact.name, gone


def run(call: Call) -> int:
    """Delete each artifact, after one question; by a tag, what the tag names now."""
    as_json = wants_json(call)
    if as_json and not (call.on("yes") or call.on("dry-run")):
        raise UsageError("JSON has no room for a question", hint="add --yes, or --dry-run")
    references = tuple(dict.fromkeys(options.references(call)))
    session = options.session(call)
    deletions = _Deletions(call, session, references)
    planned = [
        item
        for reference, found in _plans(call, session, references)
        for item in deletions.noted(reference, found)
    ]
    if planned and not (call.on("dry-run") or _confirmed(call, planned)):
        return exits.worst(deletions.codes)
    for item in planned:
        deletions.do(item)
    if as_json:
        call.output.json(
            {"schema": COMMAND.schema, "dryRun": call.on("dry-run"), "results": deletions.results}
        )
    return exits.all_or_some(deletions.codes)


def _plans(
    call: Call, session: Session, references: Sequence[AnyReference]
) -> Iterator[tuple[AnyReference, _Planned | Nv2Error]]:
    def plan(reference: AnyReference) -> _Planned:
        if call.on("tag-only"):
            return _Planned(plan_delete_tag(reference, session=session), None)
        doomed = plan_delete(reference, with_referrers=call.on("with-referrers"), session=session)
        return _Planned(doomed.artifact, doomed)

    return session.each(references, plan)


class _Deletions:
    """What became of each reference. An error of one that is alone is raised, others are told and do not end it."""

    def __init__(self, call: Call, session: Session, references: Sequence[AnyReference]) -> None:
        self.codes: list[int] = []
        self._call = call
        self._session = session
        self._alone = len(references) == 1
        # What cannot be found is known before anything is deleted; programs read the order that they gave.
        self._documents: dict[AnyReference, dict[str, object]] = {reference: {} for reference in references}
        self._gone: set[tuple[str, str]] = set()

    @property
    def results(self) -> list[dict[str, object]]:
        """A document for each reference, in the order in which they were given."""
        return list(self._documents.values())

    def noted(self, reference: AnyReference, found: _Planned | Nv2Error) -> Iterator[_Planned]:
        """The plan, if it is one."""
        if isinstance(found, Nv2Error):
            self._failed(reference, found)
        else:
            yield found

    def do(self, item: _Planned) -> None:
        """Delete, or say what would be."""
        if item.key in self._gone:
            self._was_deleted(item)
            return
        try:
            code = self._delete(item.doomed) if item.doomed else self._delete_tag(item.artifact)
        except Nv2Error as e:
            self._failed(item.artifact.reference, e)
            return
        self.codes.append(code)

    def _failed(self, reference: AnyReference, error: Nv2Error) -> None:
        if self._alone:
            raise error
        # Not every error names the place, and there are several.
        error.at = error.at or str(reference)
        self._call.output.error(error)
        self.codes.append(exits.exit_code(error))
        self._documents[reference] = exits.failure_document(reference, error)

    def _was_deleted(self, item: _Planned) -> None:
        """Two of the references named the same, or one what refers to another."""
        self.codes.append(exits.DONE)
        self._documents[item.artifact.reference] = _document(item.artifact)
        if not wants_json(self._call):
            self._call.output.line(
                f"{item.artifact.reference} is {item.artifact.shown}, which is deleted above"
            )

    def _delete(self, doomed: Doomed) -> int:
        deleted, failure = self._deleted(doomed)
        self._gone.update((doomed.artifact.name, found.digest) for found in deleted)
        self._documents[doomed.artifact.reference] = _document_of(doomed, deleted, failure)
        if not wants_json(self._call):
            _print(self._call, doomed, deleted)
        for problem in doomed.plan.problems:
            self._call.output.warn(problem)
        if failure is not None:
            self._call.output.warn(f"the rest was not deleted: {failure}")
            self._call.output.hint(failure.hint)
        return exits.PARTLY if failure is not None or doomed.plan.problems else exits.DONE

    def _deleted(self, doomed: Doomed) -> tuple[tuple[Descriptor, ...], Nv2Error | None]:
        if self._call.on("dry-run"):
            name = doomed.artifact.name
            return tuple(x for x in doomed.plan.manifests if (name, x.digest) not in self._gone), None
        done = delete(doomed, session=self._session)
        return done.deleted, done.failure

    def _delete_tag(self, artifact: Artifact) -> int:
        rehearsed = self._call.on("dry-run")
        if not rehearsed:
            delete_tag(artifact, session=self._session)
        self._documents[artifact.reference] = _document(artifact, tag=artifact.reference.tag)
        if not wants_json(self._call):
            verb = "Would delete" if rehearsed else "Deleted"
            self._call.output.line(f"{verb} the tag {artifact.reference}; {artifact.shown} stays")
        return exits.DONE


def _confirmed(call: Call, planned: Sequence[_Planned]) -> bool:
    """Whether the caller agrees; one question, however many there are."""
    if call.on("yes"):
        return True
    if len(planned) == 1:
        return call.output.confirm(f"Are you sure you want to delete {_what(planned[0])}?", "yes")
    call.output.lines(map(_what, planned))
    return call.output.confirm(f"Are you sure you want to delete all of these {len(planned)}?", "yes")


def _what(item: _Planned) -> str:
    """What goes, in the words of the question."""
    reference = item.artifact.reference
    if item.doomed is None:
        return f"the tag {reference}, which names {item.artifact.shown}"
    count = len(item.doomed.plan.manifests) - 1
    more = (
        f" and {counted(count, 'manifest')} that {'refer' if count > 1 else 'refers'} to it" if count else ""
    )
    tags = ", with every tag that names it" if reference.digest is None else ""
    return f"{item.artifact.shown}{tags}{more}"


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


def _document(artifact: Artifact, *, tag: str | None = None) -> dict[str, object]:
    return {
        "reference": str(artifact.reference),
        "resolved": artifact.shown,
        "tag": tag,
        "deleted": [],
        "referrersLeft": [],
        "partsLeft": [],
        "problems": [],
    }


def _document_of(
    doomed: Doomed, deleted: Iterable[Descriptor], failure: Nv2Error | None
) -> dict[str, object]:
    return {
        **_document(doomed.artifact),
        "deleted": [item.to_json() for item in deleted],
        "referrersLeft": [item.to_json() for item in doomed.plan.referrers],
        "partsLeft": [item.to_json() for item in doomed.plan.parts],
        "problems": list(doomed.plan.problems),
        **({"error": error_document(failure)} if failure is not None else {}),
    }


COMMAND = Command(
    "delete",
    "delete signatures and artifacts",
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
    usage="<reference>...",
    description=(
        "Delete signatures and artifacts, and keep the lists of what refers to their subjects right.\n"
        "A tag stands for what it names: that goes with all its tags. What an index consists of stays."
    ),
    examples=(
        "nv2 delete registry.example.com/net-monitor@sha256:...",
        "nv2 delete --with-referrers --dry-run registry.example.com/net-monitor:v1",
        "nv2 delete --tag-only registry.example.com/net-monitor:v1",
    ),
    schema="nv2.delete/v1",
)
