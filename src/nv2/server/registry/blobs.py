"""Blobs: pulling, checking, deleting (distribution-spec, "Pulling blobs", "Deleting Blobs")."""

from __future__ import annotations

from nv2.server.messages import Answer, Call, FileSlice
from nv2.server.registry.conditions import condition_of, entity_tag
from nv2.server.registry.errors import Refusal
from nv2.server.registry.ranges import Unsatisfiable, wanted_span
from nv2.server.registry.request_names import Target, digest_in
from nv2.server.registry.storage import Storage


def get(storage: Storage, call: Call, target: Target) -> Answer:
    """The blob, or the range of it that is asked for."""
    digest = digest_in(target.name)
    if call.method == "HEAD":
        storage.promise(digest)  # a client that hears of it does not push it
    content = storage.blob(target.repository, digest)
    if content is None:
        raise _unknown()
    headers = {"Docker-Content-Digest": digest, "ETag": entity_tag(digest), "Accept-Ranges": "bytes"}
    if not condition_of(call.headers)._replace(match=None).holds(digest):
        content.file.close()
        return Answer(304, headers)
    return _ranged(call, content, {"Content-Type": "application/octet-stream", **headers})


def delete(storage: Storage, _call: Call, target: Target) -> Answer:
    """Take the blob out of the repository."""
    if not storage.remove_blob(target.repository, digest_in(target.name)):
        raise _unknown()
    return Answer(202)


def _ranged(call: Call, content: FileSlice, headers: dict[str, str]) -> Answer:
    field = call.headers.get("range") if call.method == "GET" else None
    if field is None or call.headers.get("if-range", headers["ETag"]) != headers["ETag"]:
        return Answer(200, headers, content)
    try:
        span = wanted_span(field, content.size)
    except Unsatisfiable:
        content.file.close()
        return Answer(416, {**headers, "Content-Range": f"bytes */{content.size}"})
    if span is None:
        return Answer(200, headers, content)
    headers["Content-Range"] = f"bytes {span.first}-{span.last}/{content.size}"
    return Answer(206, headers, FileSlice(content.file, span.first, span.size))


def _unknown() -> Refusal:
    return Refusal(404, "BLOB_UNKNOWN", "the repository does not have this blob")
