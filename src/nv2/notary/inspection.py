"""Inspect, wired."""

from __future__ import annotations

from typing import NamedTuple

from nv2.discovery import discover
from nv2.inspection import Inspected, Unreadable, inspect
from nv2.notary.session import Artifact, Session, using
from nv2.oci.reference import AnyReference, parse
from nv2.trust.trust import MAX_SIGNATURES


class Inspection(NamedTuple):
    """The signatures of an artifact, as they describe themselves."""

    artifact: Artifact
    signatures: tuple[Inspected, ...]
    unreadable: tuple[Unreadable, ...]
    left: int
    """Signatures beyond the limit, which nobody looked at."""
    problems: tuple[str, ...]


def inspect_signatures(
    reference: str | AnyReference, *, max_signatures: int = MAX_SIGNATURES, session: Session | None = None
) -> Inspection:
    """Open the signatures of the artifact without verifying them."""
    with using(session) as shared:
        artifact = shared.resolve(parse(reference) if isinstance(reference, str) else reference, hurried=True)
        found = discover(artifact.store, artifact.subject)
        opened = list(inspect(artifact.store, artifact.subject, found, max_signatures))
    return Inspection(
        artifact,
        tuple(item for item in opened if isinstance(item, Inspected)),
        tuple(item for item in opened if isinstance(item, Unreadable)),
        max(0, len(found.signatures) - max_signatures),
        found.problems,
    )
