"""Which signatures does an artifact have? Lists them, then opens their manifests and envelopes.

signing-and-verification-workflow, "Verification Steps" 2 and 3. One bad referrer never hides a good
one: it is reported, and the next is looked at. What this module does not do: believe anything. The
thumbprint annotation only orders the work, and an envelope comes out as bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from nv2.content.interface import Source
from nv2.errors import ArtifactError, BadAnswer, MalformedManifest, Nv2Error
from nv2.oci import media_types as mt
from nv2.oci.descriptor import Descriptor
from nv2.oci.digest import Digest
from nv2.oci.manifest import (
    MAX_ENVELOPE,
    MAX_MANIFEST,
    SignatureManifest,
    is_signature,
    parse_manifest,
    signature_manifest,
)
from nv2.plain_text import one_line, quoted

MAX_REFERRERS = 10_000
"""Signatures of one artifact that are looked at: ten times what anybody was seen to have."""

MAX_UNTYPED = 1_000
"""Referrers of one artifact whose manifest is read because the listing does not say what they are."""

MAX_UNTYPED_MANIFEST = 64 * 1024
"""Bytes of a manifest that is read only to learn what it is; a signature manifest has about one KiB."""

MAX_TOTAL = 256 * 1024 * 1024
"""Bytes of envelopes that are read for one artifact; a thousand signatures have about 10 MiB."""

BATCH = 32
"""Signatures that are asked for at once."""

MAX_BATCH = 64 * 1024 * 1024
"""Bytes of manifests, or of envelopes, that are asked for at once, so that they fit in memory together."""

_UNTYPED = (None, "", mt.EMPTY)
"""What registries and clients write in place of the artifact type that they should have derived."""

NOTHING_READ: Mapping[Digest, SignatureManifest] = MappingProxyType({})


class Discovery(NamedTuple):
    """The signatures that were found."""

    signatures: tuple[Descriptor, ...]
    """Descriptors of signature manifests, in the order in which to look at them."""
    complete: bool
    """False if there may be more: then absence proves nothing."""
    problems: tuple[str, ...]
    """What could not be used, one line each."""
    manifests: Mapping[Digest, SignatureManifest] = NOTHING_READ
    """Manifests that had to be read already, to know what they are."""


class FoundSignature(NamedTuple):
    """A signature of the subject, or what says so: its bytes have their digests, no more is known."""

    manifest: Descriptor
    envelope: Descriptor
    data: bytes
    """The envelope."""

    @property
    def media_type(self) -> str:
        """The format of the envelope."""
        return self.envelope.media_type


class Problem(NamedTuple):
    """A signature that could not be read. An `ArtifactError` says that it never can be."""

    manifest: Descriptor
    error: Nv2Error

    @property
    def reason(self) -> str:
        """The error as one line of bounded length, safe to show: much of it comes from strangers."""
        return one_line(str(self.error))


def discover(
    source: Source,
    subject: Descriptor,
    prefer: frozenset[str] = frozenset(),
    cap: int = MAX_REFERRERS,
) -> Discovery:
    """The signatures of `subject` in `source`, at most `cap` of them.

    Those come first whose annotation names one of the thumbprints `prefer` (lower-hex SHA-256 of
    certificates); else the order is that of their digests, whatever the order of the listing. A missing
    artifact type is repaired from the manifest. Raises `RemoteError`, `EnvironmentFailure` or
    `ArtifactError` if the listing itself cannot be had.
    """
    listed = source.referrers(subject, mt.SIGNATURE)
    problems = [one_line(problem) for problem in listed.problems]
    if not listed.complete:
        problems.append("the list of referrers is incomplete, so there may be more")
    found = {d.digest: d for d in listed.descriptors if d.artifact_type == mt.SIGNATURE}
    untyped = {d.digest: d for d in listed.descriptors if _may_be_signature(d) and d.digest not in found}
    read, known = _read_untyped(source, list(untyped.values()), problems)
    for digest, manifest in known.items():
        found[digest] = untyped[digest]._replace(artifact_type=mt.SIGNATURE, annotations=manifest.annotations)
    ordered = sorted(found.values(), key=lambda d: (not _matches(d, prefer), d.digest))
    if len(ordered) > cap:
        problems.append(f"{len(ordered)} signatures are listed, only {cap} are looked at")
    complete = listed.complete and read and len(ordered) <= cap
    return Discovery(tuple(ordered[:cap]), complete, tuple(problems), known)


def _may_be_signature(descriptor: Descriptor) -> bool:
    return descriptor.artifact_type in _UNTYPED and descriptor.media_type in (
        mt.IMAGE_MANIFEST,
        mt.ARTIFACT_MANIFEST,
    )


def _read_untyped(
    source: Source, untyped: Sequence[Descriptor], problems: list[str]
) -> tuple[bool, dict[Digest, SignatureManifest]]:
    """The signatures among `untyped`, and whether all were read that may be one."""
    readable = [d for d in untyped if d.size <= MAX_UNTYPED_MANIFEST][:MAX_UNTYPED]
    complete = len(readable) == len(untyped)
    if not complete:
        problems.append(
            f"{len(untyped) - len(readable)} referrers without an artifact type are too large or too many"
        )
    found: dict[Digest, SignatureManifest] = {}
    for descriptor, data in zip(readable, source.fetch_many(readable, MAX_UNTYPED_MANIFEST), strict=True):
        try:
            if isinstance(data, Nv2Error):
                raise data
            manifest = parse_manifest(data, descriptor.media_type, at=descriptor.digest)
            if is_signature(manifest):
                found[descriptor.digest] = signature_manifest(manifest, descriptor.digest)
        except Nv2Error as e:
            problems.append(one_line(f"a referrer was skipped: {e}"))
            complete = complete and isinstance(e, ArtifactError)
    return complete, found


def _matches(descriptor: Descriptor, prefer: frozenset[str]) -> bool:
    text = descriptor.annotations.get(mt.THUMBPRINTS)
    if not prefer or not text:
        return False
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(said, list) and any(isinstance(item, str) and item in prefer for item in said)


def open_signatures(
    source: Source,
    subject: Descriptor,
    descriptors: Sequence[Descriptor],
    known: Mapping[Digest, SignatureManifest] = NOTHING_READ,
) -> Iterator[FoundSignature | Problem]:
    """Fetch manifests and envelopes of `descriptors`, in their order: one item for each.

    Lazy: what nobody asks for is not fetched, but for the rest of a batch. `known` are manifests that
    were read already.
    """
    budget = MAX_TOTAL
    for batch in _batches(descriptors):
        opened, budget = _affordable(_manifests(source, subject, batch, known), budget)
        for group in _groups(opened):
            yield from _envelopes(source, group)


Opened = tuple[Descriptor, SignatureManifest | Nv2Error]
"""The descriptor of a signature manifest with its content, or why there is none."""


def _batches(descriptors: Sequence[Descriptor]) -> Iterator[Sequence[Descriptor]]:
    start, size = 0, 0
    for i, descriptor in enumerate(descriptors):
        size += min(descriptor.size, MAX_MANIFEST)
        if i > start and (i - start == BATCH or size > MAX_BATCH):
            yield descriptors[start:i]
            start, size = i, min(descriptor.size, MAX_MANIFEST)
    yield descriptors[start:]


def _manifests(
    source: Source,
    subject: Descriptor,
    batch: Sequence[Descriptor],
    known: Mapping[Digest, SignatureManifest],
) -> Iterator[Opened]:
    wanted = [d for d in batch if d.digest not in known and d.size <= MAX_MANIFEST]
    fetched = dict(zip((d.digest for d in wanted), source.fetch_many(wanted, MAX_MANIFEST), strict=True))
    for descriptor in batch:
        try:
            manifest = known.get(descriptor.digest) or _manifest(descriptor, fetched.get(descriptor.digest))
            _check(manifest, subject, descriptor.digest)
            yield descriptor, manifest
        except Nv2Error as e:
            yield descriptor, e


def _manifest(descriptor: Descriptor, data: bytes | Nv2Error | None) -> SignatureManifest:
    if data is None:
        raise MalformedManifest(f"a manifest of more than {MAX_MANIFEST} bytes", at=descriptor.digest)
    if isinstance(data, Nv2Error):
        raise data
    return signature_manifest(
        parse_manifest(data, descriptor.media_type, at=descriptor.digest), descriptor.digest
    )


def _check(manifest: SignatureManifest, subject: Descriptor, at: Digest) -> None:
    # Listings are made by others (GitLab answers with the image itself, anyone writes fallback tags).
    if manifest.subject.digest != subject.digest:
        raise MalformedManifest(f"its subject is another manifest: {manifest.subject.digest}", at=at)
    if manifest.envelope.media_type not in mt.ENVELOPES.values():
        raise MalformedManifest(f"unknown format of signatures {quoted(manifest.envelope.media_type)}", at=at)
    if manifest.envelope.size > MAX_ENVELOPE:
        raise MalformedManifest(f"an envelope of more than {MAX_ENVELOPE} bytes", at=at)


def _affordable(opened: Iterator[Opened], budget: int) -> tuple[list[Opened], int]:
    """`opened` with an error in place of each whose envelope exceeds the rest of `budget`; and that rest."""
    found: list[Opened] = []
    for descriptor, manifest in opened:
        if isinstance(manifest, SignatureManifest) and manifest.envelope.size > budget:
            refusal = BadAnswer(
                f"not read: the envelopes have more than {MAX_TOTAL} bytes together", at=descriptor.digest
            )
            found.append((descriptor, refusal))
            continue
        if isinstance(manifest, SignatureManifest):
            budget -= manifest.envelope.size
        found.append((descriptor, manifest))
    return found, budget


def _groups(opened: Sequence[Opened]) -> Iterator[list[Opened]]:
    """`opened` in groups whose envelopes fit in memory together."""
    group: list[Opened] = []
    size = 0
    for item in opened:
        more = item[1].envelope.size if isinstance(item[1], SignatureManifest) else 0
        if group and size + more > MAX_BATCH:
            yield group
            group, size = [], 0
        group.append(item)
        size += more
    yield group


def _envelopes(source: Source, group: Sequence[Opened]) -> Iterator[FoundSignature | Problem]:
    wanted = [manifest.envelope for _, manifest in group if isinstance(manifest, SignatureManifest)]
    fetched = iter(source.fetch_many(wanted, MAX_ENVELOPE))
    for descriptor, manifest in group:
        if isinstance(manifest, Nv2Error):
            yield Problem(descriptor, manifest)
            continue
        data = next(fetched)
        if isinstance(data, Nv2Error):
            yield Problem(descriptor, data)
        else:
            yield FoundSignature(descriptor, manifest.envelope, data)
