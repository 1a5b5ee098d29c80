"""Manifests: pulling, pushing, deleting, by tag and by digest (distribution-spec, "Pushing Manifests").

Their bytes are kept as they came, with the media type they came with; `Accept` is not asked, because a
client that gets another type than it knows can say so, and one that gets 404 cannot.
"""

from __future__ import annotations

import json
import re

from nv2 import strict_json
from nv2.errors import ContentMismatch, MalformedManifest
from nv2.oci.descriptor import Descriptor
from nv2.oci.digest import Digest, check_digest, digest_of
from nv2.oci.manifest import Manifest, parse_manifest
from nv2.oci.media_types import FOREIGN_LAYERS
from nv2.server.messages import Answer, Body, Call
from nv2.server.registry.admission import Admission, denied
from nv2.server.registry.conditions import ALWAYS, condition_of, entity_tag
from nv2.server.registry.errors import Refusal
from nv2.server.registry.journal import Who
from nv2.server.registry.request_names import Target, computable, digest_in, known_name, new_tags
from nv2.server.registry.rows import NewManifest
from nv2.server.registry.storage import Storage

_MEDIA_TYPE = re.compile(
    r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}", re.ASCII
)


SANDBOX = {"Content-Security-Policy": "default-src 'none'; sandbox"}
"""A manifest may be of any type, `text/html` too: no browser that has logged in runs what others pushed."""


def get(storage: Storage, call: Call, target: Target) -> Answer:
    """The manifest that a tag or digest names."""
    manifest = storage.manifest(target.repository, known_name(target.name))
    if manifest and call.method == "HEAD":
        storage.promise(manifest.digest)  # a client that hears of it does not push it
    content = storage.open_manifest(manifest) if manifest else None
    if manifest is None or content is None:
        raise _unknown()
    headers = {"Docker-Content-Digest": manifest.digest, "ETag": entity_tag(manifest.digest), **SANDBOX}
    if not condition_of(call.headers)._replace(match=None).holds(manifest.digest):
        content.file.close()
        return Answer(304, headers)
    return Answer(200, {"Content-Type": manifest.media_type, **headers}, content)


def put(storage: Storage, call: Call, target: Target) -> Answer:
    """Keep a manifest, and let its tags name it, if they may."""
    tags = new_tags(call, target.name)
    wanted = computable(digest_in(target.name)) if ":" in target.name else None
    data = _whole(call.body, storage.limits.manifest)
    manifest = _new_manifest(data, _media_type(call, data), wanted)
    condition = condition_of(call.headers)
    if storage.admission is not None and tags:
        _admit(storage, storage.admission, call, target, manifest, tags)
    storage.add_manifest(target.repository, manifest, tags, target.name, condition, _who(call))
    headers = {
        "Location": f"/v2/{target.repository}/manifests/{manifest.digest}",
        "Docker-Content-Digest": manifest.digest,
        "ETag": entity_tag(manifest.digest),
    }
    if manifest.subject:
        headers["OCI-Subject"] = manifest.subject
    if wanted and tags:
        headers["OCI-Tag"] = ", ".join(tags)
    return Answer(201, headers)


def _admit(
    storage: Storage,
    admission: Admission,
    call: Call,
    target: Target,
    manifest: NewManifest,
    tags: tuple[str, ...],
) -> None:
    """Raise `Refusal` if no tag may name `manifest`, which is kept by its digest: so it can be signed."""
    subject = Descriptor(manifest.media_type, manifest.digest, len(manifest.data))
    reason = admission.refusal(storage, target.repository, subject)
    if reason is not None:
        storage.add_manifest(target.repository, manifest, (), manifest.digest, ALWAYS, _who(call))
        raise denied(target.repository, subject, tags, reason)


def delete(storage: Storage, call: Call, target: Target) -> Answer:
    """Remove a tag alone, or a manifest with all its tags."""
    name, condition = known_name(target.name), condition_of(call.headers)
    removed = (
        storage.remove_manifest(target.repository, digest_in(name), condition, _who(call))
        if ":" in name
        else storage.remove_tag(target.repository, name, condition, _who(call))
    )
    if not removed:
        raise _unknown()
    return Answer(202)


def _who(call: Call) -> Who:
    return Who(call.user, call.peer)


def _whole(body: Body, limit: int) -> bytes:
    if body.size is not None and body.size > limit:
        raise _too_large(limit)
    pieces, size = [], 0
    while data := body.read(limit + 1 - size):
        pieces.append(data)
        size += len(data)
        if size > limit:
            raise _too_large(limit)
    return b"".join(pieces)


def _media_type(call: Call, data: bytes) -> str:
    """`Content-Type` without parameters, else what the manifest says it is.

    It is sent back in a header one day, so nothing but a media type may pass.
    """
    found = call.headers.get("content-type", "").partition(";")[0].strip()
    if not found:
        document = _checked_json(data)
        found = document.get("mediaType", "") if isinstance(document, dict) else ""
    if not isinstance(found, str) or not _MEDIA_TYPE.fullmatch(found):
        raise Refusal(400, "MANIFEST_INVALID", "neither Content-Type nor mediaType has a valid media type")
    return found


def _checked_json(data: bytes) -> object:
    try:
        return strict_json.loads(data, MalformedManifest)
    except MalformedManifest as e:
        raise Refusal(400, "MANIFEST_INVALID", str(e)) from None


def _new_manifest(data: bytes, media_type: str, wanted: Digest | None) -> NewManifest:
    digest = wanted or digest_of(data)
    try:
        check_digest(data, digest)
        manifest = parse_manifest(data, media_type)
    except ContentMismatch as e:
        raise Refusal(400, "DIGEST_INVALID", e.message, detail={"digest": digest}) from None
    except MalformedManifest as e:
        raise Refusal(400, "MANIFEST_INVALID", str(e)) from None
    subject = manifest.subject.digest if manifest.subject else None
    return NewManifest(
        digest,
        data,
        media_type,
        frozenset(blob.digest for blob in manifest.blobs if blob.media_type not in FOREIGN_LAYERS),
        subject,
        manifest.kind,
        _descriptor(manifest, digest, len(data)) if subject else None,
    )


def _descriptor(manifest: Manifest, digest: Digest, size: int) -> str:
    found = Descriptor(manifest.media_type, digest, size, manifest.kind, manifest.annotations)
    return json.dumps(found.to_json(), separators=(",", ":"), ensure_ascii=False)


def _too_large(limit: int) -> Refusal:
    return Refusal(413, "SIZE_INVALID", f"a manifest has at most {limit} bytes")


def _unknown() -> Refusal:
    return Refusal(404, "MANIFEST_UNKNOWN", "the repository does not have this manifest")
