"""Copying an artifact with everything that belongs to it, byte for byte, so that nobody sees a part of it.

Order: blobs, then manifests, each after its children and after its subject, then the lists of referrers (one
write per subject), the tag last (with the artifact's own manifest, if nothing comes after that): whoever resolves the
tag finds the signatures too. Whatever is interrupted can be run again: what is there is skipped, but for listed
signatures never taken as a sign that its parts are there as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Set
from contextlib import contextmanager
from functools import partial

from nv2.blame import DESTINATION, SOURCE, blaming, note
from nv2.closure import Closure, Execute, Node, closure_of, in_order
from nv2.content.interface import Source, Store
from nv2.copying.choices import EVERYTHING, Choice, pick, thin, without
from nv2.copying.presence import Presence
from nv2.copying.results import NOT_THERE, CopyResult, Ledger, Left, Once, Outcome, Watcher, always
from nv2.copying.work import Work
from nv2.errors import BadAnswer, NotFound
from nv2.oci.descriptor import Descriptor
from nv2.oci.digest import Digest, attachment_tags

MAX_ATTACHED = 4
"""Attachments of attachments, by cosign's tags. One is what cosign makes."""

WANTS_ALL = "it wants all images of an index: copy the index whole, or each image under a tag of its own, with one --platform"

__all__ = ["Choice", "CopyResult", "Left", "Once", "Outcome", "Watcher", "always", "copy", "follow_up"]


def copy(
    source: Source,
    destination: Store,
    name: str,
    tag: str | None,
    *,
    choice: Choice = EVERYTHING,
    on_arrival: Callable[[Descriptor], object] | None = None,
    execute: Execute = in_order,
    once: Once = always,
    watcher: Watcher | None = None,
) -> CopyResult:
    """Copy what `name` (a tag or digest) names in `source` to `destination`, and let `tag` name it there.

    Of what refers to it, at every level, only the `choice` comes along; what refers to one that stays behind stays
    behind, too. A distant destination is not asked for every piece (`Presence`). `on_arrival` is called with the
    artifact when all of it is there and the tag does not name it yet.

    `execute` may do jobs at once in threads, `once` may know what other copies bring; `watcher` hears how it goes on.
    Raises `NotFound` and `ArtifactError` if the artifact is not whole in `source` (then nothing was tagged), and what the
    stores raise. A referrer that is not whole is a problem of the result.
    """
    ledger = Ledger(watcher)
    run = _Run(source, destination, choice, execute, once, ledger)
    root = run.copy(name, tag, on_arrival)
    return ledger.result(root)


class _Run:
    """What the artifact and those that are named after its digests have in common."""

    def __init__(
        self,
        source: Source,
        destination: Store,
        choice: Choice,
        execute: Execute,
        once: Once,
        ledger: Ledger,
    ) -> None:
        self._source = source
        self._destination = destination
        self._choice = choice
        self._execute = execute
        self._once = once
        self._ledger = ledger
        self._named = set(choice.digest_tags)

    def copy(
        self, name: str, tag: str | None, on_arrival: Callable[[Descriptor], object] | None, level: int = 0
    ) -> Descriptor:
        """Copy one artifact, and before its tag those with tags that are made of its digests."""
        choice = self._choice
        platform = None if level else choice.platform
        with blaming(SOURCE):
            root, left = pick(self._source, self._source.resolve(name), platform)
            apart, more = (frozenset[Digest](), list[Left]()) if level else thin(self._source, root, choice)
            left += more
        presence = Presence(self._destination, root, tag, recheck=choice.recheck)
        with blaming(SOURCE):
            types, listed = choice.referrer_types, presence.signatures
            closure = closure_of(self._source, root, self._execute, types=types, listed=listed, apart=apart)
        object_to = choice.object_to_attached if level else choice.object_to
        if object_to is not None:
            closure, more = without(closure, object_to(closure))
            left += more
        for item in left:
            self._ledger.leave(*item)
        if not closure.nodes:
            return root
        last = tag if on_arrival is None and self._is_last(closure) else None
        with _advising(root, thinned=bool(apart)):
            self._work(closure, presence, last).do()
        self._copy_attachments(closure, level + 1)
        if on_arrival is not None:
            on_arrival(root)
        if tag is not None and not presence.tagged:
            with blaming(DESTINATION, root.digest):
                self._destination.tag(root, tag)
        return root

    def _work(self, closure: Closure, presence: Presence, tag: str | None) -> Work:
        stores = self._source, self._destination
        return Work(*stores, closure, self._execute, presence, self._ledger, once=self._once, tag=tag)

    def _is_last(self, closure: Closure) -> bool:
        """Whether the tag alone comes after the root's manifest: neither a list of referrers nor an attachment."""
        return not self._named and all(node.manifest.subject is None for node in closure.nodes.values())

    def _copy_attachments(self, closure: Closure, level: int) -> None:
        """What cosign attached: under tags made of the digests of `closure`."""
        for digest in (*closure.nodes, *(item.digest for item in closure.listed)):
            for tag in self._named.intersection(attachment_tags(digest)):
                self._named.discard(tag)
                if level > MAX_ATTACHED:
                    self._ledger.problems.append(f"{tag}: left out, after {MAX_ATTACHED} levels of such tags")
                else:
                    self.copy(tag, tag, None, level)


@contextmanager
def _advising(root: Descriptor, *, thinned: bool) -> Iterator[None]:
    """Say what helps where the destination does not take the index `root` without some of its images."""
    try:
        yield
    except (BadAnswer, NotFound) as e:
        if thinned and e.side == DESTINATION and e.about == root.digest:
            e.hint = WANTS_ALL
        raise


def follow_up(
    source: Source,
    destination: Store,
    name: str,
    *,
    choice: Choice,
    execute: Execute = in_order,
    once: Once = always,
    watcher: Watcher | None = None,
) -> CopyResult:
    """Copy referrers of what somebody else copied, and nothing of the artifact itself; no tag is written.

    Referrers of a part that is not in `destination` are left, as is that part. Raises `NotFound` if the artifact
    is not there, and what `copy` raises.
    """
    ledger = Ledger(watcher)
    with blaming(SOURCE):
        root = source.resolve(name)
    presence = Presence(destination, root, recheck=choice.recheck)
    with blaming(SOURCE):
        closure = closure_of(source, root, execute, types=choice.referrer_types, listed=presence.signatures)
    parts = [node.descriptor for node in closure.nodes.values() if node.required]
    found = execute([partial(presence.has, part) for part in parts])
    there = frozenset(part.digest for part, is_there in zip(parts, found, strict=True) if is_there)
    if closure.root.digest not in there:
        absent = NotFound(
            "the artifact is not there", at=closure.root.digest, hint="copy the artifact there first"
        )
        note(absent, DESTINATION, closure.root.digest)
        raise absent
    kept, left = _about(there, closure)
    if choice.object_to is not None:
        kept, more = without(kept, choice.object_to(kept))
        left += more
    for item in left:
        ledger.leave(*item)
    Work(source, destination, kept, execute, presence, ledger, there, once).do()
    return ledger.result(root)


def _about(there: Set[Digest], closure: Closure) -> tuple[Closure, list[Left]]:
    """What of `closure` is `there` or refers to it, and the rest."""
    kept: dict[Digest, Node] = {}
    left: list[Left] = []
    for digest, node in closure.nodes.items():  # a subject stands before what refers to it
        subject = node.manifest.subject
        if digest in there if node.required else subject is None or subject.digest in kept:
            kept[digest] = node
        else:
            left.append(Left(node.descriptor, NOT_THERE))
    return closure._replace(nodes=kept), left
