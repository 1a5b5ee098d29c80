"""Does a bundle hold exactly what its contents say? Follows them down to every manifest.

What this module does not do: read blobs, or say whether a signature is good.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from nv2.bundling.contents import NEWER, Contents, layout_tags
from nv2.closure import Node, closure_of, is_foreign
from nv2.content.interface import Source
from nv2.errors import MalformedManifest
from nv2.oci import media_types as mt
from nv2.oci.descriptor import Descriptor
from nv2.oci.digest import Digest
from nv2.plain_text import quoted


class BundleManifests(NamedTuple):
    """Every manifest of a bundle, by digest, and every blob that they name and that is carried."""

    nodes: Mapping[Digest, Node]
    blobs: tuple[Descriptor, ...]
    signatures: tuple[Node, ...]
    """Of the contents themselves: of the bundle as a whole."""


def manifests_of(source: Source, index: Descriptor, contents: Contents, at: str) -> BundleManifests:
    """All manifests that `contents`, which stand in `index`, lead to, and signatures of `index` itself.

    Raises `MalformedManifest` for what leads nowhere, or is there without being named; what `closure_of` raises if
    something is missing or is not what its descriptor says.
    """
    closure = closure_of(source, index)
    if closure.problems:
        raise MalformedManifest(closure.problems[0], at=at)
    about_the_bundle = {index.digest}
    signatures = []
    for digest, node in closure.nodes.items():
        if node.required:
            continue
        subject = node.manifest.subject
        if subject is None or subject.digest not in about_the_bundle:
            raise MalformedManifest("is in the bundle, and its contents do not name it", at=f"{at}: {digest}")
        about_the_bundle.add(digest)
        signatures.append(node)
    for referrer in contents.referrers:
        found = closure.nodes[referrer.digest].manifest
        subject = found.subject
        if subject is None:
            raise MalformedManifest(
                f"{quoted(found.kind or 'no type')} refers to nothing, and its kind is not known here",
                at=f"{at}: {referrer.digest}",
                hint=NEWER,
            )
        if subject.digest not in closure.nodes:
            raise MalformedManifest("refers to nothing in the bundle", at=f"{at}: {referrer.digest}")
    blobs = {blob[:3]: Descriptor(*blob[:3]) for node in closure.nodes.values() for blob in node.blobs}
    carried = tuple(blob for blob in blobs.values() if not is_foreign(blob))
    return BundleManifests(closure.nodes, carried, tuple(signatures))


def check_tags(listed: Sequence[Descriptor], contents: Contents, found: BundleManifests, at: str) -> None:
    """Raise `MalformedManifest` if index.json, by which other programs read a bundle, says something else."""
    said = set()
    for entry in listed:
        node = found.nodes.get(entry.digest)
        if node is None:
            raise MalformedManifest(
                "is listed in index.json, and not in the contents", at=f"{at}: {entry.digest}"
            )
        if entry[:3] != node.descriptor[:3]:
            raise MalformedManifest(
                "index.json and the contents differ about its media type or size", at=f"{at}: {entry.digest}"
            )
        if tag := entry.annotations.get(mt.REF_NAME):
            said.add((entry.digest, tag))
    if differing := said ^ {(descriptor.digest, tag) for descriptor, tag in layout_tags(contents.images)}:
        digest, tag = min(differing)
        raise MalformedManifest(
            f"index.json and the contents differ about the tag {quoted(tag)}", at=f"{at}: {digest}"
        )
