"""List, wired: which signatures an artifact has. Nothing is opened, nothing is believed."""

from __future__ import annotations

from typing import NamedTuple

from nv2.content.interface import can_heal
from nv2.discovery import discover
from nv2.errors import UsageError
from nv2.notary.session import Artifact, Session, using
from nv2.oci.descriptor import Descriptor
from nv2.oci.reference import AnyReference, parse


class Listed(NamedTuple):
    """The signatures of an artifact."""

    artifact: Artifact
    signatures: tuple[Descriptor, ...]
    complete: bool
    problems: tuple[str, ...]
    restored: tuple[Descriptor, ...] = ()
    """What was displaced from the list, and is in it again."""


def list_signatures(
    reference: str | AnyReference, *, heal: bool = False, session: Session | None = None
) -> Listed:
    """The signature manifests that are attached to the artifact, in the order they would be judged.

    With `heal`, those that this machine attached and others displaced are listed again first. Raises
    `UsageError` where that cannot happen: in a layout.
    """
    with using(session) as shared:
        parsed = parse(reference) if isinstance(reference, str) else reference
        artifact = shared.resolve(parsed, push=heal, hurried=not heal)
        restored = _heal(shared, artifact) if heal else ()
        found = discover(artifact.store, artifact.subject)
    return Listed(artifact, found.signatures, found.complete, found.problems, restored)


def _heal(session: Session, artifact: Artifact) -> tuple[Descriptor, ...]:
    store = artifact.store
    if not can_heal(store):
        raise UsageError("only the list of a registry can be healed", at=artifact.name)
    restored = store.heal(artifact.subject)
    session.pass_on_warnings(store)
    return restored
