"""What belongs to an artifact? Everything it is made of, and everything that refers to any part of it.

Manifests are followed down to their children, and up to their referrers: signatures and SBOMs of an index,
of each platform's image, signatures of the SBOMs. What an artifact is made of is required: if a part cannot
be read, that is an error. What refers to it can be pushed by others: one bad referrer is reported and left out.
What this module does not do: read blobs, or say whether a signature is good.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from functools import partial
from typing import NamedTuple, Protocol, TypeVar

from nv2.blame import blaming
from nv2.content.interface import Referrers, Source
from nv2.errors import ArtifactError, BadAnswer, MalformedManifest, NotFound, Nv2Error
from nv2.oci import media_types as mt
from nv2.oci.descriptor import Descriptor
from nv2.oci.digest import Digest
from nv2.oci.manifest import MAX_MANIFEST, Manifest, is_manifest, parse_manifest
from nv2.plain_text import one_line

MAX_MANIFESTS = 50_000
"""Manifests that belong to one artifact: fifty platforms with a thousand signatures each."""

MAX_TOTAL = 64 * 1024 * 1024
"""Bytes of those manifests, which are held in memory; a signature manifest has about one KiB."""

MAX_NESTING = 8
"""Indexes in indexes. Two were seen in the field."""

MAX_ROUNDS = 8
"""Referrers of referrers. A signature of an SBOM of an image is the second."""

UNUSABLE = (ArtifactError, NotFound, BadAnswer)
"""What a source raises when one piece of content cannot be had, rather than nothing at all."""

T = TypeVar("T")


Types = Set[str] | None
"""Artifact types of the referrers that are followed; None for all, an empty set for none."""


class Execute(Protocol):
    """Does jobs, some at once if it likes, and hands out their results in order; the first error is raised."""

    def __call__(self, jobs: Sequence[Callable[[], T]], /) -> Iterator[T]: ...


def in_order(jobs: Sequence[Callable[[], T]], /) -> Iterator[T]:
    """One job after the other."""
    return (job() for job in jobs)


class Node(NamedTuple):
    """A manifest that belongs to an artifact."""

    descriptor: Descriptor
    """Plain, as the one who named it wrote it; the bytes were checked against it."""
    data: bytes
    manifest: Manifest
    required: bool
    """Whether the artifact is made of it, or it only refers."""

    @property
    def children(self) -> tuple[Digest, ...]:
        """The manifests that it consists of."""
        return tuple(child.digest for child in self.manifest.manifests if is_manifest(child.media_type))

    @property
    def blobs(self) -> tuple[Descriptor, ...]:
        """Everything else that it consists of. What an index has besides manifests is a blob."""
        others = (child for child in self.manifest.manifests if not is_manifest(child.media_type))
        return (*self.manifest.blobs, *others)

    @property
    def as_referrer(self) -> Descriptor:
        """Its descriptor in a list of referrers (distribution-spec, "Listing Referrers")."""
        kind, annotations = self.manifest.kind, self.manifest.annotations
        return self.descriptor._replace(artifact_type=kind, annotations=annotations)


Listed = Callable[[Node], Set[tuple[object, ...]]]
"""Given a manifest, which of its signatures need not be read: the first four fields of their descriptors."""


def _none(_: Node) -> Set[tuple[object, ...]]:
    return frozenset()


class Closure(NamedTuple):
    """All manifests that belong to `root`, each once, `root` first."""

    root: Descriptor
    nodes: Mapping[Digest, Node]
    problems: tuple[str, ...]
    """Referrers that were left out, and parts if it need not be whole, one line each."""
    others: tuple[Descriptor, ...] = ()
    """Referrers of types that were not asked for. What refers to them is unknown."""
    listed: tuple[Descriptor, ...] = ()
    """Signatures that need not be read, and were not. What refers to them is unknown."""


def closure_of(
    source: Source,
    root: Descriptor,
    execute: Execute = in_order,
    *,
    whole: bool = True,
    types: Types = None,
    listed: Listed = _none,
    apart: Set[Digest] = frozenset(),
) -> Closure:
    """Everything that belongs to the manifest `root`; of what refers to it, at every level, only `types`.

    `listed` is asked about every manifest of which the source lists signatures: those are not read. Parts of the artifact
    that stand `apart` are not followed.

    Raises `ArtifactError` or `NotFound` for a required manifest that is missing, malformed, too large, or
    if there are too many; and what the source raises when it cannot answer. Unless it must be `whole`, that
    is a problem too, but for `root` itself.
    """
    walk = _Walk(source, execute, whole=whole, types=types, known=listed, apart=apart)
    added = walk.follow([root])
    for _ in range(MAX_ROUNDS):
        if not (added := walk.rise(added)):
            break
    else:
        walk.report(f"{added[0].descriptor.digest}: what refers to it is left out, after {MAX_ROUNDS} levels")
    others, listed_there = tuple(walk.others.values()), tuple(walk.listed.values())
    return Closure(root, walk.nodes, tuple(walk.problems), others, listed_there)


_Claims = dict[Digest, set[Digest]]
"""By referrer: the subjects that list it."""


class _Walk:
    """The nodes found so far. A node is entered once, by digest."""

    def __init__(
        self, source: Source, execute: Execute, *, whole: bool, types: Types, known: Listed, apart: Set[str]
    ) -> None:
        self.nodes: dict[Digest, Node] = {}
        self.problems: dict[str, None] = {}
        self.others: dict[Digest, Descriptor] = {}
        self.listed: dict[Digest, Descriptor] = {}
        self._source = source
        self._execute = execute
        self._whole = whole
        self._types = types
        self._known = known
        self._apart = apart
        self._room = MAX_TOTAL

    def report(self, problem: str) -> None:
        self.problems[one_line(problem)] = None

    def follow(self, wanted: Sequence[Descriptor], claims: _Claims | None = None) -> list[Node]:
        """Enter `wanted` and their children; the new nodes. With `claims`, they are referrers, not required."""
        entered: list[Node] = []
        for _ in range(MAX_NESTING):
            if not (wanted := self._affordable(self._new(wanted), required=claims is None)):
                return entered
            found = list(self._read(wanted, claims or {}, required=claims is None))
            entered += found
            wanted = [child for node in found for child in node.manifest.manifests]
            if claims is None:
                wanted = [child for child in wanted if child.digest not in self._apart]
        if wanted := self._new(wanted):
            self._fail(_too_deep(wanted[0]), required=claims is None)
        return entered

    def rise(self, subjects: Sequence[Node]) -> list[Node]:
        """Enter everything that refers to `subjects`; the new nodes."""
        if self._types is not None and not self._types:
            return []
        claims: _Claims = {}
        wanted: list[Descriptor] = []
        for subject, referrers in self._referrers(subjects):
            for referrer in referrers:
                claims.setdefault(referrer.digest, set()).add(subject.descriptor.digest)
                wanted.append(referrer)
        return self.follow(wanted, claims)

    def _referrers(self, subjects: Sequence[Node]) -> Iterator[tuple[Node, list[Descriptor]]]:
        """What refers to each of `subjects` and has to be read."""
        jobs = [partial(self._referrers_of, subject) for subject in subjects]
        found: list[tuple[Node, list[Descriptor]]] = []
        for subject, listing in zip(subjects, self._execute(jobs), strict=True):
            self._note(subject, listing)
            # What was found already is not read again: some registries list the parts of an index as its referrers.
            found.append((subject, [item for item in listing.descriptors if item.digest not in self.nodes]))
        asked = [subject for subject, listed in found if any(map(self._is_signature, listed))]
        known = dict(
            zip(
                (subject.descriptor.digest for subject in asked),
                self._execute([partial(self._known, subject) for subject in asked]),
                strict=True,
            )
        )
        for subject, listed in found:
            there = known.get(subject.descriptor.digest, frozenset())
            self.listed.update(
                (item.digest, item) for item in listed if self._is_signature(item) and item[:4] in there
            )
            yield subject, [item for item in listed if item.digest not in self.listed]

    def _referrers_of(self, subject: Node) -> Referrers:
        with blaming(digest=subject.descriptor.digest):
            return self._source.referrers(subject.descriptor)

    def _is_signature(self, item: Descriptor) -> bool:
        """Whether the listing calls `item` a signature of the wanted kind. Hardly anything refers to these."""
        return item.artifact_type == mt.SIGNATURE and (self._types is None or mt.SIGNATURE in self._types)

    def _note(self, subject: Node, listing: Referrers) -> None:
        for problem in listing.problems:
            self.report(problem)
        if not listing.complete:
            self.report(f"{subject.descriptor.digest}: the list of its referrers is incomplete")

    def _new(self, wanted: Iterable[Descriptor]) -> list[Descriptor]:
        # Not by digest alone: a bad descriptor of somebody's must not stand in the way of a good one.
        new = {d[:3]: Descriptor(*d[:3]) for d in wanted if is_manifest(d.media_type)}
        return [descriptor for descriptor in new.values() if descriptor.digest not in self.nodes]

    def _affordable(self, wanted: Sequence[Descriptor], *, required: bool) -> list[Descriptor]:
        """Those of `wanted` that the limits leave room for."""
        taken: list[Descriptor] = []
        for descriptor in wanted:
            if descriptor.size > MAX_MANIFEST:
                self._fail(_too_large(descriptor), required=required)
            elif len(self.nodes) + len(taken) >= MAX_MANIFESTS or descriptor.size > self._room:
                self._fail(_too_many(descriptor), required=required)
                break
            else:
                self._room -= descriptor.size
                taken.append(descriptor)
        return taken

    def _read(self, wanted: Sequence[Descriptor], claims: _Claims, *, required: bool) -> Iterator[Node]:
        for descriptor, data in zip(wanted, self._source.fetch_many(wanted, MAX_MANIFEST), strict=True):
            try:
                node = _node(descriptor, data, claims.get(descriptor.digest), required=required)
            except UNUSABLE as e:
                self._fail(e, required=required)
                continue
            # By what the manifest says, not the listing, whose entries may have no type or a wrong one.
            if (
                descriptor.digest in claims
                and self._types is not None
                and node.manifest.kind not in self._types
            ):
                self.others[descriptor.digest] = descriptor
            elif self.nodes.setdefault(descriptor.digest, node) is node:
                yield node

    def _fail(self, error: Nv2Error, *, required: bool) -> None:
        # As long as nothing was entered it is the root that failed.
        if required and (self._whole or not self.nodes):
            raise error
        self.report(str(error))


def _node(
    descriptor: Descriptor, data: bytes | Nv2Error, claim: set[Digest] | None, *, required: bool
) -> Node:
    if isinstance(data, Nv2Error):
        with blaming(digest=descriptor.digest):
            raise data
    manifest = parse_manifest(data, descriptor.media_type, at=descriptor.digest)
    if claim and (manifest.subject is None or manifest.subject.digest not in claim):
        raise MalformedManifest(
            f"listed as a referrer of {min(claim)}, but does not name it", at=descriptor.digest
        )
    return Node(descriptor, data, manifest, required)


def _too_large(descriptor: Descriptor) -> ArtifactError:
    return MalformedManifest(f"a manifest of more than {MAX_MANIFEST} bytes", at=descriptor.digest)


def _too_many(descriptor: Descriptor) -> ArtifactError:
    limits = f"{MAX_MANIFESTS} manifests or {MAX_TOTAL} bytes of them"
    return ArtifactError(f"more than {limits} belong to the artifact", at=descriptor.digest)


def _too_deep(descriptor: Descriptor) -> ArtifactError:
    return ArtifactError(f"indexes are nested deeper than {MAX_NESTING}", at=descriptor.digest)


def is_foreign(descriptor: Descriptor) -> bool:
    """Whether the content stays where its maker publishes it."""
    return descriptor.media_type in mt.FOREIGN_LAYERS
