"""Copying an artifact with everything that belongs to it, byte for byte, so that nobody sees a part of it.

Order: blobs, then manifests, each after its children and after its subject, then the lists of referrers (one
write per subject), the tag last: whoever resolves the tag finds the signatures too. Whatever is interrupted can be
run again: what is there is skipped, but never taken as a sign that its parts are there as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Set
from enum import Enum
from functools import partial
from graphlib import TopologicalSorter
from typing import BinaryIO, NamedTuple

from nv2.closure import UNUSABLE, Closure, Execute, Node, Types, closure_of, in_order, is_foreign
from nv2.content.interface import Source, Store, can_mount, opener
from nv2.errors import ContentMismatch, NotFound, Nv2Error
from nv2.oci.descriptor import Descriptor
from nv2.oci.digest import Digest
from nv2.plain_text import one_line


class Outcome(Enum):
    """What became of one piece of content."""

    COPIED = "copied"
    MOUNTED = "mounted"
    SKIPPED = "skipped"
    """It was there already."""
    LEFT = "left"
    """Not meant to be copied: foreign layers, the subject of an artifact that is itself a referrer, and referrers
    of types that were not asked for."""


class CopyEvent(NamedTuple):
    """One more piece of content is done."""

    outcome: Outcome
    descriptor: Descriptor
    done: int
    """Pieces, this one included."""
    total: int
    """Pieces in all."""


class CopyResult(NamedTuple):
    """What a copy came to. Blobs and manifests alike, each once."""

    root: Descriptor
    copied: tuple[Descriptor, ...]
    mounted: tuple[Descriptor, ...]
    skipped: tuple[Descriptor, ...]
    left: tuple[Descriptor, ...]
    problems: tuple[str, ...]
    """Referrers that were left out because they, or a part of them, cannot be read; one line each."""
    bytes_sent: int
    """Bytes of what was copied."""


def _nobody(_: CopyEvent) -> None:
    """Nobody listens."""


def copy(
    source: Source,
    destination: Store,
    name: str,
    tag: str | None,
    *,
    referrer_types: Types = None,
    execute: Execute = in_order,
    progress: Callable[[CopyEvent], None] = _nobody,
) -> CopyResult:
    """Copy what `name` (a tag or digest) names in `source` to `destination`, and let `tag` name it there.

    Of what refers to it, at every level, only `referrer_types` come along (None: all; with an empty set the
    source is not asked for referrers); what refers to one that stays behind stays behind, too.

    `execute` may do jobs at once in threads; `progress` is called in the caller's. Raises `NotFound` and
    `ArtifactError` if the artifact is not whole in `source` (then nothing was tagged), and what the stores
    raise. A referrer that is not whole is a problem of the result.
    """
    closure = closure_of(source, source.resolve(name), execute, types=referrer_types)
    work = _Copy(source, destination, closure, execute, progress)
    work.copy_blobs()
    work.copy_manifests()
    work.attach()
    if tag is not None:
        destination.tag(closure.root, tag)
    return work.result()


def follow_up(
    source: Source,
    destination: Store,
    name: str,
    *,
    referrer_types: Types,
    execute: Execute = in_order,
    progress: Callable[[CopyEvent], None] = _nobody,
) -> CopyResult:
    """Copy referrers of what somebody else copied, and nothing of the artifact itself; no tag is written.

    Referrers of a part that is not in `destination` are left, as is that part. Raises `NotFound` if the artifact
    is not there, and what `copy` raises.
    """
    closure = closure_of(source, source.resolve(name), execute, types=referrer_types)
    parts = [node.descriptor for node in closure.nodes.values() if node.required]
    found = execute([partial(destination.exists, part) for part in parts])
    there = frozenset(part.digest for part, is_there in zip(parts, found, strict=True) if is_there)
    if closure.root.digest not in there:
        raise NotFound("not at the destination", at=closure.root.digest, hint="copy the artifact there first")
    work = _Copy(source, destination, _about(there, closure), execute, progress, there)
    work.copy_blobs()
    work.copy_manifests()
    work.attach()
    return work.result()


def _about(there: Set[Digest], closure: Closure) -> Closure:
    """What of `closure` is `there` or refers to it; the rest are others."""
    kept: dict[Digest, Node] = {}
    others = list(closure.others)
    for digest, node in closure.nodes.items():  # a subject stands before what refers to it
        subject = node.manifest.subject
        if digest in there if node.required else subject is None or subject.digest in kept:
            kept[digest] = node
        else:
            others.append(node.descriptor)
    return closure._replace(nodes=kept, others=tuple(others))


_Key = tuple[Digest, int, bool]
"""What tells one blob from another. A referrer may lie about size or kind of a blob that others need."""


def _key(blob: Descriptor) -> _Key:
    return blob.digest, blob.size, is_foreign(blob)


class _Copy:
    """One copy under way: the ledger of what was done, and of the referrers that cannot be copied."""

    def __init__(
        self,
        source: Source,
        destination: Store,
        closure: Closure,
        execute: Execute,
        progress: Callable[[CopyEvent], None],
        there: Set[Digest] = frozenset(),
    ) -> None:
        self._source = source
        self._destination = destination
        self._closure = closure
        self._execute = execute
        self._progress = progress
        self._there = there
        self._dropped: set[Digest] = set()
        self._problems = list(closure.problems)
        self._ledger: dict[Outcome, list[Descriptor]] = {outcome: [] for outcome in Outcome}
        self._total = 0

    def copy_blobs(self) -> None:
        """Every blob that is not there; a referrer of which one cannot be had is dropped."""
        nodes = self._closure.nodes
        blobs: dict[_Key, Descriptor] = {}
        sent = [node for digest, node in nodes.items() if digest not in self._there]
        for blob in (blob for node in sent for blob in node.blobs):
            blobs.setdefault(_key(blob), blob)
        needed = {_key(blob) for node in sent if node.required for blob in node.blobs}
        self._total = len(blobs) + len(nodes)
        faults: dict[_Key, Nv2Error] = {}
        jobs = [partial(self._copy_blob, blob) for blob in blobs.values()]
        for (key, blob), outcome in zip(blobs.items(), self._execute(jobs), strict=True):
            if isinstance(outcome, Outcome):
                self._enter(outcome, blob)
            elif key in needed:
                raise outcome
            else:
                faults[key] = outcome
        for node in sent:
            if fault := next((faults[_key(blob)] for blob in node.blobs if _key(blob) in faults), None):
                self._drop(node, str(fault))

    def copy_manifests(self) -> None:
        """Every manifest that is not there, after its children and its subject."""
        nodes = self._closure.nodes
        sorter = TopologicalSorter({digest: self._before(node) for digest, node in nodes.items()})
        sorter.prepare()
        while sorter.is_active():
            ready = sorter.get_ready()
            whole = [nodes[digest] for digest in ready if self._is_whole(nodes[digest])]
            jobs = [partial(self._copy_manifest, node) for node in whole]
            for node, outcome in zip(whole, self._execute(jobs), strict=True):
                self._enter(outcome, node.descriptor)
            sorter.done(*ready)

    def attach(self) -> None:
        """List the referrers, all of one subject at once; those that were there too: they may not be listed."""
        groups: dict[Digest, tuple[Descriptor, list[Descriptor]]] = {}
        for node in self._closure.nodes.values():
            subject = node.manifest.subject
            if subject and node.descriptor.digest not in self._dropped | self._there:
                known = self._closure.nodes.get(subject.digest)
                group = groups.setdefault(subject.digest, (known.descriptor if known else subject, []))
                group[1].append(node.as_referrer)
        jobs = [partial(self._destination.attach, subject, listed) for subject, listed in groups.values()]
        for _ in self._execute(jobs):
            pass
        for subject, _listed in groups.values():
            if subject.digest not in self._closure.nodes:
                self._ledger[Outcome.LEFT].append(subject)

    def result(self) -> CopyResult:
        """What was done."""
        copied, mounted, skipped, left = (tuple(self._ledger[outcome]) for outcome in Outcome)
        left += self._closure.others
        sent = sum(descriptor.size for descriptor in copied)
        return CopyResult(self._closure.root, copied, mounted, skipped, left, tuple(self._problems), sent)

    def _copy_blob(self, blob: Descriptor) -> Outcome | Nv2Error:
        """What became of `blob`, or why the source cannot give it. Whatever else is wrong is raised."""
        if is_foreign(blob):
            return Outcome.LEFT
        if self._destination.exists(blob):
            return Outcome.SKIPPED
        if can_mount(self._destination) and self._destination.mount(blob, self._source):
            return Outcome.MOUNTED
        faults: list[Nv2Error] = []
        try:
            self._destination.push(blob, partial(_open, self._source, blob, faults))
        except Nv2Error as e:
            if e in faults or isinstance(e, ContentMismatch):
                return e
            raise
        return Outcome.COPIED

    def _copy_manifest(self, node: Node) -> Outcome:
        if node.descriptor.digest in self._there or self._destination.exists(node.descriptor):
            return Outcome.SKIPPED
        self._destination.push(node.descriptor, opener(node.data))
        return Outcome.COPIED

    def _before(self, node: Node) -> Iterator[Digest]:
        """What must be there before `node`."""
        subject = node.manifest.subject
        needed = (*node.children, *((subject.digest,) if subject else ()))
        return (digest for digest in needed if digest in self._closure.nodes)

    def _is_whole(self, node: Node) -> bool:
        """Whether `node` can be copied: a referrer cannot without its children, or without its subject."""
        if node.descriptor.digest in self._dropped:
            return False
        missing = {digest for digest in node.children if digest not in self._closure.nodes}
        missing |= self._dropped.intersection(self._before(node))
        if missing and not node.required:
            self._drop(node, f"{min(missing)} is left out")
            return False
        return True

    def _drop(self, node: Node, reason: str) -> None:
        self._dropped.add(node.descriptor.digest)
        self._problems.append(one_line(f"{node.descriptor.digest}: left out: {reason}"))
        self._total -= 1

    def _enter(self, outcome: Outcome, descriptor: Descriptor) -> None:
        self._ledger[outcome].append(descriptor)
        done = sum(len(listed) for listed in self._ledger.values())
        self._progress(CopyEvent(outcome, descriptor, done, self._total))


def _open(source: Source, blob: Descriptor, faults: list[Nv2Error]) -> BinaryIO:
    """The content; what is wrong with it goes into `faults` too, to tell it from what the destination says."""
    try:
        return source.open(blob)
    except UNUSABLE as e:
        faults.append(e)
        raise
