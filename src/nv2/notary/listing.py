"""List, wired: which signatures an artifact has. Nothing is opened, nothing is believed."""

from __future__ import annotations

from typing import NamedTuple

from nv2.discovery import discover
from nv2.notary.session import Artifact, Session, using
from nv2.oci.descriptor import Descriptor
from nv2.oci.reference import AnyReference, parse


class Listed(NamedTuple):
    """The signatures of an artifact."""

    artifact: Artifact
    signatures: tuple[Descriptor, ...]
    complete: bool
    problems: tuple[str, ...]


def list_signatures(reference: str | AnyReference, *, session: Session | None = None) -> Listed:
    """The signature manifests that are attached to the artifact, in the order they would be judged."""
    with using(session) as shared:
        artifact = shared.resolve(parse(reference) if isinstance(reference, str) else reference, hurried=True)
        found = discover(artifact.store, artifact.subject)
    return Listed(artifact, found.signatures, found.complete, found.problems)
