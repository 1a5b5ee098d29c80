"""Copying an artifact with everything that belongs to it, byte for byte, so that nobody sees a part of it.

Order: blobs, then manifests, each after its children and after its subject, then the lists of referrers (one
write per subject), the tag last: whoever resolves the tag finds the signatures too. Whatever is interrupted can be
run again: what is there is skipped, but for listed signatures never taken as a sign that its parts are there as well.
"""

from __future__ import annotations

from collections.abc import Set
from functools import partial

from nv2.closure import Closure, Execute, Node, Types, closure_of, in_order
from nv2.content.interface import Source, Store
from nv2.copying.presence import Presence
from nv2.copying.results import NOT_THERE, CopyEvent, CopyResult, Left, Listener, Outcome, nobody
from nv2.copying.work import Work
from nv2.errors import NotFound
from nv2.oci.descriptor import Descriptor
from nv2.oci.digest import Digest

__all__ = ["CopyEvent", "CopyResult", "Left", "Outcome", "copy", "follow_up"]


def copy(
    source: Source,
    destination: Store,
    name: str,
    tag: str | None,
    *,
    referrer_types: Types = None,
    recheck: bool = False,
    execute: Execute = in_order,
    progress: Listener = nobody,
) -> CopyResult:
    """Copy what `name` (a tag or digest) names in `source` to `destination`, and let `tag` name it there.

    Of what refers to it, at every level, only `referrer_types` come along (None: all; with an empty set the
    source is not asked for referrers); what refers to one that stays behind stays behind, too.

    A distant destination is not asked for every piece: what it lists as a signature is there. With `recheck` it is
    asked all the same.

    `execute` may do jobs at once in threads; `progress` is called in the caller's. Raises `NotFound` and
    `ArtifactError` if the artifact is not whole in `source` (then nothing was tagged), and what the stores
    raise. A referrer that is not whole is a problem of the result.
    """
    root = source.resolve(name)
    presence = Presence(destination, root, tag, recheck=recheck)
    closure = closure_of(source, root, execute, types=referrer_types, listed=presence.signatures)
    work = Work(source, destination, closure, execute, presence, progress)
    work.do()
    if tag is not None and not presence.tagged:
        destination.tag(closure.root, tag)
    return work.result()


def follow_up(
    source: Source,
    destination: Store,
    name: str,
    *,
    referrer_types: Types,
    recheck: bool = False,
    execute: Execute = in_order,
    progress: Listener = nobody,
) -> CopyResult:
    """Copy referrers of what somebody else copied, and nothing of the artifact itself; no tag is written.

    Referrers of a part that is not in `destination` are left, as is that part. Raises `NotFound` if the artifact
    is not there, and what `copy` raises.
    """
    root = source.resolve(name)
    presence = Presence(destination, root, recheck=recheck)
    closure = closure_of(source, root, execute, types=referrer_types, listed=presence.signatures)
    parts = [node.descriptor for node in closure.nodes.values() if node.required]
    found = execute([partial(presence.has, part) for part in parts])
    there = frozenset(part.digest for part, is_there in zip(parts, found, strict=True) if is_there)
    if closure.root.digest not in there:
        raise NotFound("not at the destination", at=closure.root.digest, hint="copy the artifact there first")
    kept, left = _about(there, closure)
    work = Work(source, destination, kept, execute, presence, progress, there)
    for descriptor in left:
        work.ledger.leave(descriptor, NOT_THERE)
    work.do()
    return work.result()


def _about(there: Set[Digest], closure: Closure) -> tuple[Closure, list[Descriptor]]:
    """What of `closure` is `there` or refers to it, and the rest."""
    kept: dict[Digest, Node] = {}
    left: list[Descriptor] = []
    for digest, node in closure.nodes.items():  # a subject stands before what refers to it
        subject = node.manifest.subject
        if digest in there if node.required else subject is None or subject.digest in kept:
            kept[digest] = node
        else:
            left.append(node.descriptor)
    return closure._replace(nodes=kept), left
