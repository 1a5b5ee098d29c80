"""Pushing blobs: whole, in chunks, or by mounting (distribution-spec, "Pushing blobs", "Mounting a blob")."""

from __future__ import annotations

from nv2.errors import ContentMismatch
from nv2.oci.digest import Digest
from nv2.server.messages import Answer, Call
from nv2.server.registry.errors import Refusal
from nv2.server.registry.ranges import Span, chunk_span
from nv2.server.registry.request_names import Target, check_repository, computable, digest_in
from nv2.server.registry.storage import Storage
from nv2.server.registry.upload_files import Upload


def begin(storage: Storage, call: Call, target: Target) -> Answer:
    """Mount a blob, take one that came with the request, or begin an upload."""
    if (mount := call.first("mount")) and _mounted(storage, call, target.repository, digest_in(mount)):
        return _created(target.repository, digest_in(mount))
    digest = call.first("digest")
    wanted = computable(digest_in(digest)) if digest else None
    upload = storage.uploads.begin(target.repository, _algorithm(call, wanted), call.user)
    if wanted is None:
        return Answer(202, _progress(target.repository, upload))
    try:
        with upload.alone():
            return _finished(storage, target.repository, upload, call, wanted)
    finally:
        storage.uploads.end(upload)


def status(storage: Storage, call: Call, target: Target) -> Answer:
    """How far an upload got."""
    return Answer(204, _progress(target.repository, storage.uploads.find(*target, call.user)))


def add(storage: Storage, call: Call, target: Target) -> Answer:
    """Add a chunk, or a stream without an end that is known."""
    upload = storage.uploads.find(*target, call.user)
    with upload.alone():
        _append(storage, target.repository, upload, call)
        return Answer(202, _progress(target.repository, upload))


def finish(storage: Storage, call: Call, target: Target) -> Answer:
    """Add what came with the request, if anything, and make the upload a blob."""
    upload = storage.uploads.find(*target, call.user)
    digest = computable(digest_in(call.first("digest") or ""))
    with upload.alone():
        return _finished(storage, target.repository, upload, call, digest)


def cancel(storage: Storage, call: Call, target: Target) -> Answer:
    """Drop an upload."""
    upload = storage.uploads.find(*target, call.user)
    with upload.alone():
        storage.uploads.end(upload)
    return Answer(204)


def _mounted(storage: Storage, call: Call, repository: str, digest: Digest) -> bool:
    source = call.first("from")
    return storage.mount_blob(repository, digest, check_repository(source) if source else None)


def _algorithm(call: Call, wanted: Digest | None) -> str:
    algorithm = call.first("digest-algorithm") or (wanted or "sha256").partition(":")[0]
    return computable(Digest(f"{algorithm}:")).partition(":")[0]


def _append(storage: Storage, repository: str, upload: Upload, call: Call) -> None:
    """Check the chunk's place before its bytes are read, and its length before and after."""
    before = upload.size
    field = call.headers.get("content-range")
    span = chunk_span(field) if field is not None else None
    if field is not None and (span is None or span.first != upload.size):
        raise Refusal(
            416,
            "BLOB_UPLOAD_INVALID",
            "the chunk does not begin where the last ended",
            headers=_progress(repository, upload),
        )
    if span and call.body.size not in (None, span.size):
        raise _wrong_length(span, repository, upload)
    upload.append(call.body, storage.limits.reserve, call.upload_limit)
    if span and upload.size - before != span.size:
        raise _wrong_length(span, repository, upload)


def _wrong_length(span: Span, repository: str, upload: Upload) -> Refusal:
    message = f"the chunk does not have the {span.size} bytes of its range"
    return Refusal(400, "SIZE_INVALID", message, headers=_progress(repository, upload))


def _finished(storage: Storage, repository: str, upload: Upload, call: Call, digest: Digest) -> Answer:
    _append(storage, repository, upload, call)
    try:
        storage.add_blob(repository, digest, upload.finish(digest))
    except ContentMismatch as e:
        # What has arrived cannot become right by adding to it.
        raise Refusal(400, "DIGEST_INVALID", e.message, detail={"digest": digest}) from None
    finally:
        storage.uploads.end(upload)
    return _created(repository, digest)


def _progress(repository: str, upload: Upload) -> dict[str, str]:
    return {
        "Location": f"/v2/{repository}/blobs/uploads/{upload.identifier}",
        "Range": f"0-{max(upload.size - 1, 0)}",  # the grammar has no word for nothing
        "Docker-Upload-UUID": upload.identifier,
    }


def _created(repository: str, digest: Digest) -> Answer:
    headers = {"Location": f"/v2/{repository}/blobs/{digest}", "Docker-Content-Digest": digest}
    return Answer(201, headers)
