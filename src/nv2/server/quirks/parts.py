"""What quirks are made of: which endpoint a request is for, answers with something else in them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from nv2.oci.digest import digest_of
from nv2.oci.manifest import MAX_MANIFEST
from nv2.oci.media_types import IMAGE_INDEX
from nv2.server.messages import NO_HEADERS, Answer, Body, Call, FileSlice, Layer, Respond

_PATH = re.compile(r"/v2/(.+)/(manifests|blobs/uploads|blobs|tags|referrers)/([^/]*)", re.DOTALL)
_FALLBACK = re.compile(r"sha(?:256|512)-[0-9a-f]{64}")

READ = ("GET", "HEAD")


class Part(NamedTuple):
    """What a path names: `kind` is manifests, blobs/uploads, blobs, tags, referrers, or empty for anything else."""

    repository: str = ""
    kind: str = ""
    name: str = ""

    @property
    def is_fallback(self) -> bool:
        """Whether this is the tag that lists referrers (distribution-spec, "Referrers Tag Schema")."""
        return self.kind == "manifests" and _FALLBACK.fullmatch(self.name) is not None


def part_of(call: Call) -> Part:
    """What `call` is for."""
    found = _PATH.fullmatch(call.path)
    return Part(*found.groups()) if found else Part()


class Known:
    """A body that is in memory (`messages.Body`)."""

    def __init__(self, data: bytes = b"") -> None:
        self.size: int | None = len(data)
        self._left = data

    def read(self, size: int) -> bytes:
        """At most `size` bytes."""
        data, self._left = self._left[:size], self._left[size:]
        return data


def whole(body: Body) -> bytes:
    """All of a manifest's body, up to a byte more than a manifest may have: the registry refuses that."""
    pieces, left = [], MAX_MANIFEST + 1
    while left and (data := body.read(left)):
        pieces.append(data)
        left -= len(data)
    return b"".join(pieces)


def with_data(call: Call, data: bytes) -> Call:
    """`call` with `data` as its body."""
    headers = {**call.headers, "content-length": str(len(data))}
    return call._replace(body=Known(data), headers=headers)


def asked(call: Call, method: str, path: str) -> Call:
    """Another request, of the same client."""
    return call._replace(method=method, path=path, body=Known(), headers=NO_HEADERS, query={})


def document_in(data: bytes) -> dict[str, Any]:
    """A document, or nothing if it is none: then it is not for a quirk to say so."""
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def data_of(answer: Answer) -> bytes:
    """The body of an answer; a file is read and closed."""
    if not isinstance(answer.body, FileSlice):
        return answer.body
    with answer.body.file as file:
        file.seek(answer.body.offset)
        return file.read(answer.body.size)


def error(status: int, code: str, headers: Mapping[str, str] = NO_HEADERS) -> Answer:
    """An error document; the codes of other registries are not all in the specification."""
    body = json.dumps({"errors": [{"code": code, "message": code.lower().replace("_", " ")}]}).encode()
    return Answer(status, {"Content-Type": "application/json", **headers}, body)


def with_headers(answer: Answer, **headers: str | None) -> Answer:
    """`answer` with these headers set, or left out where they are None; underscores are hyphens."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    kept = {k: v for k, v in answer.headers.items() if k.lower() not in {name.lower() for name in named}}
    return answer._replace(headers={**kept, **{k: v for k, v in named.items() if v is not None}})


def passed_on(call: Call, respond: Respond) -> Answer:
    """The layer that does nothing."""
    return respond(call)


def refuses(when: Callable[[Call, Part], bool], answer: Answer) -> Layer:
    """A layer that gives `answer` to some requests and passes the others on."""

    def layer(call: Call, respond: Respond) -> Answer:
        return answer if when(call, part_of(call)) else respond(call)

    return layer


def asks(change: Callable[[Call, Part], Call]) -> Layer:
    """A layer that changes requests."""

    def layer(call: Call, respond: Respond) -> Answer:
        return respond(change(call, part_of(call)))

    return layer


def answers(change: Callable[[Call, Part, Answer], Answer]) -> Layer:
    """A layer that changes answers."""

    def layer(call: Call, respond: Respond) -> Answer:
        return change(call, part_of(call), respond(call))

    return layer


def listings(change: Callable[[dict[str, Any]], dict[str, Any]], *, fallback: bool = False) -> Layer:
    """A layer that changes the document that lists referrers; with `fallback`, the one under the tag as well."""

    def changed(call: Call, part: Part, answer: Answer) -> Answer:
        listed = part.kind == "referrers" or (fallback and part.is_fallback)
        if call.method not in READ or answer.status != 200 or not listed:
            return answer
        data = json.dumps(change(document_in(data_of(answer)))).encode()
        if part.is_fallback:
            answer = with_headers(answer, Docker_Content_Digest=digest_of(data))
        return answer._replace(body=data)

    return answers(changed)


def entries(change: Callable[[dict[str, Any]], dict[str, Any]], *, fallback: bool = False) -> Layer:
    """A layer that changes each descriptor of a listing."""
    return listings(
        lambda document: {
            **document,
            "manifests": [change(item) for item in document.get("manifests") or []],
        },
        fallback=fallback,
    )


def index_of(items: list[Any]) -> bytes:
    """An image index."""
    return json.dumps({"schemaVersion": 2, "mediaType": IMAGE_INDEX, "manifests": items}).encode()
