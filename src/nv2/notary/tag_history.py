"""What a tag named before, wired: asked of a registry that keeps a journal."""

from __future__ import annotations

from nv2.content.remote.endpoint import Endpoint
from nv2.content.remote.tag_history import Line, tag_history
from nv2.notary.session import Session
from nv2.oci.reference import Reference


def history(session: Session, reference: Reference, before: int | None, count: int) -> list[Line]:
    """As `tag_history`, of the tag of `reference`, or of all tags of its repository if it has none."""
    session.check_registries(reference)
    endpoint = Endpoint(
        reference.registry,
        reference.repository,
        session.registries.transport_to(reference.registry, alone=True),
        plain_http=session.registries.plain_http(reference.registry),
        base=session.registries.base_of(reference.registry),
    )
    return tag_history(endpoint, reference.tag, before, count)
