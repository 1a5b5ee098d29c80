"""What is at the destination already, found out with few questions.

A destination that is near, such as a directory, is asked for every piece. A distant one is not asked for what
follows from its answers (ADR 0007): a signature that it lists is there; under a tag that names the artifact, a manifest
that is there has its blobs; a manifest is not there, if a blob of it is not; and where the first small blob is missing,
so are the others, or are sent in vain.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence, Set
from functools import partial

from nv2.blame import DESTINATION, blaming
from nv2.closure import UNUSABLE, Execute, Node, is_foreign
from nv2.content.interface import Store, is_distant
from nv2.oci import media_types as mt
from nv2.oci.descriptor import Descriptor
from nv2.oci.digest import Digest

SMALL = 64 * 1024
"""Bytes of a blob that is sent about as quickly as it is asked for."""

Key = tuple[Digest, int, bool]
"""What tells one blob from another. A referrer may lie about size or kind of a blob that others need."""


def key_of(blob: Descriptor) -> Key:
    """The key of `blob`."""
    return blob.digest, blob.size, is_foreign(blob)


class Presence:
    """What `destination` has; every answer is remembered. `tag` is what `root` will be called there.

    With `recheck`, a distant destination is asked as a near one is.
    """

    def __init__(
        self, destination: Store, root: Descriptor, tag: str | None = None, *, recheck: bool = False
    ) -> None:
        self.presumes = is_distant(destination) and not recheck
        self.tagged = False
        """Whether the tag is known to name the root already."""
        self._destination = destination
        self._root = root.digest
        self._tag = tag
        self._tag_asked = False
        self._answers: dict[tuple[object, ...], bool] = {}

    def has(self, descriptor: Descriptor) -> bool:
        """Whether the content is there."""
        if descriptor[:3] not in self._answers:
            with blaming(DESTINATION, descriptor.digest):
                self._answers[descriptor[:3]] = self._ask(descriptor)
        return self._answers[descriptor[:3]]

    def signatures(self, subject: Node) -> Set[tuple[object, ...]]:
        """What the destination lists as signatures of `subject`: the first four fields of each descriptor."""
        if not self.presumes or not self._has_manifest(subject):
            return frozenset()
        try:
            with blaming(DESTINATION, subject.descriptor.digest):
                listing = self._destination.referrers(subject.descriptor, mt.SIGNATURE)
        except UNUSABLE:
            return frozenset()  # then each is asked for, and attaching says what is wrong
        return frozenset(item[:4] for item in listing.descriptors)

    def settle(self, nodes: Sequence[Node], execute: Execute) -> None:
        """Ask whether the tag names the artifact. If it does, the blobs of manifests that are there are there, too.

        Registries refuse a manifest whose blobs they miss, and the tag says that somebody came to the end. Manifests
        are asked for nevertheless: of an index, they may have been left out on purpose.
        """
        root = next((node for node in nodes if node.descriptor.digest == self._root), None)
        if not self.presumes or root is None or not (self._tag_asked or self._has_first(root)):
            return
        if self._names_root():
            parts = [node for node in nodes if node.required]
            found = execute([partial(self.has, part.descriptor) for part in parts])
            for part, is_there in zip(parts, found, strict=True):
                if is_there:
                    self._answers.update((blob[:3], True) for blob in part.blobs)

    def presumed_missing(self, nodes: Sequence[Node]) -> Set[Key]:
        """Which blobs of `nodes` need not be asked for before they are sent."""
        if not self.presumes:
            return frozenset()
        small = {key_of(blob) for node in nodes for blob in _small(node)}
        required = [blob for node in nodes if node.required for blob in _small(node)]
        if required and not self.has(required[0]):
            return small
        # All signatures have the same config, which says nothing.
        others = [blob for node in nodes if not node.required for blob in _small(node)]
        probe = _first_of_its_own(others)
        if probe is None or self.has(probe):
            return frozenset()
        return small - {key_of(blob) for blob in required}

    def _has_manifest(self, node: Node) -> bool:
        """Whether the manifest is there. If the tag does not say so, its first blob is asked for, as it will be anyway."""
        if node.descriptor.digest == self._root and self._names_root():
            return True
        return (self.tagged or self._has_first(node)) and self.has(node.descriptor)

    def _has_first(self, node: Node) -> bool:
        first = next(_small(node), None)
        return first is None or self.has(first)

    def _ask(self, descriptor: Descriptor) -> bool:
        is_named = self.presumes and descriptor.digest == self._root and self._names_root()
        return is_named or self._destination.exists(descriptor)

    def _names_root(self) -> bool:
        """Whether the tag names the artifact already; asked once."""
        if self._tag is not None and not self._tag_asked:
            self.tagged = _names(self._destination, self._tag) == self._root
            self._tag_asked = True
        return self.tagged


def _names(store: Store, tag: str) -> Digest | None:
    """What `tag` names, if it names anything that can be read."""
    try:
        with blaming(DESTINATION):
            return store.resolve(tag).digest
    except UNUSABLE:
        return None


def _small(node: Node) -> Iterator[Descriptor]:
    return (blob for blob in node.blobs if blob.size <= SMALL and not is_foreign(blob))


def _first_of_its_own(blobs: Iterable[Descriptor]) -> Descriptor | None:
    """The first of `blobs` that only one manifest names."""
    found = list(blobs)
    counts = Counter(key_of(blob) for blob in found)
    return next((blob for blob in found if counts[key_of(blob)] == 1), None)
