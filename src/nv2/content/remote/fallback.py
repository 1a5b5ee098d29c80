"""Writing the fallback tag, so that those who write at the same time do not lose one another's entries.

Registries have no compare-and-swap (ADR 0006). Writers of one host take a lock. Every writer reads,
merges, writes, waits, and reads again until its entries stay.
"""

from __future__ import annotations

import enum
import json
import os
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence, Set
from functools import partial
from typing import Any, NamedTuple

from nv2.content.interface import Journal, Lock, opener
from nv2.content.remote.endpoint import ACCEPT_MANIFESTS, Endpoint
from nv2.content.remote.referrers import FallbackIndex, fallback_index, start_fallback, unlisted
from nv2.errors import BadAnswer, EnvironmentFailure, RemoteError
from nv2.oci import media_types as mt
from nv2.oci.descriptor import Descriptor, parse_descriptor
from nv2.oci.digest import Digest, fallback_tag
from nv2.oci.manifest import MAX_MANIFEST
from nv2.strict_json import Fields

MAX_ROUNDS = 25
"""Times that an index is written before nv2 gives up: each round, one of the rivals at least succeeds."""

MIN_WAIT = 0.1
"""Seconds before an entry is looked for again, at least."""

MAX_WAIT = 3.0
"""Seconds before an entry is looked for again, at most."""

WAIT_FACTOR = 4.0
"""The wait, in units of the time from our read to our write. A rival that read before we wrote takes
about as long, and must have written before we look."""

_MISSING_ENTRY = ("MANIFEST_BLOB_UNKNOWN", "MANIFEST_UNKNOWN", "BLOB_UNKNOWN")

_NOT_DELETED_EITHER = (400, 401, 403, 404, 405)
"""Gone already, or a registry or account that deletes nothing: an ordinary set-up, no reason to warn."""


class Writer(NamedTuple):
    """Whatever writing needs besides what is written."""

    endpoint: Endpoint
    lock: Lock
    exists: Callable[[Descriptor], bool]
    sleep: Callable[[float], object]
    warn: Callable[[str], None]
    journal: Journal
    confirm: Callable[[frozenset[str]], object] = len
    """Called with what is listed before more is: sees to blobs that were presumed to be there. `len` sees to nothing."""


class RunJournal:
    """A `Journal` that ends with the run."""

    def __init__(self) -> None:
        self._known: dict[str, dict[str, Descriptor]] = {}

    def recall(self, subject: str) -> tuple[Descriptor, ...]:
        """See `Journal`."""
        return tuple(self._known.get(subject, {}).values())

    def record(self, subject: str, manifests: Sequence[Descriptor]) -> tuple[Descriptor, ...]:
        """See `Journal`."""
        before = self.recall(subject)
        self._known.setdefault(subject, {}).update((item.digest, item) for item in manifests)
        return before

    def forget(self, subject: str, digests: Collection[str]) -> None:
        """See `Journal`."""
        for digest in digests:
            self._known.get(subject, {}).pop(digest, None)


class Round(NamedTuple):
    """One read, merge and write."""

    found: FallbackIndex | None
    """The index that was there."""
    written: bool
    seconds: float
    """From before the read until after the write."""


class Put(enum.Enum):
    """How a write ended."""

    WRITTEN = "written"
    CHANGED = "changed"
    """If-Match did not hold, where a registry honours it: somebody else was faster."""
    DANGLING = "dangling"
    """The registry refuses entries whose manifests are gone."""


def attach_by_tag(writer: Writer, subject: Descriptor, manifests: Sequence[Descriptor]) -> None:
    """Make `manifests` entries of the fallback index of `subject`, in one write for all.

    Entries that this host attached earlier are put back if they are gone and their manifests are not.
    Raises `BadAnswer` if the entries do not stay, or the index becomes too large.
    """
    known = _record(writer, subject, manifests)
    restore = partial(_still_known, writer, subject, frozenset(item.digest for item in known))
    write_until_kept(writer, subject, partial(_merge, writer, subject, manifests, restore))


