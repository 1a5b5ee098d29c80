"""The work of a copy, step by step: blobs, manifests, lists of referrers."""

from __future__ import annotations

from collections.abc import Iterator, Set
from functools import partial
from graphlib import TopologicalSorter
from typing import BinaryIO

from nv2.blame import DESTINATION, SOURCE, blaming, note
from nv2.closure import UNUSABLE, Closure, Execute, Node, is_foreign
from nv2.content.interface import Source, Store, can_mount, can_push_tagged, opener
from nv2.copying.presence import Key, Presence, key_of
from nv2.copying.results import OTHER_TYPE, SUBJECT, Ledger, Once, Outcome, always
from nv2.copying.watched_stream import WatchedStream
from nv2.errors import BadAnswer, ContentMismatch, NotFound, Nv2Error
from nv2.oci.descriptor import Descriptor
from nv2.oci.digest import Digest
from nv2.plain_text import one_line


class Work:
    """One copy under way: the ledger of what was done, and the referrers that cannot be copied."""

    def __init__(
        self,
        source: Source,
        destination: Store,
        closure: Closure,
        execute: Execute,
        presence: Presence,
        ledger: Ledger,
        there: Set[Digest] = frozenset(),
        once: Once = always,
        *,
        tag: str | None = None,
    ) -> None:
        """`there` is left alone. `tag` may name the root as soon as it arrives, because nothing comes after it."""
        self._source = source
        self._destination = destination
        self._closure = closure
        self._execute = execute
        self._presence = presence
        self._there = there
        self._tag = tag
        self._once = once
        self._sent: set[Key] = set()
        self._dropped: set[Digest] = set()
        self.ledger = ledger
        ledger.problems += closure.problems

    def do(self) -> None:
        """All but the tag, in the order in which nobody sees a part of it."""
        self._copy_blobs()
        self._copy_manifests()
        self._attach()

    def _copy_blobs(self) -> None:
        """Every blob that is not there; a referrer of which one cannot be had is dropped."""
        nodes = self._closure.nodes
        blobs: dict[Key, Descriptor] = {}
        sent = [node for digest, node in nodes.items() if digest not in self._there]
        for blob in (blob for node in sent for blob in node.blobs):
            blobs.setdefault(key_of(blob), blob)
        needed = {key_of(blob) for node in sent if node.required for blob in node.blobs}
        self._presence.settle(sent, self._execute)
        presumed = self._presence.presumed_missing(sent)
        manifests = (*(node.descriptor for node in nodes.values()), *self._closure.listed)
        self.ledger.expect((*blobs.values(), *manifests))
        faults: dict[Key, Nv2Error] = {}
        jobs = [
            partial(self._once, key, partial(self._copy_blob, blob, ask=key not in presumed))
            for key, blob in blobs.items()
        ]
        for (key, blob), outcome in zip(blobs.items(), self._execute(jobs), strict=True):
            if isinstance(outcome, Outcome):
                self.ledger.enter(outcome, blob)
                if outcome in (Outcome.COPIED, Outcome.MOUNTED):
                    self._sent.add(key)
            elif key in needed:
                raise outcome
            else:
                faults[key] = outcome
        for node in sent:
            if fault := next((faults[key_of(blob)] for blob in node.blobs if key_of(blob) in faults), None):
                self._drop(node, str(fault))

    def _copy_manifests(self) -> None:
        """Every manifest that is not there, after its children and its subject."""
        for listed in self._closure.listed:
            self.ledger.enter(Outcome.SKIPPED, listed)
        nodes = self._closure.nodes
        sorter = TopologicalSorter({digest: self._before(node) for digest, node in nodes.items()})
        sorter.prepare()
        while sorter.is_active():
            ready = sorter.get_ready()
            whole = [nodes[digest] for digest in ready if self._is_whole(nodes[digest])]
            # Not by the key of a blob: what is a layer elsewhere has come as such, and is no manifest yet.
            jobs = [
                partial(self._once, node.descriptor[:3], partial(self._copy_manifest, node)) for node in whole
            ]
            for node, outcome in zip(whole, self._execute(jobs), strict=True):
                if isinstance(outcome, Nv2Error):  # of blobs alone
                    raise outcome
                self.ledger.enter(outcome, node.descriptor)
            sorter.done(*ready)

    def _attach(self) -> None:
        """List the referrers, all of one subject at once; those that were there too: they may not be listed."""
        groups: dict[Digest, tuple[Descriptor, list[Descriptor]]] = {}
        for node in self._closure.nodes.values():
            subject = node.manifest.subject
            if subject and node.descriptor.digest not in self._dropped | self._there:
                known = self._closure.nodes.get(subject.digest)
                group = groups.setdefault(subject.digest, (known.descriptor if known else subject, []))
                group[1].append(node.as_referrer)
        jobs = [partial(self._list, subject, listed) for subject, listed in groups.values()]
        for _ in self._execute(jobs):
            pass
        for subject, _listed in groups.values():
            if subject.digest not in self._closure.nodes:
                self.ledger.leave(subject, SUBJECT)
        for other in self._closure.others:
            self.ledger.leave(other, OTHER_TYPE)

    def _list(self, subject: Descriptor, listed: list[Descriptor]) -> None:
        with blaming(DESTINATION, subject.digest):
            self._destination.attach(subject, listed)

    def _copy_blob(self, blob: Descriptor, *, ask: bool) -> Outcome | Nv2Error:
        """What became of `blob`, or why the source cannot give it. Whatever else is wrong is raised."""
        if is_foreign(blob):
            return Outcome.LEFT
        if ask and self._presence.has(blob):
            return Outcome.SKIPPED
        with blaming(DESTINATION, blob.digest):
            if can_mount(self._destination) and self._destination.mount(blob, self._source):
                return Outcome.MOUNTED
        return self._send(blob)

    def _send(self, blob: Descriptor) -> Outcome | Nv2Error:
        outcome = self._try_to_send(blob)
        while isinstance(outcome, ContentMismatch) and outcome.again:  # each time there is one mirror less
            outcome = self._try_to_send(blob)
        return outcome

    def _try_to_send(self, blob: Descriptor) -> Outcome | Nv2Error:
        faults: list[Nv2Error] = []
        try:
            self._destination.push(blob, partial(self._open, blob, faults))
        except Nv2Error as e:
            foul = isinstance(e, ContentMismatch)  # whoever found it
            note(e, SOURCE if foul else DESTINATION, blob.digest)
            if foul or e in faults:
                return e
            raise
        return Outcome.COPIED

    def _open(self, blob: Descriptor, faults: list[Nv2Error]) -> BinaryIO:
        """The content; what is wrong with it goes into `faults` too, to tell it from what the destination says."""
        try:
            with blaming(SOURCE, blob.digest):
                stream = self._source.open(blob)
        except UNUSABLE as e:
            faults.append(e)
            raise
        moved = self.ledger.watcher.moved if self.ledger.watcher else None
        return WatchedStream(stream, blob.digest, moved)

    def _copy_manifest(self, node: Node) -> Outcome:
        if node.descriptor.digest in self._there or self._has(node):
            return Outcome.SKIPPED
        with blaming(DESTINATION, node.descriptor.digest):
            return self._send_manifest(node)

    def _send_manifest(self, node: Node) -> Outcome:
        try:
            self._push(node)
        except (BadAnswer, NotFound) as e:
            if not (_misses_parts(e) and self._send_again(node)):
                raise
            self._push(node)
        return Outcome.COPIED

    def _push(self, node: Node) -> None:
        """Send a manifest, the root together with its tag: for each of the two, a registry looks for all blobs."""
        is_root = node.descriptor.digest == self._closure.root.digest
        if self._tag is not None and is_root and can_push_tagged(self._destination):
            self._destination.push_tagged(node.descriptor, opener(node.data), self._tag)
            self._presence.tagged = True
        else:
            self._destination.push(node.descriptor, opener(node.data))

    def _has(self, node: Node) -> bool:
        """Whether the destination has the manifest. It has not, if just now a blob of it was missing."""
        if self._presence.presumes and any(key_of(blob) in self._sent for blob in node.blobs):
            return False
        return self._presence.has(node.descriptor)

    def _send_again(self, node: Node) -> bool:
        """Send the parts of `node` that the destination claimed to have; whether there was any.

        Some say of content that was lost, or is in another repository only, that it is there.
        """
        blobs = [blob for blob in node.blobs if not is_foreign(blob) and key_of(blob) not in self._sent]
        for blob in blobs:
            if isinstance(fault := self._send(blob), Nv2Error):
                raise fault
        children = [self._closure.nodes[digest] for digest in node.children if digest in self._closure.nodes]
        for child in children:
            self._destination.push(child.descriptor, opener(child.data))
        return bool(blobs or children)

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
        self.ledger.problems.append(one_line(f"{node.descriptor.digest}: left out: {reason}"))
        self.ledger.drop(node.descriptor)


def _misses_parts(error: Nv2Error) -> bool:
    """Whether a destination refused a manifest because, it says, content is missing that the manifest names."""
    return isinstance(error, NotFound) or "BLOB_UNKNOWN" in error.message
