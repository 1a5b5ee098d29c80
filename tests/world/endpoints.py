"""What a registry in memory answers at each of its addresses; `registry.py` is the way in."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from io import BytesIO
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlencode, urlsplit

from nv2.oci import media_types as mt
from nv2.oci.digest import algorithm_of, digest_of, parse_digest
from nv2.transport.interface import Request, Response
from tests.world.network import answer, answer_json, error

if TYPE_CHECKING:
    from tests.world.registry import Registry


class Repository:
    """What one repository holds."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[str, tuple[str, bytes]] = {}
        self.tags: dict[str, str] = {}
        self.uploads: dict[str, bytes] = {}

    def add(self, data: bytes, media_type: str, tag: str | None = None) -> str:
        """Put a manifest in, without a request; its digest comes out."""
        digest = digest_of(data)
        self.manifests[digest] = (media_type, data)
        if tag:
            self.tags[tag] = digest
        return digest

    def add_blob(self, data: bytes) -> str:
        """Put a blob in, without a request; its digest comes out."""
        self.blobs[digest_of(data)] = data
        return digest_of(data)


class Call(NamedTuple):
    """A request in pieces."""

    request: Request
    repository: Repository
    name: str
    target: str
    query: Mapping[str, str]

    @property
    def method(self) -> str:
        return self.request.method

    def header(self, name: str) -> str | None:
        return next((v for k, v in self.request.headers.items() if k.lower() == name.lower()), None)

    def body(self) -> bytes:
        if self.request.body is None:
            return b""
        with self.request.body() as stream:
            return stream.read()


def _manifests(registry: Registry, call: Call) -> Response:
    if call.method == "PUT":
        return _put_manifest(registry, call)
    digest = _digest_of(registry, call)
    kept = call.repository.manifests.get(digest)
    accepted = call.header("accept") or "*/*"
    if kept is None or ("exact_accept" in registry.quirks and kept[0] not in accepted):
        return error(call.request, 404, "MANIFEST_UNKNOWN")
    if call.method == "DELETE":
        return _delete_manifest(registry, call, digest)
    headers = {"Content-Type": kept[0], "Docker-Content-Digest": digest}
    if "no_digest_header" in registry.quirks:
        del headers["Docker-Content-Digest"]
    if "wrong_digest_header" in registry.quirks:
        headers["Docker-Content-Digest"] = digest_of(b"something else")
    if registry.quirks & {"etag", "etag_ignored"}:
        headers["ETag"] = f'"{digest}"'
    return answer(call.request, 200, kept[1], headers)


def _digest_of(registry: Registry, call: Call) -> str:
    alias = re.fullmatch(r"sha256-([0-9a-f]{64})", call.target)
    if alias and "alias_tag" in registry.quirks:
        return f"sha256:{alias[1]}"
    return call.target if ":" in call.target else call.repository.tags.get(call.target, "")


def _put_manifest(registry: Registry, call: Call) -> Response:
    data, current = call.body(), _digest_of(registry, call)
    if "etag" in registry.quirks and not _conditions_hold(call, current):
        return error(call.request, 412, "PRECONDITION_FAILED")
    try:
        document = json.loads(data)
    except ValueError:
        return error(call.request, 400, "MANIFEST_INVALID")
    media_type = call.header("content-type") or ""
    if document.get("mediaType", media_type) != media_type:
        return error(call.request, 400, "MANIFEST_INVALID")
    digest = digest_of(data, algorithm_of(parse_digest(call.target)) if ":" in call.target else "sha256")
    if ":" in call.target and digest != call.target:
        return error(call.request, 400, "DIGEST_INVALID")
    if "checks_blobs" in registry.quirks and not _blobs_of(document) <= call.repository.blobs.keys():
        return error(call.request, 404, "MANIFEST_BLOB_UNKNOWN")
    call.repository.manifests[digest] = (media_type, data)
    if ":" not in call.target and not ("forgets_fallback" in registry.quirks and "sha256-" in call.target):
        if "displaces" in registry.quirks and "sha256-" in call.target:
            _keep_newest(call.repository, call.target, document)
        else:
            call.repository.tags[call.target] = digest
    headers = {"Location": f"/v2/{call.name}/manifests/{digest}", "Docker-Content-Digest": digest}
    if "no_digest_header" in registry.quirks:
        del headers["Docker-Content-Digest"]
    subject = document.get("subject")
    if subject and (registry.referrers_api or "subject_without_api" in registry.quirks):
        headers["OCI-Subject"] = subject["digest"]
    return answer(call.request, 201, b"", headers)