def witnesses(writer: Writer, subject: Descriptor) -> frozenset[str]:
    """Digests of signatures that this host attached to `subject` by the tag: they have the config of all others.

    The specification leaves its content open, but nobody writes another than `{}` (ADR 0006).
    """
    try:
        known = writer.journal.recall(name_of(writer, subject))
    except EnvironmentFailure:
        return frozenset()  # whoever attaches is warned of it
    return frozenset(item.digest for item in known if item.artifact_type == mt.SIGNATURE)


def restore_by_tag(
    writer: Writer, subject: Descriptor, listed: Iterable[Descriptor]
) -> tuple[Descriptor, ...]:
    """Put back what this host attached to `subject`, and is not among `listed` any more as it is.

    What has no manifest any more is forgotten. Returns what was missing. Raises as `attach_by_tag`, and
    `EnvironmentFailure` if the record cannot be read.
    """
    name = name_of(writer, subject)
    lost = unlisted(writer.journal.recall(name), (item.to_json() for item in listed))
    missing = tuple(item for item in lost if writer.exists(item))
    if missing:
        write_until_kept(writer, subject, partial(_merge, writer, subject, (), lambda: missing))
    if gone := {item.digest for item in lost} - {item.digest for item in missing}:
        writer.journal.forget(name, gone)
    return missing


def _still_known(writer: Writer, subject: Descriptor, known: Set[str]) -> Sequence[Descriptor]:
    """Which of the `known` this host still records: who deletes one forgets it before it is taken off the list, and
    to put it back time and again would keep both from coming to an end."""
    if not known:
        return ()
    try:
        found = writer.journal.recall(name_of(writer, subject))
    except EnvironmentFailure as e:
        writer.warn(f"what this machine attached earlier is not looked after: {e}")
        return ()
    return [item for item in found if item.digest in known]


def name_of(writer: Writer, subject: Descriptor) -> str:
    """The artifact, as locks and the journal know it."""
    return f"{writer.endpoint.name}@{subject.digest}"


def _record(writer: Writer, subject: Descriptor, manifests: Sequence[Descriptor]) -> tuple[Descriptor, ...]:
    """Before anything is written: who is interrupted, or displaced, can still be helped."""
    try:
        return writer.journal.record(name_of(writer, subject), manifests)
    except EnvironmentFailure as e:
        writer.warn(f"the signature is not recorded here, so that 'nv2 list --heal' will not know it: {e}")
        return ()


def write_until_kept(writer: Writer, subject: Descriptor, step: Callable[[], Round]) -> None:
    """Repeat `step`, under the lock, until it finds nothing to write; then delete what was replaced.

    Raises `BadAnswer` if that does not come to be.
    """
    replaced: set[Digest] = set()
    for _ in range(MAX_ROUNDS):
        with writer.lock(name_of(writer, subject)):
            done = step()
        if not done.written:
            _delete(writer, replaced - {done.found.digest} if done.found else replaced)
            return
        # Somebody may have given the tag to an artifact that others need: that is not deleted with its tags.
        if done.found and done.found.is_only_a_list:
            replaced.add(done.found.digest)
        # Not under the lock: those of this host may go on, and their entries are merged, not lost.
        writer.sleep(_wait(done.seconds))
    raise BadAnswer(
        f"the list of signatures was written {MAX_ROUNDS} times, and never kept ours",
        at=f"{writer.endpoint.name}:{fallback_tag(subject.digest)}",
        hint="others write it all the time, or the registry does not let tags change",
    )


def _wait(seconds: float) -> float:
    chance = os.urandom(1)[0] / 255
    return min(MAX_WAIT, max(MIN_WAIT, seconds * WAIT_FACTOR) * (1 + chance))


def _merge(
    writer: Writer,
    subject: Descriptor,
    manifests: Sequence[Descriptor],
    restore: Callable[[], Sequence[Descriptor]],
) -> Round:
    began = time.monotonic()
    current = fallback_index(writer.endpoint, subject, start_fallback(writer.endpoint, subject.digest))
    listed = current.digests if current else frozenset()
    entries = current.entries if current else []
    missing = unlisted(manifests, entries)
    missing += [item for item in unlisted(restore(), entries) if writer.exists(item)]
    if not missing:
        return Round(current, False, 0.0)
    writer.confirm(listed)
    put_whole_index(writer, subject, _merged(current, missing), current)
    return Round(current, True, time.monotonic() - began)


