"""Who refers to whom in an OCI image layout.

The image-spec leaves referrers in layouts open, and three ways are in use: every manifest stands in
index.json (oras, notation, nv2), an index under the fallback tag (regclient), an index with an annotation
that names the subject (olareg). In all of them the referrers can be reached from index.json through
indexes; so whatever can be reached is read, and only the manifest's own `subject` is believed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from nv2.errors import EnvironmentFailure, NotFound, Nv2Error
from nv2.oci.descriptor import Descriptor
from nv2.oci.digest import Digest
from nv2.oci.manifest import MAX_MANIFEST, Manifest, is_manifest
from nv2.plain_text import one_line

MAX_WALKED = 100_000
"""Manifests of a layout that are read: some minutes, and some 50 MB of memory."""

MAX_BYTES = 512 * 1024 * 1024
"""Bytes of manifests of a layout that are read: a walk as long as the number above allows, at 5 kB each. In a
hostile layout a thousand names may lead to one large file."""

MAX_PROBLEMS = 100
"""Lines that somebody reads; a layout of junk has as many as files."""


UNREAD = (NotFound, EnvironmentFailure)
"""Why a manifest could not be read that may be a good one: it may name any subject."""


class Walked(NamedTuple):
    """What a walk through a layout found."""

    media_types: Mapping[Digest, str]
    """Of every manifest that index.json leads to, as the descriptors say."""
    referrers: Mapping[Digest, tuple[Descriptor, ...]]
    """By subject: plain descriptors of the manifests that name it."""
    complete: bool
    problems: tuple[str, ...]


def walk(roots: Iterable[Descriptor], read: Callable[[Descriptor], Manifest]) -> Walked:
    """Read every manifest that `roots` lead to, with `read`.

    One that cannot be read is a problem, not an error; if it is its file that is missing or cannot be read,
    the walk is not complete; nor is it if there are several descriptors of one manifest, and none fits. A child that is not here is neither: layouts may hold a part of an index.
    """
    waiting = deque(roots)
    listed = frozenset(descriptor.digest for descriptor in waiting)
    media_types: dict[Digest, str] = {}
    seen: set[tuple[str, Digest, int]] = set()
    read_already: set[Digest] = set()
    failed: dict[Digest, int] = {}
    referrers: dict[Digest, list[Descriptor]] = {}
    problems: list[str] = []
    room, complete = MAX_BYTES, True
    while waiting and room >= 0 and len(seen) + len(waiting) <= MAX_WALKED:
        descriptor = waiting.popleft()
        done = descriptor.digest in read_already or descriptor[:3] in seen
        if done or not is_manifest(descriptor.media_type):
            continue
        seen.add(descriptor[:3])
        media_types.setdefault(descriptor.digest, descriptor.media_type)
        room -= descriptor.size if descriptor.size <= MAX_MANIFEST else 0  # larger ones are not read
        try:
            manifest = read(descriptor)
        except Nv2Error as e:
            if not isinstance(e, NotFound):  # as whatever it is described, it is not here
                failed[descriptor.digest] = failed.get(descriptor.digest, 0) + 1
            if descriptor.digest in listed or not isinstance(e, NotFound):
                problems.append(one_line(str(e)))
                complete = complete and not isinstance(e, UNREAD)
            continue
        read_already.add(descriptor.digest)
        media_types[descriptor.digest] = descriptor.media_type
        if manifest.subject:
            referrers.setdefault(manifest.subject.digest, []).append(Descriptor(*descriptor[:3]))
        waiting.extend(manifest.manifests)
    found = {subject: tuple(descriptors) for subject, descriptors in referrers.items()}
    contradictory = any(times > 1 and digest not in read_already for digest, times in failed.items())
    complete = complete and not waiting and room >= 0 and not contradictory
    return Walked(media_types, found, complete, tuple(problems[:MAX_PROBLEMS]))
