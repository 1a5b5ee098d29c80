"""Tree, wired: the graph of an artifact. Nothing is verified."""

from __future__ import annotations

from typing import NamedTuple

from nv2.graph import Graph, graph_of
from nv2.notary.session import Artifact, Session, using
from nv2.notary.threads import at_once
from nv2.oci.reference import AnyReference, parse


class Shown(NamedTuple):
    """An artifact and its graph."""

    artifact: Artifact
    graph: Graph


def show_graph(reference: str | AnyReference, *, session: Session | None = None) -> Shown:
    """Everything that the artifact is made of and that refers to any part of it."""
    with using(session) as shared:
        artifact = shared.resolve(parse(reference) if isinstance(reference, str) else reference, hurried=True)
        return Shown(artifact, graph_of(artifact.store, artifact.subject, at_once))
