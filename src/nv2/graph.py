"""How does everything hang together that belongs to an artifact? Its parts, what refers to them, and who signed.

A part that is missing is reported and the rest is shown. What this module does not do: verify. Who signed is what
an envelope says of itself, and anybody may have written it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from nv2.closure import Execute, Node, closure_of, in_order
from nv2.content.interface import Source
from nv2.errors import MalformedManifest, Nv2Error
from nv2.oci.descriptor import Descriptor
from nv2.oci.digest import Digest
from nv2.oci.manifest import MAX_ENVELOPE, is_manifest, is_signature, signature_manifest
from nv2.plain_text import one_line

MAX_SIGNERS = 1_000
"""Signatures of one graph that are opened to say who made them: as many as one artifact was seen to have."""

MAX_ENVELOPES = 64 * 1024 * 1024
"""Bytes of their envelopes, the small ones first; a thousand have about 10 MiB."""


class Member(NamedTuple):
    """A manifest of the graph."""

    descriptor: Descriptor
    """With the artifact type that the manifest itself has."""
    children: tuple[Descriptor, ...]
    """The manifests that it consists of, each once. What could not be read is no member."""
    blobs: tuple[Descriptor, ...]
    """Everything else that it consists of."""
    subject: Digest | None
    """What it refers to, which is no member if the graph begins with a referrer."""
    referrers: tuple[Digest, ...]
    """The members that refer to it, in the order of their digests."""
    signer: str | None
    """Of a signature that could be opened: the subject of its signing certificate (RFC 4514). Not verified."""


class Graph(NamedTuple):
    """Everything that belongs to `root`. There may be cycles: an index can refer to its own part."""

    root: Descriptor
    members: Mapping[Digest, Member]
    """Each manifest once, `root` first."""
    problems: tuple[str, ...]
    """What could not be read or was left out, one line each."""


def graph_of(source: Source, root: Descriptor, execute: Execute = in_order) -> Graph:
    """The graph of the manifest `root`, within the limits of `closure` and of this module.

    Raises `ArtifactError` or `NotFound` if `root` itself cannot be read, and what the source raises when it
    cannot answer who refers to something.
    """
    closure = closure_of(source, root, execute, whole=False)
    problems = list(closure.problems)
    signers = dict(_signers(source, closure.nodes.values(), problems))
    referrers: dict[Digest, list[Digest]] = {}
    for node in closure.nodes.values():
        if node.manifest.subject is not None:
            referrers.setdefault(node.manifest.subject.digest, []).append(node.descriptor.digest)
    members = {
        digest: _member(node, sorted(referrers.get(digest, ())), signers.get(digest))
        for digest, node in closure.nodes.items()
    }
    return Graph(root, members, tuple(problems))


def _member(node: Node, referrers: Iterable[Digest], signer: str | None) -> Member:
    manifest = node.manifest
    children = {child.digest: child for child in manifest.manifests if is_manifest(child.media_type)}
    return Member(
        node.descriptor._replace(artifact_type=manifest.kind),
        tuple(children.values()),
        node.blobs,
        manifest.subject.digest if manifest.subject else None,
        tuple(referrers),
        signer,
    )


def _signers(source: Source, nodes: Iterable[Node], problems: list[str]) -> Iterator[tuple[Digest, str]]:
    """Who made the signatures among `nodes`, as they say; `problems` gets a line for each that does not."""
    wanted = _affordable(sorted(_envelopes(nodes, problems), key=lambda found: found[1].size), problems)
    envelopes = [envelope for _, envelope in wanted]
    for (node, envelope), data in zip(wanted, source.fetch_many(envelopes, MAX_ENVELOPE), strict=True):
        try:
            yield node.descriptor.digest, _signer(node, envelope, data)
        except Nv2Error as e:
            problems.append(one_line(f"the signer of {node.descriptor.digest} is not shown: {e}"))


def _envelopes(nodes: Iterable[Node], problems: list[str]) -> Iterator[tuple[Node, Descriptor]]:
    for node in nodes:
        if is_signature(node.manifest):
            try:
                found = signature_manifest(node.manifest, node.descriptor.digest)
            except MalformedManifest as e:
                problems.append(one_line(str(e)))
            else:
                yield node, Descriptor(*found.envelope[:3])


def _affordable(
    found: Iterable[tuple[Node, Descriptor]], problems: list[str]
) -> list[tuple[Node, Descriptor]]:
    taken: list[tuple[Node, Descriptor]] = []
    room, left = MAX_ENVELOPES, 0
    for node, envelope in found:
        if len(taken) == MAX_SIGNERS or envelope.size > room:
            left += 1
        else:
            room -= envelope.size
            taken.append((node, envelope))
    if left:
        limits = f"{MAX_SIGNERS} signatures or {MAX_ENVELOPES} bytes of envelopes"
        problems.append(f"the signers of {left} signatures are not shown: more than {limits}")
    return taken


def _signer(node: Node, envelope: Descriptor, data: bytes | Nv2Error) -> str:
    # Most artifacts have no signature, and to read one takes much loading (ADR 0012).
    from nv2.envelope.formats import parse
    from nv2.pki.chain import parse_chain

    if isinstance(data, Nv2Error):
        raise data
    parsed = parse(envelope.media_type, data)
    subject = node.manifest.subject
    if subject is None or parsed.claimed.digest != subject.digest:
        raise MalformedManifest(f"the envelope speaks of {parsed.claimed.digest}")
    return parse_chain(parsed.unsigned.certificates).leaf.subject
