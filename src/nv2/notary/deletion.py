"""Delete, wired: an artifact or a signature, and the lists that name it."""

from __future__ import annotations

from typing import NamedTuple

from nv2.content.interface import Remover, Store, can_remove
from nv2.deletion import Deleted, Plan, plan_deletion
from nv2.deletion import delete as delete_content
from nv2.errors import UsageError
from nv2.notary.session import Artifact, Session, using
from nv2.oci.reference import AnyReference, Reference, parse


class Doomed(NamedTuple):
    """An artifact that is about to be deleted."""

    artifact: Artifact
    plan: Plan


def plan_delete(
    reference: str | AnyReference, *, with_referrers: bool = False, session: Session | None = None
) -> Doomed:
    """What deleting `reference` takes and leaves. Nothing is changed.

    Raises `UsageError` for a place where nothing can be deleted, and what `deletion.plan_deletion` raises.
    """
    with using(session) as shared:
        wanted = parse(reference) if isinstance(reference, str) else reference
        artifact = shared.resolve(wanted, push=isinstance(wanted, Reference))
        _remover(artifact.store, artifact.name)
        return Doomed(
            artifact, plan_deletion(artifact.store, artifact.subject, with_referrers=with_referrers)
        )


def delete(doomed: Doomed, *, session: Session | None = None) -> Deleted:
    """Delete what `plan_delete` planned. Raises what `deletion.delete` raises."""
    with using(session) as shared:
        store = doomed.artifact.store
        deleted = delete_content(_remover(store, doomed.artifact.name), doomed.plan)
        shared.pass_on_warnings(store)
        return deleted


def delete_tag(reference: str | AnyReference, *, session: Session | None = None) -> Artifact:
    """Delete the tag of `reference` alone; what it named. Raises `UsageError` unless it is named by tag alone."""
    with using(session) as shared:
        wanted = parse(reference) if isinstance(reference, str) else reference
        if wanted.tag is None or wanted.digest is not None:
            raise UsageError("a tag to delete is named by tag alone", at=str(wanted))
        artifact = shared.resolve(wanted, push=isinstance(wanted, Reference))
        _remover(artifact.store, artifact.name).untag(wanted.tag)
        return artifact


def _remover(store: Store, name: str) -> Remover:
    if not can_remove(store):
        raise UsageError("nothing can be deleted here", at=name)
    return store
