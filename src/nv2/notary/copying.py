"""Copy, wired: from one place to another, threads included."""

from __future__ import annotations

from typing import NamedTuple

from nv2.copying import CopyResult
from nv2.copying import copy as copy_content
from nv2.notary.session import Artifact, Session, using
from nv2.notary.threads import at_once
from nv2.oci.reference import AnyReference, LayoutReference, parse


class Copied(NamedTuple):
    """What was copied, and where to."""

    source: Artifact
    destination: AnyReference
    result: CopyResult


def copy(
    source: str | AnyReference, destination: str | AnyReference, *, session: Session | None = None
) -> Copied:
    """Copy the artifact with everything that belongs to it and refers to it; the tag is written last.

    A destination without a tag takes the tag of the source, if it has one.
    """
    wanted = parse(source) if isinstance(source, str) else source
    target = parse(destination) if isinstance(destination, str) else destination
    target = target._replace(tag=target.tag or wanted.tag, digest=None)
    with using(session) as shared:
        shared.check_registries(wanted, target)
        found = shared.resolve(wanted)
        store = shared.store(target, push=True, create=isinstance(target, LayoutReference))
        result = copy_content(found.store, store, found.subject.digest, target.tag, execute=at_once)
        shared.pass_on_warnings(store)
    return Copied(found, target, result)
