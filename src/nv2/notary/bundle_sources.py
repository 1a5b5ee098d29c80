"""Where the artifacts of a bundle come from, and what they are called in it, wired.

A registry has a name for what it holds, and the caller wrote it. An image layout has none, or one that whoever wrote the
layout chose: there the caller says one. What this module does not do: copy.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from nv2.blame import SOURCE, blaming
from nv2.errors import InvalidReference, Nv2Error, UsageError
from nv2.notary.copying import A_LIST
from nv2.notary.session import Session
from nv2.oci import media_types as mt
from nv2.oci.digest import Digest, is_fallback_tag
from nv2.oci.reference import AnyReference, LayoutReference, Reference, parse_registry
from nv2.plain_text import one_line

if TYPE_CHECKING:
    from nv2.content.layout.store import LayoutStore

CONTAINERD_NAME = "io.containerd.image.name"
"""Annotation of an image in index.json: its whole name, as buildx and containerd write it."""

_CLAIMS = (CONTAINERD_NAME, mt.REF_NAME)
"""Where a layout may say what an image is called; podman writes all of it as the tag."""


class BundleSource(NamedTuple):
    """An artifact for a bundle."""

    place: AnyReference
    """Where it is."""
    name: Reference
    """What it is called in the bundle, by which policies judge it; without tag and digest, its digest names it."""

    def named(self, digest: Digest) -> Reference:
        """The name, now that the digest is known. Raises `UsageError` for the digest of another artifact."""
        if self.name.digest not in (None, digest):
            raise UsageError(f"is {digest}, which is not what it shall be called", at=str(self.name))
        return self.name if self.name.wanted else self.name.with_digest(digest)


def sources_of(
    session: Session, references: Sequence[AnyReference], names: Sequence[Reference]
) -> tuple[BundleSource, ...]:
    """`references`, each with its name: the next of `names` for a layout, its own for a registry.

    As for a copy, a name without a tag takes the tag of the layout. Raises `UsageError` where there are more or fewer
    names than layouts, and for a tag under which registries keep lists of referrers.
    """
    layouts = [reference for reference in references if isinstance(reference, LayoutReference)]
    if len(names) != len(layouts):
        raise _unpaired(session, layouts, len(names))
    waiting = iter(names)
    found = []
    for reference in references:
        name = next(waiting) if isinstance(reference, LayoutReference) else reference
        if name.wanted is None:
            name = name._replace(tag=reference.tag)
        if is_fallback_tag(name.tag or ""):
            raise UsageError("is where clients look for what refers to a digest", at=str(name), hint=A_LIST)
        found.append(BundleSource(reference, name))
    return tuple(found)


def _unpaired(session: Session, layouts: Sequence[LayoutReference], names: int) -> Nv2Error:
    if not names:
        return UsageError(
            "an image layout has no repository, and what is in a bundle is called by one",
            at=str(layouts[0]),
            hint=f"say what it is called: --as <registry>/<repository>:<tag>{_claimed(session, layouts[0])}",
        )
    return UsageError(
        f"names: {names}, image layouts: {len(layouts)}",
        hint="--as is given once for each layout, in their order; what is in a registry has its name",
    )


def _claimed(session: Session, layout: LayoutReference) -> str:
    """What the layout says itself, for whoever reads the hint: it is not used, for anybody can write a layout."""
    with blaming(SOURCE):
        store: LayoutStore = session.store(layout)  # type: ignore[assignment]
        digest = store.resolve(layout.wanted or "").digest
    texts = (
        entry.annotations.get(claim, "")
        for claim in _CLAIMS
        for entry in store.listed()
        if entry.digest == digest
    )
    name = next(filter(None, map(_full_name, texts)), None)
    return f"; the layout itself says {name}, if you believe who wrote it" if name else ""


def _full_name(text: str) -> str | None:
    try:
        return one_line(str(parse_registry(text)))
    except InvalidReference:
        return None
