"""Lists, a page at a time: tags, referrers, repositories (distribution-spec, "Content Discovery")."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote, urlencode

from nv2.oci.media_types import IMAGE_INDEX
from nv2.server.messages import Answer, Call
from nv2.server.registry.errors import Refusal
from nv2.server.registry.request_names import Target, digest_in
from nv2.server.registry.storage import Storage

_INDEX = '{"schemaVersion":2,"mediaType":"' + IMAGE_INDEX + '","manifests":['


def tags(storage: Storage, call: Call, target: Target) -> Answer:
    """The tags of a repository in lexical order."""
    count = _count(call, storage.limits.entries)
    found = storage.tags(target.repository, call.first("last") or "", count + 1)
    if found is None:
        raise Refusal(404, "NAME_UNKNOWN", "there is no such repository")
    return _listing(call, {"name": target.repository}, "tags", found, count)


def repositories(storage: Storage, call: Call, _target: Target) -> Answer:
    """The repositories (not part of the specification; clients of Docker's registry know it)."""
    count = _count(call, storage.limits.entries)
    found = storage.repositories(call.first("last") or "", count + 1)
    return _listing(call, {}, "repositories", found, count)


def referrers(storage: Storage, call: Call, target: Target) -> Answer:
    """The manifests that name a subject, as an index; an empty one if nobody ever heard of the subject."""
    subject = digest_in(target.name)
    kinds = tuple(filter(None, call.query.get("artifactType", ())))
    after = digest_in(call.query["last"][0]) if "last" in call.query else ""
    found, last = storage.referrers(target.repository, subject, kinds, after)
    headers = {"Content-Type": IMAGE_INDEX}
    if kinds:
        headers["OCI-Filters-Applied"] = "artifactType"
    if last:
        headers["Link"] = _next(call, [*(("artifactType", kind) for kind in kinds), ("last", last)])
    return Answer(200, headers, (_INDEX + ",".join(found) + "]}").encode())


def history(storage: Storage, call: Call, target: Target) -> Answer:
    """What a tag named, the latest first; of all tags of the repository if none is given (an extension of nv2)."""
    tag = call.first("tag")
    count = _count(call, storage.limits.entries)
    before = call.first("last")
    if before is not None and not _is_number(before):
        raise Refusal(400, "UNSUPPORTED", "last is not the number of an entry")
    found = storage.history(target.repository, tag, None if before is None else int(before), count + 1)
    if found is None:
        raise Refusal(404, "NAME_UNKNOWN", "there is no such repository")
    page = found[:count]
    headers = {"Content-Type": "application/json"}
    if page and len(found) > count:
        fields = [("n", str(count)), ("last", str(page[-1].number))]
        headers["Link"] = _next(call, [*([("tag", tag)] if tag else []), *fields])
    document = {"name": target.repository, "history": [entry.to_json() for entry in page]}
    return Answer(200, headers, json.dumps(document, separators=(",", ":")).encode())


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 18


def _count(call: Call, most: int) -> int:
    text = call.first("n")
    if text is None:
        return most
    if not _is_number(text):
        raise Refusal(400, "UNSUPPORTED", "n is not a number of entries")
    return min(int(text), most)


def _listing(call: Call, document: dict[str, Any], key: str, found: list[str], count: int) -> Answer:
    """A page of `count` entries out of `found`, which has one more if there are more."""
    page = found[:count]
    headers = {"Content-Type": "application/json"}
    if page and len(found) > count:
        headers["Link"] = _next(call, [("n", str(count)), ("last", page[-1])])
    return Answer(200, headers, json.dumps({**document, key: page}, separators=(",", ":")).encode())


def _next(call: Call, fields: list[tuple[str, str]]) -> str:
    return f'<{quote(call.path, safe="/:")}?{urlencode(fields)}>; rel="next"'
