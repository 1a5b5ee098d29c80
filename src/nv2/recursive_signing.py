"""What is signed with an index, in which order, and what has been signed already.

An index, its children, and whatever refers to any of them, such as an SBOM; but no signatures, nor what refers to
these. What this module does not do: sign, or ask whether a referrer deserves it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import NamedTuple

from nv2.closure import Closure, Execute, closure_of, in_order
from nv2.content.interface import Source
from nv2.errors import ArtifactError
from nv2.oci.descriptor import Descriptor
from nv2.oci.digest import Digest
from nv2.oci.manifest import is_signature
from nv2.opening import FoundSignature, open_signatures
from nv2.trust.validations import prove


class Plan(NamedTuple):
    """What is to be signed: children before what consists of them, the root last."""

    wanted: tuple[Descriptor, ...]
    signatures: Mapping[Digest, tuple[Descriptor, ...]]
    """Signature manifests by the digest of what they refer to."""
    problems: tuple[str, ...]
    """Referrers that were left out, one line each."""


def plan_for(source: Source, root: Descriptor, execute: Execute = in_order) -> Plan:
    """What belongs to `root` and can be signed. Raises what `closure_of` raises."""
    closure = closure_of(source, root, execute)
    signatures: dict[Digest, list[Descriptor]] = {}
    for node in closure.nodes.values():
        if is_signature(node.manifest) and node.manifest.subject is not None:
            signatures.setdefault(node.manifest.subject.digest, []).append(node.descriptor)
    wanted = tuple(closure.nodes[digest].descriptor for digest in _in_order(closure))
    return Plan(wanted, {key: tuple(found) for key, found in signatures.items()}, closure.problems)


def _in_order(closure: Closure) -> Iterator[Digest]:
    """What was found last comes first, and everything after its children: a signed index has signed children.

    A child is looked at once for each index that lists it: strangers attach indexes that list one a thousand times.
    """
    finished = _about_signatures(closure)
    waiting = list(closure.nodes)  # a stack: the root is below all others
    while waiting:
        digest = waiting[-1]
        missing = () if digest in finished else _unfinished(closure, digest, finished)
        if missing:
            waiting += missing
            continue
        waiting.pop()
        if digest not in finished:
            finished.add(digest)
            yield digest


def _unfinished(closure: Closure, digest: Digest, finished: set[Digest]) -> tuple[Digest, ...]:
    children = dict.fromkeys(closure.nodes[digest].children)
    return tuple(child for child in children if child in closure.nodes and child not in finished)


def _about_signatures(closure: Closure) -> set[Digest]:
    """Signatures, and what refers to them. The nodes come in order: what refers comes after its subject."""
    found: set[Digest] = set()
    for digest, node in closure.nodes.items():
        subject = node.manifest.subject
        if node.required or digest == closure.root.digest:
            continue
        if is_signature(node.manifest) or (subject is not None and subject.digest in found):
            found.add(digest)
    return found


def is_signed_already(
    source: Source,
    subject: Descriptor,
    signatures: tuple[Descriptor, ...],
    thumbprint: str,
    metadata: Mapping[str, str],
    now: datetime,
) -> bool:
    """Whether one of `signatures` is a good one of `subject` by the certificate `thumbprint`, with `metadata`, still valid."""
    for found in open_signatures(source, subject, signatures):
        if not isinstance(found, FoundSignature):
            continue
        try:
            proven = prove(found.media_type, found.data, subject)
        except ArtifactError:
            continue  # a bad signature is none, and a good one is put beside it
        expiry = proven.content.envelope.attributes.expiry
        by_same = proven.chain.leaf.thumbprint == thumbprint
        if by_same and proven.content.target.annotations == metadata and (expiry is None or now < expiry):
            return True
    return False