def _merged(current: FallbackIndex | None, missing: Iterable[Descriptor]) -> dict[str, Any]:
    """The new document: entries of others stay as they are, with fields that nv2 does not know."""
    document = dict(current.document) if current else {"schemaVersion": 2, "mediaType": mt.IMAGE_INDEX}
    entries = current.entries if current else []
    ours = {item.digest: item.to_json() for item in missing}
    document["manifests"] = [*entries, *ours.values()]
    if current and current.is_emptied:
        del document["annotations"]
    return document


def put_whole_index(
    writer: Writer, subject: Descriptor, document: dict[str, Any], current: FallbackIndex | None
) -> None:
    """Write `document` as the index of `subject`, in place of `current`; without entries of what is gone, where the
    registry refuses these. Raises `BadAnswer`, `Refused`."""
    if _put_index(writer, subject, document, current) is Put.DANGLING:
        _drop_dangling(writer, document)
        if _put_index(writer, subject, document, current) is Put.DANGLING:
            raise BadAnswer("refuses the list of signatures, whatever is left out", at=writer.endpoint.name)


def _put_index(
    writer: Writer, subject: Descriptor, document: Mapping[str, Any], current: FallbackIndex | None
) -> Put:
    endpoint, tag = writer.endpoint, fallback_tag(subject.digest)
    data = json.dumps(document, separators=(",", ":")).encode()
    if len(data) > MAX_MANIFEST:
        raise BadAnswer(
            f"the list of signatures would have {len(data)} bytes; an index has at most {MAX_MANIFEST}",
            at=f"{endpoint.name}:{tag}",
            hint="use a registry with the referrers API, or delete signatures that nobody needs",
        )
    headers = {"Content-Type": mt.IMAGE_INDEX}
    if current and current.etag:
        headers["If-Match"] = current.etag
    request = endpoint.request("PUT", f"manifests/{tag}", headers, body=opener(data), body_size=len(data))
    response = endpoint.send(request)
    if response.status in (201, 412):
        response.discard()
        return Put.WRITTEN if response.status == 201 else Put.CHANGED
    error = endpoint.failure(response, f"tag {tag}")
    said = response.status == 400 and any(code in error.message for code in _MISSING_ENTRY)
    if said or response.status == 404:
        return Put.DANGLING
    raise error


def _drop_dangling(writer: Writer, document: dict[str, Any]) -> None:
    """Leave out entries whose manifests are gone: some registries refuse an index that names them."""
    endpoint, entries = writer.endpoint, document["manifests"]
    pending = []
    for item in entries:
        found = parse_descriptor(Fields.of(item, endpoint.name, BadAnswer))
        pending.append(
            endpoint.start(endpoint.request("HEAD", f"manifests/{found.digest}", ACCEPT_MANIFESTS))
        )
    document["manifests"] = []
    for item, asked in zip(entries, pending, strict=True):
        response = asked.response()
        response.discard()
        if response.status == 404:
            writer.warn(f"{item['digest']} was listed as a signature but is gone: the entry was removed")
        else:
            document["manifests"].append(item)


def _delete(writer: Writer, digests: Iterable[str]) -> None:
    """Delete indexes that were replaced. Failure does no harm: they stay as manifests without a name."""
    endpoint = writer.endpoint
    for digest in sorted(digests):
        scopes = (f"repository:{endpoint.repository}:delete",)
        try:
            response = endpoint.send(endpoint.request("DELETE", f"manifests/{digest}", scopes=scopes))
        except RemoteError as e:
            writer.warn(f"the superseded list {digest} stays: {e}")
            continue
        if response.status in _NOT_DELETED_EITHER or response.status == 202:
            response.discard()
        else:
            writer.warn(
                f"the superseded list {digest} stays: {endpoint.failure(response, 'deletion').message}"
            )
