"""What is at the destination already, found out with few questions.

A destination that is near, such as a directory, is asked for every piece. A distant one is not asked for what
follows from its answers (ADR 0007): a signature that it lists is there; a manifest is not, if a blob of it is not; and
where the first small blob is missing, so are the others, or are sent in vain.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence, Set

from nv2.closure import UNUSABLE, Node, is_foreign
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
        self._answers: dict[tuple[object, ...], bool] = {}

    def has(self, descriptor: Descriptor) -> bool:
        """Whether the content is there."""
        if descriptor[:3] not in self._answers:
            self._answers[descriptor[:3]] = self._ask(descriptor)
        return self._answers[descriptor[:3]]

    def signatures(self, subject: Node) -> Set[tuple[object, ...]]:
        """What the destination lists as signatures of `subject`: the first four fields of each descriptor."""
        if not self.presumes or not self._has_manifest(subject):
            return frozenset()
        try:
            listing = self._destination.referrers(subject.descriptor, mt.SIGNATURE)
        except UNUSABLE:
            return frozenset()  # then each is asked for, and attaching says what is wrong
        return frozenset(item[:4] for item in listing.descriptors)

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
        """Whether the manifest is there; its first blob is asked for first, as it will be anyway."""
        first = next(_small(node), None)
        return (first is None or self.has(first)) and self.has(node.descriptor)

    def _ask(self, descriptor: Descriptor) -> bool:
        if self.presumes and self._tag is not None and descriptor.digest == self._root:
            self.tagged = _names(self._destination, self._tag) == self._root
        return (self.tagged and descriptor.digest == self._root) or self._destination.exists(descriptor)


def _names(store: Store, tag: str) -> Digest | None:
    """What `tag` names, if it names anything that can be read."""
    try:
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
