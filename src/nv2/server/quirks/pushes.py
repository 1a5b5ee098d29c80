"""What registries refuse, or do otherwise, when content is pushed, mounted or deleted."""

from __future__ import annotations

from nv2.oci.digest import digest_of
from nv2.oci.media_types import FOREIGN_LAYERS
from nv2.server.messages import Answer, Call, Layer, Respond
from nv2.server.quirks.parts import (
    READ,
    Part,
    answers,
    asked,
    asks,
    document_in,
    error,
    part_of,
    refuses,
    whole,
    with_data,
    with_headers,
)

LEAST = 5000
"""Bytes of a chunk, where there is a least length."""


def _without_query(call: Call, *names: str) -> Call:
    return call._replace(query={k: v for k, v in call.query.items() if k not in names})


def _opens(call: Call, part: Part) -> bool:
    return call.method == "POST" and part.kind == "blobs/uploads"


def _mounts(call: Call, part: Part) -> bool:
    return _opens(call, part) and bool(call.first("mount"))


def _tagged(part: Part) -> bool:
    return part.kind == "manifests" and ":" not in part.name


def no_mount() -> Layer:
    """A mount opens an upload."""
    return asks(lambda call, part: _without_query(call, "mount", "from") if _opens(call, part) else call)


def forbidden_mount() -> Layer:
    """A mount is refused."""
    return refuses(_mounts, error(403, "DENIED"))


def mount_from_somewhere() -> Layer:
    """A mount must say from where."""
    return refuses(
        lambda call, part: _mounts(call, part) and not call.first("from"), error(400, "NAME_INVALID")
    )


def no_single_post() -> Layer:
    """A blob that comes with the POST is not taken: an upload is opened."""
    return asks(lambda call, part: _without_query(call, "digest") if _opens(call, part) else call)


def stale_chunks() -> Layer:
    """A chunk is added whatever range it says it has."""

    def change(call: Call, _part: Part) -> Call:
        if call.method != "PATCH":
            return call
        return call._replace(headers={k: v for k, v in call.headers.items() if k != "content-range"})

    return asks(change)


def long_chunks() -> Layer:
    """Every chunk but the last has a least length, which the registry says when an upload begins."""
    lasted: dict[str, int] = {}

    def layer(call: Call, respond: Respond) -> Answer:
        part = part_of(call)
        if call.method == "PATCH" and part.kind == "blobs/uploads":
            if lasted.get(part.name, LEAST) < LEAST:
                return error(400, "SIZE_INVALID")
            lasted[part.name] = call.body.size or 0
        answer = respond(call)
        begun = _opens(call, part) and answer.status == 202
        return with_headers(answer, OCI_Chunk_Min_Length=str(LEAST)) if begun else answer

    return layer


def no_chunks() -> Layer:
    """No blob can be sent in chunks."""
    return refuses(lambda call, _: call.method == "PATCH", error(405, "UNSUPPORTED"))


def created_chunks() -> Layer:
    """A chunk is answered 201."""
    return answers(
        lambda call, _, answer: (
            answer._replace(status=201) if call.method == "PATCH" and answer.status == 202 else answer
        )
    )


def stuck_range() -> Layer:
    """The Range of an upload stays where the first chunk ended, though more was taken, and nobody can ask for it."""
    first: dict[str, str] = {}

    def layer(call: Call, respond: Respond) -> Answer:
        part = part_of(call)
        if part.kind != "blobs/uploads" or call.method not in ("GET", "PATCH"):
            return respond(call)
        if call.method == "GET":
            return error(404, "BLOB_UPLOAD_UNKNOWN")
        answer = respond(call)
        reached = answer.headers.get("Range", "")
        return with_headers(answer, Range=first.setdefault(part.name, reached)) if reached else answer

    return layer


def lost_end() -> Layer:
    """The end of an upload in chunks is answered 404 though the blob is there: the last chunk had ended it."""
    chunked: set[str] = set()

    def layer(call: Call, respond: Respond) -> Answer:
        part = part_of(call)
        answer = respond(call)
        if part.kind == "blobs/uploads" and call.method == "PATCH":
            chunked.add(part.name)
        ended = call.method == "PUT" and part.name in chunked and answer.status == 201
        return error(404, "BLOB_UPLOAD_UNKNOWN") if ended else answer

    return layer


def no_cancel() -> Layer:
    """No upload can be cancelled."""
    return refuses(
        lambda call, part: call.method == "DELETE" and part.kind == "blobs/uploads",
        error(404, "BLOB_UPLOAD_UNKNOWN"),
    )


def no_delete() -> Layer:
    """Nothing can be deleted."""
    return refuses(
        lambda call, part: call.method == "DELETE" and part.kind in ("manifests", "blobs"),
        error(405, "UNSUPPORTED"),
    )


def no_tag_delete() -> Layer:
    """No tag can be deleted."""
    return refuses(lambda call, part: call.method == "DELETE" and _tagged(part), error(400, "DIGEST_INVALID"))


def ignored_conditions() -> Layer:
    """`If-Match` and `If-None-Match` of a push are passed over."""

    def change(call: Call, _part: Part) -> Call:
        if call.method in READ:
            return call
        return call._replace(headers={k: v for k, v in call.headers.items() if not k.startswith("if-")})

    return asks(change)


def no_sha512() -> Layer:
    """No manifest may have a sha512 digest."""
    return refuses(
        lambda call, part: call.method == "PUT" and part.name.startswith("sha512:"),
        error(400, "DIGEST_INVALID"),
    )


def large_is_invalid() -> Layer:
    """A manifest that is too large is said to be invalid."""
    return answers(lambda _, __, answer: error(400, "MANIFEST_INVALID") if answer.status == 413 else answer)


def immutable_tags() -> Layer:
    """A tag that is set stays as it is."""

    def layer(call: Call, respond: Respond) -> Answer:
        if call.method != "PUT" or not _tagged(part_of(call)):
            return respond(call)
        data, before = whole(call.body), respond(asked(call, "HEAD", call.path))
        before.close()
        if before.status == 200 and before.headers.get("Docker-Content-Digest") != digest_of(data):
            return error(400, "TAG_INVALID")
        return respond(with_data(call, data))

    return layer


def looked_into(refusal: Answer, field: str) -> Layer:
    """A manifest is refused for its `field`: its `subject`, a subject that is `missing`, or `foreign` layers."""

    def layer(call: Call, respond: Respond) -> Answer:
        part = part_of(call)
        if call.method != "PUT" or part.kind != "manifests":
            return respond(call)
        data = whole(call.body)
        if _has(field, document_in(data), call, respond):
            return refusal
        return respond(with_data(call, data))

    return layer


def _has(field: str, document: dict[str, object], call: Call, respond: Respond) -> bool:
    subject, layers = document.get("subject"), document.get("layers")
    if field == "foreign":
        items = layers if isinstance(layers, list) else []
        return any(isinstance(item, dict) and item.get("mediaType") in FOREIGN_LAYERS for item in items)
    if not isinstance(subject, dict):
        return False
    if field == "subject":
        return True
    path = f"/v2/{part_of(call).repository}/manifests/{subject.get('digest')}"
    there = respond(asked(call, "HEAD", path))
    there.close()
    return there.status != 200
