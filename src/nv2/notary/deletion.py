"""Delete, wired: an artifact or a signature, and the lists that name it."""

from __future__ import annotations

from typing import NamedTuple, cast

from nv2.blame import blaming, pinpoint
from nv2.content.interface import Store, can_remove
from nv2.deletion import Deleted, Plan, RemovableStore, plan_deletion
from nv2.deletion import delete as delete_content
from nv2.errors import Nv2Error, UsageError
from nv2.notary.copying import shown
from nv2.notary.session import Artifact, Session, using
from nv2.oci.digest import is_fallback_tag
from nv2.oci.reference import AnyReference, parse

A_LIST = "delete what it lists, which keeps it right; or with --tag-only the tag"


class Doomed(NamedTuple):
    """An artifact that is about to be deleted."""

    artifact: Artifact
    plan: Plan


def plan_delete(
    reference: str | AnyReference, *, with_referrers: bool = False, session: Session | None = None
) -> Doomed:
    """What deleting `reference` takes and leaves. Nothing is changed.

    Raises `UsageError` for a place where nothing can be deleted and for a list of referrers, and what `deletion.plan_deletion` raises.
    """
    with using(session) as shared:
        wanted = parse(reference) if isinstance(reference, str) else reference
        if wanted.digest is None and is_fallback_tag(wanted.tag or ""):
            raise UsageError("names the list of what refers to a digest", at=str(wanted), hint=A_LIST)
        artifact = shared.resolve(wanted)
        _removable(artifact.store, artifact.name)
        return Doomed(
            artifact, plan_deletion(artifact.store, artifact.subject, with_referrers=with_referrers)
        )


def delete(doomed: Doomed, *, session: Session | None = None) -> Deleted:
    """Delete what `plan_delete` planned. Raises what `deletion.delete` raises."""
    with using(session) as shared:
        store = _writable(shared, doomed.artifact.reference)
        try:
            with blaming(digest=doomed.plan.root.digest):
                deleted = delete_content(store, doomed.plan)
                shared.finish_writing(store)
        except Nv2Error as e:
            pinpoint(e, shown(doomed.artifact.reference))
            raise
        return deleted


def plan_delete_tag(reference: str | AnyReference, *, session: Session | None = None) -> Artifact:
    """What the tag of `reference` names. Raises `UsageError` unless it is named by tag alone."""
    with using(session) as shared:
        wanted = parse(reference) if isinstance(reference, str) else reference
        if wanted.tag is None or wanted.digest is not None:
            raise UsageError("a tag to delete is named by tag alone", at=str(wanted))
        artifact = shared.resolve(wanted)
        _removable(artifact.store, artifact.name)
        return artifact


def delete_tag(artifact: Artifact, *, session: Session | None = None) -> None:
    """Delete the tag that `plan_delete_tag` looked up, and nothing else. Raises what the store raises."""
    with using(session) as shared:
        store = _writable(shared, artifact.reference)
        store.untag(artifact.reference.tag or "")
        shared.finish_writing(store)


def _writable(session: Session, reference: AnyReference) -> RemovableStore:
    return _removable(session.store(reference, push=True), reference.name)


def _removable(store: Store, name: str) -> RemovableStore:
    if not can_remove(store):
        raise UsageError("nothing can be deleted here", at=name)
    return cast("RemovableStore", store)
