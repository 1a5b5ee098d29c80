"""Removing manifests, tags and entries of the fallback index (distribution-spec, "Content Management", "Deleting
Manifests").

Some registries delete nothing, and say so in several ways: an answer is read together with whether the content is
still there.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Collection
from functools import partial
from typing import Any

from nv2.content.remote.endpoint import ACCEPT_MANIFESTS, NOT_THERE, Endpoint
from nv2.content.remote.fallback import Round, Writer, name_of, put_whole_index, write_until_kept
from nv2.content.remote.referrers import FallbackIndex, emptied, fallback_index, start_fallback
from nv2.errors import BadAnswer, EnvironmentFailure, MalformedManifest, NotFound, Nv2Error
from nv2.oci.descriptor import Descriptor, parse_descriptor
from nv2.oci.digest import Digest
from nv2.strict_json import Fields
from nv2.transport.interface import Response

DONE = (200, 202, 204)
"""How registries say that they deleted; the specification has 202."""

_REFUSED = (400, 404, 405, 501)
"""How registries say that they delete nothing, or nothing of this kind."""

ASK_THE_OPERATOR = "whoever runs the registry can allow it; many have it switched off"
BY_DIGEST = "name the digest: then the manifest goes, and every tag of it"


def remove_manifest(endpoint: Endpoint, descriptor: Descriptor) -> None:
    """Delete a manifest, and with it every tag that names it.

    Raises `NotFound` if it is not there, `BadAnswer` if the registry deletes none, `Refused`.
    """
    _remove(endpoint, descriptor.digest, "manifest", ASK_THE_OPERATOR)


def remove_tag(endpoint: Endpoint, tag: str) -> None:
    """Delete a tag; the manifest stays, and so do its other tags. Raises as `remove_manifest`."""
    _remove(endpoint, tag, "tag", BY_DIGEST)


def _remove(endpoint: Endpoint, name: str, kind: str, hint: str) -> None:
    response = _delete(endpoint, name)
    if response.status not in (*DONE, *_REFUSED):
        raise endpoint.failure(response, f"{kind} {name}")
    response.discard()
    if response.status in DONE:
        # A page for logging in comes with 200, too; the specification has 202.
        if response.status != 200 or not _is_there(endpoint, name):
            return
        raise BadAnswer(f"answered 200 to DELETE of {kind} {name}, and has it still", at=endpoint.name)
    if not _is_there(endpoint, name):
        raise NotFound(f"no such {kind} {name}", at=endpoint.name, hint=NOT_THERE)
    raise BadAnswer(f"the registry does not delete {kind}s", at=endpoint.name, hint=hint)


def detach_by_tag(writer: Writer, subject: Descriptor, digests: Collection[Digest]) -> tuple[Descriptor, ...]:
    """Take the entries of `digests` out of the fallback index of `subject`, and the index away with the last; what was
    taken out.

    Entries of others are kept. Raises `BadAnswer` if the entries come back each time.
    """
    try:
        writer.journal.forget(name_of(writer, subject), digests)
    except EnvironmentFailure as e:
        writer.warn(f"the record of what this machine attached still has what was deleted: {e}")
    taken: dict[str, Descriptor] = {}
    write_until_kept(writer, subject, partial(_strip, writer, subject, frozenset(digests), taken))
    return tuple(taken.values())


def _strip(
    writer: Writer, subject: Descriptor, digests: frozenset[Digest], taken: dict[str, Descriptor]
) -> Round:
    """One read and, if an entry is still there, one write. What goes is noted in `taken`."""
    began = time.monotonic()
    try:
        current = fallback_index(writer.endpoint, subject, start_fallback(writer.endpoint, subject.digest))
    except MalformedManifest:
        current = None  # something else has the tag: it lists nothing
    if current is None:
        return Round(None, False, 0.0)
    gone = [item for item in current.entries if _names(item, digests)]
    for item in gone:
        with contextlib.suppress(Nv2Error):  # it described nothing
            taken[item["digest"]] = parse_descriptor(Fields.of(item, writer.endpoint.name, BadAnswer))
    kept = [item for item in current.entries if item not in gone]
    if not gone:
        return _after(writer, current)
    document = {**current.document, "manifests": kept}
    if not kept:  # no other state has these bytes, so that it can be deleted by its digest
        document["annotations"] = emptied(subject.digest)
    put_whole_index(writer, subject, document, current)
    return Round(current, True, time.monotonic() - began)


def _after(writer: Writer, current: FallbackIndex) -> Round:
    """Nothing is left to take out. A list that we emptied goes: what a rival writes meanwhile has another digest."""
    if not current.is_emptied:
        return Round(current, False, 0.0)
    # Where nothing is deleted the empty list stays, and says the same.
    _delete(writer.endpoint, current.digest).discard()
    return Round(None, False, 0.0)


def _names(item: Any, digests: frozenset[Digest]) -> bool:
    return isinstance(item, dict) and item.get("digest") in digests


def _delete(endpoint: Endpoint, name: str) -> Response:
    scopes = (f"repository:{endpoint.repository}:delete",)
    return endpoint.send(endpoint.request("DELETE", f"manifests/{name}", scopes=scopes))


def _is_there(endpoint: Endpoint, name: str) -> bool:
    response = endpoint.send(endpoint.request("HEAD", f"manifests/{name}", ACCEPT_MANIFESTS))
    response.discard()
    return response.status == 200