def _blobs_of(document: dict[str, Any]) -> set[str]:
    parts = [*document.get("layers", []), *filter(None, [document.get("config")])]
    return {part["digest"] for part in parts}


def _keep_newest(repository: Repository, tag: str, document: dict[str, Any]) -> None:
    """As if whoever writes had read the index before anybody else wrote it."""
    before = repository.manifests.get(repository.tags.get(tag, ""))
    known = [item["digest"] for item in json.loads(before[1])["manifests"]] if before else []
    fresh = [item for item in document["manifests"] if item["digest"] not in known]
    if fresh:
        repository.add(json.dumps({**document, "manifests": fresh}).encode(), mt.IMAGE_INDEX, tag)


def _delete_manifest(registry: Registry, call: Call, digest: str) -> Response:
    if "no_delete" in registry.quirks:
        return error(call.request, 405, "UNSUPPORTED")
    if ":" in call.target:
        del call.repository.manifests[digest]
    gone = [
        t for t, d in call.repository.tags.items() if t == call.target or (":" in call.target and d == digest)
    ]
    for tag in gone:
        del call.repository.tags[tag]
    return answer(call.request, 202)


def _blobs(registry: Registry, call: Call) -> Response:
    data = call.repository.blobs.get(call.target)
    if data is None:
        return error(call.request, 404, "BLOB_UNKNOWN")
    if call.method == "DELETE":
        del call.repository.blobs[call.target]
        return answer(call.request, 202)
    headers = {"Content-Type": mt.OCTET_STREAM, "Docker-Content-Digest": call.target}
    part = re.fullmatch(r"bytes=(\d+)-", call.header("range") or "")
    if part is None or "no_ranges" in registry.quirks:
        return answer(call.request, 200, data, headers)
    first = int(part[1])
    if first >= len(data):
        return error(call.request, 416, "RANGE_INVALID")
    headers["Content-Range"] = f"bytes {first}-{len(data) - 1}/{len(data)}"
    return answer(call.request, 206, data[first:], headers)


def _uploads(registry: Registry, call: Call) -> Response:
    if call.method == "POST":
        return _open_upload(registry, call)
    if call.target not in call.repository.uploads:
        return error(call.request, 404, "BLOB_UPLOAD_UNKNOWN")
    if call.method == "GET":
        if "stuck_range" in registry.quirks:
            return error(call.request, 404, "BLOB_UPLOAD_UNKNOWN")
        return _reached(registry, call, 204)
    if call.method == "PATCH":
        return _add_piece(registry, call)
    data = call.repository.uploads.pop(call.target) + call.body()
    if "lost_end" in registry.quirks and data:
        _keep_blob(registry, call, data, call.query.get("digest", ""))
        return error(call.request, 404, "BLOB_UPLOAD_UNKNOWN")
    return _keep_blob(registry, call, data, call.query.get("digest", ""))


def _add_piece(registry: Registry, call: Call) -> Response:
    there = len(call.repository.uploads[call.target])
    first = (call.header("content-range") or f"{there}-").partition("-")[0]
    if "no_pieces" in registry.quirks:
        return error(call.request, 405, "UNSUPPORTED")
    if int(first) != there and "stale_pieces" not in registry.quirks:
        return error(call.request, 416, "RANGE_INVALID")
    with call.request.body() if call.request.body else BytesIO() as stream:
        while data := stream.read(1024):  # what arrives stays, though the rest may not come
            call.repository.uploads[call.target] += data
    return _reached(registry, call, 201 if "piece_201" in registry.quirks else 202)


def _reached(registry: Registry, call: Call, status: int) -> Response:
    end = max(0, len(call.repository.uploads[call.target]) - 1)
    if "stuck_range" in registry.quirks:
        end = registry.first_ends.setdefault(call.target, end)
    headers = {"Location": _location(registry, call, call.target), "Range": f"0-{end}"}
    return answer(call.request, status, b"", headers)


def _open_upload(registry: Registry, call: Call) -> Response:
    source, wanted = registry.repositories.get(call.query.get("from", "")), call.query.get("mount", "")
    if source and wanted in source.blobs and "no_mount" not in registry.quirks:
        return _keep_blob(registry, call, source.blobs[wanted], wanted)
    if "digest" in call.query:
        return _keep_blob(registry, call, call.body(), call.query["digest"])
    session = f"session-{len(registry.requests)}"
    call.repository.uploads[session] = b""
    headers = {"Location": _location(registry, call, session)}
    if "long_pieces" in registry.quirks:
        headers["OCI-Chunk-Min-Length"] = "5000"
    return answer(call.request, 202, b"", headers)


