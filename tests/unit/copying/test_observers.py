"""Whoever looks at the destination while a copy is under way sees no tag without its signatures."""

from __future__ import annotations

from collections.abc import Sequence

from nv2.closure import closure_of
from nv2.content.interface import Opener
from nv2.content.memory import MemoryStore
from nv2.copying import copy
from nv2.oci.descriptor import Descriptor
from tests.unit.copying.stores import digests
from tests.world.artifacts import SBOM, attach_referrer, push_image, push_index


class Observed(MemoryStore):
    """After every write, whatever a tag names is looked at as a reader would."""

    def __init__(self, source: MemoryStore) -> None:
        super().__init__()
        self.source = source
        self.looks = 0
        self.tagged = 0

    def push(self, descriptor: Descriptor, source: Opener) -> None:
        super().push(descriptor, source)
        self.look()

    def attach(self, subject: Descriptor, manifests: Sequence[Descriptor]) -> None:
        super().attach(subject, manifests)
        self.look()

    def tag(self, descriptor: Descriptor, tag: str) -> None:
        super().tag(descriptor, tag)
        self.look()

    def look(self) -> None:
        self.looks += 1
        for tag, root in self.tags.items():
            self.tagged += 1
            seen = closure_of(self, root)
            assert set(seen.nodes) == set(closure_of(self.source, root).nodes), tag
            assert all(self.exists(blob) for node in seen.nodes.values() for blob in node.blobs)


def test_no_write_shows_a_tag_without_all_that_refers_to_it(source: MemoryStore) -> None:
    images = [push_image(source, b"amd64"), push_image(source, b"arm64")]
    index = push_index(source, images)
    for number, subject in enumerate((index, *images)):
        attach_referrer(source, subject, b"signature %d" % number)
    attach_referrer(
        source, attach_referrer(source, index, b"packages", artifact_type=SBOM), b"of the packages"
    )
    source.tag(index, "v1")
    destination = Observed(source)
    copy(source, destination, "v1", "v1")
    assert destination.looks > 15
    assert destination.tagged == 1
    other = push_index(source, images, annotations={"new": "yes"})
    attach_referrer(source, other, b"of the new one")
    source.tag(other, "v1")
    copy(source, destination, "v1", "v1")
    assert destination.resolve("v1") == other


def test_a_tag_that_moves_while_it_is_copied_is_copied_as_it_was(source: MemoryStore) -> None:
    old, new = push_image(source, b"old"), push_image(source, b"new")
    signature = attach_referrer(source, old)
    source.tag(old, "v1")

    class Moving(MemoryStore):
        def push(self, descriptor: Descriptor, source_of: Opener) -> None:
            source.tag(new, "v1")
            super().push(descriptor, source_of)

    destination = Moving()
    result = copy(source, destination, "v1", "v1")
    assert (result.root, destination.resolve("v1")) == (old, old)
    assert set(destination.manifests) == digests(old, signature)
