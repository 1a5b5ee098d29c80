"""What do the signatures of an artifact hold? Opens their manifests and envelopes, and bounds what is read.

signing-and-verification-workflow, "Verification Steps" 3. What cannot be read is reported, and the next is
looked at. What this module does not do: believe anything. An envelope comes out as bytes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import NamedTuple

from nv2.content.interface import Source
from nv2.errors import BadAnswer, MalformedManifest, NotFound, Nv2Error
from nv2.oci import media_types as mt
from nv2.oci.descriptor import Descriptor
from nv2.oci.digest import Digest
from nv2.oci.manifest import (
    MAX_ENVELOPE,
    MAX_MANIFEST,
    NOTHING_READ,
    SignatureManifest,
    parse_manifest,
    signature_manifest,
)
from nv2.plain_text import one_line, quoted

MAX_TOTAL = 256 * 1024 * 1024
"""Bytes of envelopes that are read for one artifact; a thousand signatures have about 10 MiB."""

MAX_SMALL = 26 * 1024
"""Bytes of a small envelope: a chain and a timestamp fit in. All small ones are read, whatever stands beside them,
for 10,000 (`discovery.MAX_REFERRERS`) have less than `MAX_TOTAL`."""

BATCH = 32
"""Signatures that are asked for at once."""

MAX_BATCH = 64 * 1024 * 1024
"""Bytes of manifests, or of envelopes, that are asked for at once, so that they fit in memory together."""


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


def open_signatures(
    source: Source,
    subject: Descriptor,
    descriptors: Sequence[Descriptor],
    known: Mapping[Digest, SignatureManifest] = NOTHING_READ,
    first: int = 0,
) -> Iterator[FoundSignature | Problem]:
    """Fetch manifests and envelopes of `descriptors`: one item for each, the small envelopes first.

    Those up to `MAX_SMALL` come in the order of `descriptors`; then larger ones, those of about the same
    size in this order, each envelope once for all manifests that name it. So nobody's large envelopes keep a
    smaller one from being read. Lazy: what nobody asks for is not fetched, but for the rest of a batch.
    `known` are manifests that were read already. The `first` ones are asked for without the rest: with the right
    one among them, what a hundred others hold is never asked.
    """
    room = MAX_TOTAL
    large: _Large = {}
    for batch in chain(_batches(descriptors[:first]), _batches(descriptors[first:])):
        small: list[Opened] = []
        for opened in _manifests(source, subject, batch, known):
            manifest, envelope = opened
            if isinstance(envelope, Nv2Error) or envelope.size <= MAX_SMALL:
                small.append(opened)
                room -= 0 if isinstance(envelope, Nv2Error) else envelope.size
            else:
                large.setdefault(envelope[:3], []).append(manifest)
        yield from _open_small(source, small)
    yield from _open_large(source, large, room)


Opened = tuple[Descriptor, Descriptor | Nv2Error]
"""The descriptor of a signature manifest with the plain one of its envelope, or why there is none."""

_Large = dict[tuple[str, Digest, int], list[Descriptor]]
"""By envelope: the manifests that name it. Their content is not kept: it would not fit in memory."""


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
            yield descriptor, Descriptor(*manifest.envelope[:3])
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


def _open_small(source: Source, opened: Sequence[Opened]) -> Iterator[FoundSignature | Problem]:
    wanted = [envelope for _, envelope in opened if not isinstance(envelope, Nv2Error)]
    fetched = iter(source.fetch_many(wanted, MAX_ENVELOPE))
    for manifest, envelope in opened:
        if isinstance(envelope, Nv2Error):
            yield Problem(manifest, envelope)
        else:
            yield _outcome(manifest, envelope, next(fetched))


def _open_large(source: Source, large: _Large, room: int) -> Iterator[FoundSignature | Problem]:
    """What `large` names, in groups that fit in memory; what exceeds `room` bytes is a problem each."""
    waiting = deque(sorted((Descriptor(*plain) for plain in large), key=_size_class))
    while waiting:
        group = _take(waiting, min(room, MAX_BATCH))
        for envelope, data in zip(group, source.fetch_many(group, MAX_ENVELOPE), strict=True):
            room -= _cost(envelope, data)
            for manifest in large[envelope[:3]]:
                yield _outcome(manifest, envelope, data)
        if not group:
            for manifest in large[waiting.popleft()[:3]]:
                yield Problem(manifest, _too_much(manifest))


def _size_class(envelope: Descriptor) -> int:
    """Doubling sizes: to displace an envelope, it takes as many bytes in others of less than twice its size."""
    return (envelope.size // MAX_SMALL).bit_length()


def _take(waiting: deque[Descriptor], room: int) -> list[Descriptor]:
    """Take from the front what fits into `room` bytes."""
    taken: list[Descriptor] = []
    while waiting and waiting[0].size <= room:
        room -= waiting[0].size
        taken.append(waiting.popleft())
    return taken


def _cost(envelope: Descriptor, data: bytes | Nv2Error) -> int:
    """Bytes that were read, at most."""
    if isinstance(data, Nv2Error):
        return 0 if isinstance(data, NotFound) else envelope.size
    return len(data)


def _too_much(manifest: Descriptor) -> BadAnswer:
    return BadAnswer(f"not read: the envelopes have more than {MAX_TOTAL} bytes together", at=manifest.digest)


def _outcome(manifest: Descriptor, envelope: Descriptor, data: bytes | Nv2Error) -> FoundSignature | Problem:
    if isinstance(data, Nv2Error):
        return Problem(manifest, data)
    return FoundSignature(manifest, envelope, data)
