"""Copy, wired: from one place to another, threads included."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from nv2.copying import CopyResult, follow_up
from nv2.copying import copy as copy_content
from nv2.notary.session import Artifact, Session, using
from nv2.notary.threads import at_once
from nv2.oci import media_types as mt
from nv2.oci.reference import AnyReference, LayoutReference, parse

if TYPE_CHECKING:
    from nv2.closure import Types
    from nv2.content.interface import Store


class Copied(NamedTuple):
    """What was copied, and where to."""

    source: Artifact
    destination: AnyReference
    result: CopyResult


def copy(
    source: str | AnyReference,
    destination: str | AnyReference,
    *,
    referrer_types: Types = None,
    recheck: bool = False,
    session: Session | None = None,
) -> Copied:
    """Copy the artifact with everything that belongs to it and refers to it; the tag is written last.

    A destination without a tag takes the tag of the source, if it has one. `referrer_types` are the artifact types
    of the referrers that come along: None for all, an empty set for none. With `recheck`, a registry is asked for
    everything, also for signatures that it lists.
    """
    with using(session) as shared:
        found, target = _ends(shared, source, destination)
        store = shared.store(target, push=True, create=isinstance(target, LayoutReference))
        copied = _copied(found, target, store, referrer_types, recheck)
        shared.finish_writing(store)
    return copied


def plan_copy(
    source: str | AnyReference,
    destination: str | AnyReference,
    *,
    referrer_types: Types = None,
    recheck: bool = False,
    session: Session | None = None,
) -> Copied:
    """What `copy` would do now; nothing is written. Blobs of the source are not read.

    What the result calls mounted is what the registry would be asked to take from its other repository.
    """
    with using(session) as shared:
        found, target = _ends(shared, source, destination)
        return _copied(found, target, shared.rehearsal(target), referrer_types, recheck)


def copy_signatures(
    source: str | AnyReference, destination: str | AnyReference, *, session: Session | None = None
) -> Copied:
    """Copy only the signatures of what another tool has copied; what they sign must be there, by digest.

    Signatures of a part that is not at the destination are left. No tag is written. Raises `NotFound` if the
    artifact is not there.
    """
    with using(session) as shared:
        found, target = _ends(shared, source, destination)
        store = shared.store(target, push=True)
        copied = _followed(found, target, store)
        shared.finish_writing(store)
    return copied


def plan_copy_signatures(
    source: str | AnyReference, destination: str | AnyReference, *, session: Session | None = None
) -> Copied:
    """What `copy_signatures` would do now; nothing is written."""
    with using(session) as shared:
        found, target = _ends(shared, source, destination)
        return _followed(found, target, shared.rehearsal(target))


def _ends(
    session: Session, source: str | AnyReference, destination: str | AnyReference
) -> tuple[Artifact, AnyReference]:
    """What to copy, and where to."""
    wanted = parse(source) if isinstance(source, str) else source
    target = parse(destination) if isinstance(destination, str) else destination
    target = target._replace(tag=target.tag or wanted.tag, digest=None)
    session.check_registries(wanted, target)
    return session.resolve(wanted), target


def _copied(found: Artifact, target: AnyReference, store: Store, types: Types, recheck: bool) -> Copied:
    name = found.subject.digest
    result = copy_content(
        found.store, store, name, target.tag, referrer_types=types, recheck=recheck, execute=at_once
    )
    return Copied(found, target, result)


def _followed(found: Artifact, target: AnyReference, store: Store) -> Copied:
    types = frozenset((mt.SIGNATURE,))
    result = follow_up(found.store, store, found.subject.digest, referrer_types=types, execute=at_once)
    return Copied(found, target._replace(tag=None), result)
