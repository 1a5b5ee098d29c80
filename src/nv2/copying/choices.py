"""What of an artifact is copied: one platform of an index or several, and what nobody objects to."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple

from nv2.closure import Closure, Node, Types
from nv2.content.interface import Source
from nv2.copying.results import Left
from nv2.errors import ArtifactError, NotFound
from nv2.oci import media_types as mt
from nv2.oci.descriptor import Descriptor
from nv2.oci.digest import Digest
from nv2.oci.manifest import MAX_MANIFEST, is_manifest, parse_manifest
from nv2.oci.platforms import Platform, attested_in, platform_of_config, platforms_of

MAX_CONFIG = 4 * 1024 * 1024
"""Bytes of an image's config that is asked for its platform."""

Objections = Mapping[Digest, str]
"""What must stay behind, and why."""


class Choice(NamedTuple):
    """What comes along, and how much is asked."""

    referrer_types: Types = None
    """Artifact types of referrers that come along: None for all, an empty set for none."""
    platform: Platform | None = None
    """The image of this platform alone, in place of the index."""
    platforms: Sequence[Platform] = ()
    """The index with the images of these alone: its digest, tag and signatures stay as they are."""
    digest_tags: Collection[str] = ()
    """Tags of the source, of which those named after a digest that is copied come along (cosign's)."""
    object_to: Callable[[Closure], Objections] | None = None
    """Called when all is known and nothing is written: which referrers stay behind."""
    recheck: bool = False
    """Whether a distant destination is asked for everything."""
    object_to_attached: Callable[[Closure], Objections] | None = None
    """As `object_to`, of what one of `digest_tags` names: it refers to nothing, so its root may be objected to, too."""


EVERYTHING = Choice()

INDEX = "has other platforms, too"
OF_INDEX = "refers to the index, of which one platform was copied"
OTHER_PLATFORM = "of a platform that was not asked for"
OF_OTHER = "refers to what is of a platform that was not asked for"
UPON_LEFT = "belongs to what is left"


def pick(source: Source, root: Descriptor, platform: Platform | None) -> tuple[Descriptor, list[Left]]:
    """The image of `platform` in the index `root`, and what is left of the index: itself and its referrers.

    An image that is no index must be of the platform. Raises `NotFound`, `ArtifactError`, and what `source` raises.
    """
    if platform is None:
        return root, []
    if root.media_type not in mt.INDEXES:
        _check_image(source, root, (platform,))
        return root, []
    children = list(platforms_of(source.fetch(root, MAX_MANIFEST), root.digest))
    image = _image_for(platform, children, root)
    own = {child.digest for child, _ in children}
    refers = (item for item in source.referrers(root).descriptors if item.digest not in own)
    return image, [Left(root, INDEX), *(Left(Descriptor(*item[:4]), OF_INDEX) for item in refers)]


def thin(source: Source, root: Descriptor, choice: Choice) -> tuple[frozenset[Digest], list[Left]]:
    """The parts of the index `root` that are of none of the platforms, and what is left: these and their referrers.

    What only says something of an image, as BuildKit's provenance, goes with that image. An image that is no index must be
    of one of the platforms. Raises as `pick`.
    """
    if not choice.platforms:
        return frozenset(), []
    if root.media_type not in mt.INDEXES:
        _check_image(source, root, choice.platforms)
        return frozenset(), []
    data = source.fetch(root, MAX_MANIFEST)
    children, attested = list(platforms_of(data, root.digest)), attested_in(data, root.digest)
    kept = {_image_for(platform, children, root).digest for platform in choice.platforms}
    apart = {
        child.digest: child
        for child, _ in children
        if is_manifest(child.media_type) and not kept & {child.digest, attested.get(child.digest)}
    }
    left = [Left(child, OTHER_PLATFORM) for child in apart.values()]
    for child in apart.values() if choice.referrer_types != frozenset() else ():
        refers = source.referrers(child).descriptors
        left += [Left(Descriptor(*item[:4]), OF_OTHER) for item in refers if item.digest not in apart]
    return frozenset(apart), left


def _image_for(
    platform: Platform, children: Sequence[tuple[Descriptor, Platform | None]], root: Descriptor
) -> Descriptor:
    """The one of `children` for `platform`. Raises `NotFound` for none, `ArtifactError` for several."""
    fitting = {child.digest: (child, found) for child, found in children if found and found.fits(platform)}
    if not fitting:
        known = ", ".join(sorted({str(found) for _, found in children if found}))
        raise NotFound(
            f"no image for {platform}", at=root.digest, hint=f"there are images for {known or 'none'}"
        )
    if len(fitting) > 1:
        names = ", ".join(sorted(str(found) for _, found in fitting.values()))
        raise ArtifactError(
            f"several images for {platform}: {names}", at=root.digest, hint="name the variant, or a digest"
        )
    ((image, _),) = fitting.values()
    return image


def _check_image(source: Source, root: Descriptor, platforms: Sequence[Platform]) -> None:
    config = parse_manifest(source.fetch(root, MAX_MANIFEST), root.media_type, at=root.digest).config
    found = platform_of_config(source.fetch(config, MAX_CONFIG), config.digest) if config else None
    if found is None or not any(map(found.fits, platforms)):
        raise NotFound(
            f"no image for {' or '.join(map(str, platforms))}",
            at=root.digest,
            hint=f"this one is for {found or 'no platform'}",
        )


def without(closure: Closure, objections: Objections) -> tuple[Closure, list[Left]]:
    """`closure` without the referrers that are objected to, and without what belongs to these alone.

    Nothing is left of it if its root is objected to.
    """
    root = closure.root
    if root.digest in objections:
        others = (node.descriptor for digest, node in closure.nodes.items() if digest != root.digest)
        gone = [Left(root, objections[root.digest]), *(Left(other, UPON_LEFT) for other in others)]
        return closure._replace(nodes={}, listed=()), gone
    kept: dict[Digest, Node] = {}
    left: list[Left] = []
    parts: set[Digest] = set()
    for digest, node in closure.nodes.items():  # subjects and indexes stand before what belongs to them
        subject = node.manifest.subject
        about = digest in parts or (subject is not None and subject.digest in kept)
        if node.required or (about and digest not in objections):
            kept[digest] = node
            parts.update(node.children)
        else:
            left.append(Left(node.descriptor, objections.get(digest, UPON_LEFT)))
    return closure._replace(nodes=kept), left