def _location(registry: Registry, call: Call, session: str) -> str:
    path = f"/v2/{call.name}/blobs/uploads/{session}?state=kept"
    scheme = urlsplit(call.request.url).scheme
    if "absolute_location" in registry.quirks:
        return f"{scheme}://{registry.host}{path}"
    if "cross_host_location" in registry.quirks:
        return f"{scheme}://uploads.test{path}"
    if "downgraded_location" in registry.quirks:
        return f"http://{registry.host}{path}"
    return path


def _keep_blob(registry: Registry, call: Call, data: bytes, digest: str) -> Response:
    if digest_of(data, algorithm_of(parse_digest(digest))) != digest:
        return error(call.request, 400, "DIGEST_INVALID")
    call.repository.blobs[digest] = data
    return answer(call.request, 201, b"", {"Location": f"/v2/{call.name}/blobs/{digest}"})


def _tags(registry: Registry, call: Call) -> Response:
    return answer_json(call.request, 200, {"name": call.name, "tags": sorted(call.repository.tags)})


def _referrers(registry: Registry, call: Call) -> Response:
    if "false_200" in registry.quirks:
        return answer(call.request, 200, b"<html>sign in</html>", {"Content-Type": "text/html"})
    if "referrers_405" in registry.quirks:
        return error(call.request, 405, "UNSUPPORTED")
    if not registry.referrers_api:
        return answer(call.request, 404, b"404 page not found\n", {"Content-Type": "text/plain"})
    found, filters = _listed(registry, call), {}
    wanted = call.query.get("artifactType")
    if wanted and "ignores_filter" not in registry.quirks:
        found = [entry for entry in found if entry.get("artifactType") == wanted]
        filters = {"OCI-Filters-Applied": "artifactType"}
    first = int(call.query.get("first", 0))
    page = found[first : first + registry.page_size] if registry.page_size else found
    kind = "application/json" if "json_referrers" in registry.quirks else mt.IMAGE_INDEX
    headers = {"Content-Type": kind, **filters, **_link(registry, call, first + len(page), len(found))}
    document = {"schemaVersion": 2, "mediaType": mt.IMAGE_INDEX, "manifests": page}
    return answer(call.request, 200, json.dumps(document).encode(), headers)


def _link(registry: Registry, call: Call, following: int, total: int) -> dict[str, str]:
    path = urlsplit(call.request.url).path
    if "link_for_ever" in registry.quirks:
        return {"Link": f'<{path}>; rel="next"'}
    if following >= total:
        return {}
    host = "https://elsewhere.test" if "link_cross_origin" in registry.quirks else ""
    return {"Link": f'<{host}{path}?{urlencode({**call.query, "first": following})}>; rel="next"'}


def _listed(registry: Registry, call: Call) -> list[dict[str, Any]]:
    found = []
    for digest, (media_type, data) in call.repository.manifests.items():
        document = json.loads(data)
        if (document.get("subject") or {}).get("digest") == call.target:
            found.append(_entry(registry, digest, media_type, data, document))
    return found


def _entry(
    registry: Registry, digest: str, media_type: str, data: bytes, document: dict[str, Any]
) -> dict[str, Any]:
    entry: dict[str, Any] = {"mediaType": media_type, "digest": digest, "size": len(data)}
    kind = document.get("artifactType") or document.get("config", {}).get("mediaType")
    if "empty_artifact_type" in registry.quirks:
        kind = mt.EMPTY
    if kind and "no_artifact_type" not in registry.quirks:
        entry["artifactType"] = kind
    if document.get("annotations"):
        entry["annotations"] = document["annotations"]
    return entry


def _conditions_hold(call: Call, current: str) -> bool:
    match, none_match = call.header("if-match"), call.header("if-none-match")
    if match is not None and match != f'"{current}"':
        return False
    return not (none_match == "*" and current)


HANDLERS: dict[str, Callable[[Registry, Call], Response]] = {
    "manifests": _manifests,
    "blobs": _blobs,
    "blobs/uploads": _uploads,
    "tags": _tags,
    "referrers": _referrers,
}
