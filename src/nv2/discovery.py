"""Which signatures does an artifact have? Lists them, and puts them in order; `opening` reads them.

signing-and-verification-workflow, "Verification Steps" 2. One bad referrer never hides a good one: it is
reported, and the next is looked at. What this module does not do: believe anything. The thumbprint
annotation only orders the work.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

from nv2.content.interface import Source
from nv2.errors import ArtifactError, Nv2Error
from nv2.oci import media_types as mt
from nv2.oci.descriptor import Descriptor
from nv2.oci.digest import Digest
from nv2.oci.manifest import (
    NOTHING_READ,
    SignatureManifest,
    is_signature,
    parse_manifest,
    signature_manifest,
)
from nv2.plain_text import one_line

MAX_REFERRERS = 10_000
"""Signatures of one artifact that are looked at: ten times what anybody was seen to have."""

MAX_UNTYPED = 1_000
"""Descriptors of one artifact's referrers that are read because the listing does not say what they are."""

MAX_UNTYPED_MANIFEST = 64 * 1024
"""Bytes of a manifest that is read only to learn what it is; a signature manifest has about one KiB."""


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
    preferred: int = 0
    """How many of `signatures`, the first ones, claim a certificate that was asked for: worth asking for alone."""


def discover(
    source: Source,
    subject: Descriptor,
    prefer: frozenset[str] = frozenset(),
    cap: int = MAX_REFERRERS,
) -> Discovery:
    """The signatures of `subject` in `source`, at most `cap` of them.

    Those come first whose annotation names one of the thumbprints `prefer` (lower-hex SHA-256 of
    certificates); else the order is that of their digests, whatever the order of the listing. A missing
    artifact type is repaired from the manifest; where a listing contradicts itself, its manifest decides. Raises `RemoteError`, `EnvironmentFailure` or
    `ArtifactError` if the listing itself cannot be had.
    """
    listed = source.referrers(subject, mt.SIGNATURE)
    problems = [one_line(problem) for problem in listed.problems]
    if not listed.complete:
        problems.append("the list of referrers is incomplete, so there may be more")
    found, unsure = _sort_out(listed.descriptors)
    read, known = _read_unsure(source, unsure, problems)
    found += [signature for signature, _ in known.values()]
    ordered = sorted(found, key=lambda d: (not _matches(d, prefer), d.digest))
    if len(ordered) > cap:
        problems.append(f"{len(ordered)} signatures are listed, only {cap} are looked at")
    complete = listed.complete and read and len(ordered) <= cap
    manifests = {digest: manifest for digest, (_, manifest) in known.items()}
    preferred = sum(_matches(d, prefer) for d in ordered[:cap])
    return Discovery(tuple(ordered[:cap]), complete, tuple(problems), manifests, preferred)


class _Unsure(NamedTuple):
    """A referrer whose manifest must be read, to know what it is."""

    digest: Digest
    described: tuple[Descriptor, ...]
    """What the listing says of it, each media type and size once."""
    contradictory: bool
    """Whether the listing says more than one thing."""
    called_signature: bool


def _sort_out(listed: Iterable[Descriptor]) -> tuple[list[Descriptor], list[_Unsure]]:
    """What is a signature as the listing says, and what must be read: it has no type, or is listed in two ways."""
    entries: dict[Digest, list[Descriptor]] = {}
    for descriptor in listed:
        entries.setdefault(descriptor.digest, []).append(descriptor)
    found: list[Descriptor] = []
    unsure: list[_Unsure] = []
    for digest, said in entries.items():
        called_signature = any(d.artifact_type == mt.SIGNATURE for d in said)
        if len(said) > 1 or _may_be_signature(said[0]):
            described = tuple({d[:3]: d for d in said}.values())
            unsure.append(_Unsure(digest, described, len(said) > 1, called_signature))
        elif called_signature:
            found.append(said[0])
    # No crowd without types shall use up what may be read before those that are called signatures.
    unsure.sort(key=lambda item: (not item.called_signature, item.digest))
    return found, unsure


def _may_be_signature(descriptor: Descriptor) -> bool:
    return descriptor.artifact_type in mt.NO_TYPE and descriptor.media_type in (
        mt.IMAGE_MANIFEST,
        mt.ARTIFACT_MANIFEST,
    )


_Known = dict[Digest, tuple[Descriptor, SignatureManifest]]


def _read_unsure(source: Source, unsure: Sequence[_Unsure], problems: list[str]) -> tuple[bool, _Known]:
    """The signatures among `unsure`, and whether all were read that may be one. One good descriptor suffices."""
    candidates = (d for item in unsure for d in item.described if d.size <= MAX_UNTYPED_MANIFEST)
    readable = list(islice(candidates, MAX_UNTYPED))
    found: _Known = {}
    read: set[Digest] = set()
    errors: dict[Digest, list[Nv2Error]] = {}
    for descriptor, data in zip(readable, source.fetch_many(readable, MAX_UNTYPED_MANIFEST), strict=True):
        try:
            if signature := _signature(descriptor, data):
                found[descriptor.digest] = signature
            read.add(descriptor.digest)
        except Nv2Error as e:
            errors.setdefault(descriptor.digest, []).append(e)
    unread = [item for item in unsure if item.digest not in read]
    return _report(unread, errors, problems), found


def _signature(descriptor: Descriptor, data: bytes | Nv2Error) -> tuple[Descriptor, SignatureManifest] | None:
    """The signature that `data` is, under the descriptor that it should have had; None if it is something else."""
    if isinstance(data, Nv2Error):
        raise data
    manifest = parse_manifest(data, descriptor.media_type, at=descriptor.digest)
    if not is_signature(manifest):
        return None
    repaired = descriptor._replace(artifact_type=mt.SIGNATURE, annotations=manifest.annotations)
    return repaired, signature_manifest(manifest, descriptor.digest)


def _report(
    unread: Sequence[_Unsure], errors: Mapping[Digest, Sequence[Nv2Error]], problems: list[str]
) -> bool:
    """Whether none of `unread` can be a signature; `problems` gets a line for each reason."""
    complete, too_many = True, 0
    for item in unread:
        failures = errors.get(item.digest, ())
        problems.extend(one_line(f"a referrer was skipped: {e}") for e in failures)
        if item.contradictory:
            problems.append(f"{item.digest} is listed in several ways, and as none of them it can be read")
        too_many += len(failures) < len(item.described)
        artifact_at_fault = all(isinstance(e, ArtifactError) for e in failures)
        complete = complete and artifact_at_fault and not item.contradictory
    if too_many:
        problems.append(f"{too_many} referrers without an artifact type are too large or too many")
    return complete and not too_many


def _matches(descriptor: Descriptor, prefer: frozenset[str]) -> bool:
    text = descriptor.annotations.get(mt.THUMBPRINTS)
    if not prefer or not text:
        return False
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(said, list) and any(isinstance(item, str) and item in prefer for item in said)
