"""Deleting an artifact, alone or with everything that refers to it.

What refers to something goes before it, deepest first: interrupted anywhere, nothing refers to what is not there, and
a second run finds the rest. So an artifact that refers to another is taken off that one's list first: as long as it is
there, whoever names it can delete it. What an artifact consists of stays: other artifacts may consist of it, too.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Protocol

from nv2.closure import UNUSABLE
from nv2.content.interface import Remover, Source, Store
from nv2.errors import BadAnswer, NotFound, Nv2Error
from nv2.oci.descriptor import Descriptor
from nv2.oci.digest import Digest
from nv2.oci.manifest import MAX_MANIFEST, is_manifest, parse_manifest
from nv2.plain_text import one_line

MAX_DELETED = 10_000
"""Manifests of one deletion: as many as one listing of referrers has at most."""


class RemovableStore(Store, Remover, Protocol):
    """What deleting from needs."""


class Plan(NamedTuple):
    """What is to be deleted, and what stays."""

    root: Descriptor
    subject: Descriptor | None
    """What `root` refers to."""
    doomed: tuple[tuple[Descriptor, tuple[Descriptor, ...]], ...]
    """Subjects and what refers to them, in the order of deletion; `root` itself comes after them."""
    referrers: tuple[Descriptor, ...]
    """What refers to `root` and stays."""
    parts: tuple[Descriptor, ...]
    """Manifests that `root` consists of; they stay."""
    problems: tuple[str, ...]
    """What was listed and cannot be what it seems, one line each; it stays."""

    @property
    def manifests(self) -> tuple[Descriptor, ...]:
        """Everything that goes, in order."""
        return (*(item for _, referrers in self.doomed for item in referrers), self.root)


class Deleted(NamedTuple):
    """What a deletion came to."""

    plan: Plan
    deleted: tuple[Descriptor, ...]
    failure: Nv2Error | None
    """Why it ended early, after something was deleted."""


def plan_deletion(store: Source, root: Descriptor, *, with_referrers: bool) -> Plan:
    """What deleting `root` takes, and what it leaves. Nothing is changed.

    Raises `BadAnswer` if more refers to it than can be listed, `NotFound` or `ArtifactError` if `root` cannot be read.
    """
    manifest = parse_manifest(store.fetch(root, MAX_MANIFEST), root.media_type, at=root.digest)
    parts = tuple({item.digest: item for item in manifest.manifests if is_manifest(item.media_type)}.values())
    if manifest.subject is not None:
        root = root._replace(artifact_type=manifest.kind)
    problems: list[str] = []
    groups: list[tuple[Descriptor, tuple[Descriptor, ...]]] = []
    seen, waiting = {root.digest, *(part.digest for part in parts)}, [root]
    while waiting:
        subject = waiting.pop(0)
        found = tuple(item for item in _referrers(store, subject, problems) if item.digest not in seen)
        seen.update(item.digest for item in found)
        if len(seen) > MAX_DELETED:
            raise BadAnswer(f"more than {MAX_DELETED} manifests refer to it", at=root.digest)
        if found:
            groups.append((subject, found))
        waiting.extend(found if with_referrers else ())
    doomed = tuple(reversed(groups)) if with_referrers else ()
    staying = () if with_referrers else tuple(item for _, found in groups for item in found)
    return Plan(root, manifest.subject, doomed, staying, parts, tuple(problems))


def delete(store: RemovableStore, plan: Plan) -> Deleted:
    """Do as `plan` says. What is gone already is no failure, but that of `root` raises `NotFound`.

    Raises what the store raises, if nothing was deleted before; else that is the `failure` of the result. Where `root`
    itself cannot be deleted it is listed again.
    """
    deleted: list[Descriptor] = []
    try:
        for subject, referrers in plan.doomed:
            deleted.extend(_removed(store, referrers))
            store.detach(subject, [item.digest for item in referrers])
        _remove_root(store, plan)
        deleted.append(plan.root)
        if plan.subject is not None:  # others may have listed it again as long as it was there
            store.detach(plan.subject, [plan.root.digest])
    except Nv2Error as e:
        if not deleted:
            raise
        return Deleted(plan, tuple(deleted), e)
    return Deleted(plan, tuple(deleted), None)


def _remove_root(store: RemovableStore, plan: Plan) -> None:
    listed = store.detach(plan.subject, [plan.root.digest]) if plan.subject is not None else ()
    try:
        store.remove(plan.root)
    except NotFound:
        raise
    except Nv2Error:
        if plan.subject is not None:
            store.attach(plan.subject, listed)
        raise


def _removed(store: Remover, descriptors: tuple[Descriptor, ...]) -> Iterator[Descriptor]:
    for descriptor in descriptors:
        try:
            store.remove(descriptor)
        except NotFound:
            continue  # somebody else deleted it, or only its entry was left
        yield descriptor


def _referrers(store: Source, subject: Descriptor, problems: list[str]) -> Iterator[Descriptor]:
    """What is listed and names `subject` indeed: a list can be written by others, and must not doom what is not theirs."""
    listed = store.referrers(subject)
    problems.extend(listed.problems)
    if not listed.complete:
        raise BadAnswer("not everything that refers to it could be listed", at=subject.digest)
    found = {
        item.digest: Descriptor(*item[:4]) for item in listed.descriptors if is_manifest(item.media_type)
    }
    for item, data in zip(found.values(), store.fetch_many(list(found.values()), MAX_MANIFEST), strict=True):
        try:
            if _subject_of(item, data) == subject.digest:
                yield item
            else:
                problems.append(
                    f"{item.digest} is listed as a referrer of {subject.digest} and is none: it stays"
                )
        except NotFound:
            yield item  # an entry of what is gone: the list is mended
        except UNUSABLE as e:
            problems.append(one_line(f"{item.digest} cannot be read, so it stays: {e}"))


def _subject_of(descriptor: Descriptor, data: bytes | Nv2Error) -> Digest | None:
    if isinstance(data, Nv2Error):
        raise data
    subject = parse_manifest(data, descriptor.media_type, at=descriptor.digest).subject
    return subject.digest if subject else None
