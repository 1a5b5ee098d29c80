"""How registries answer otherwise: headers, types, lists of tags, bodies that are packed or cut, no time just now."""

from __future__ import annotations

import gzip
import io
import json
import threading

from nv2.oci.digest import digest_of
from nv2.oci.media_types import IMAGE_INDEX
from nv2.server.messages import Answer, Call, FileSlice, Layer, Respond
from nv2.server.quirks.parts import (
    READ,
    Part,
    answers,
    asks,
    data_of,
    document_in,
    error,
    part_of,
    refuses,
    with_headers,
)

PULLS = 3
"""Of so many pulls of manifests one is refused, where pulls are counted."""

MOST_TAGS = 1000
"""Tags that may be asked for at once, where that is limited."""


def digest_header(value: str | None) -> Layer:
    """Content comes without the header of its digest, or with another digest in it."""

    def changed(call: Call, part: Part, answer: Answer) -> Answer:
        if call.method not in READ or part.kind != "manifests":
            return answer
        return with_headers(answer, Docker_Content_Digest=value) if answer.status == 200 else answer

    return answers(changed)


def always_sha256() -> Layer:
    """The header has the sha256 of what is named by its sha512."""

    def changed(call: Call, _part: Part, answer: Answer) -> Answer:
        said = answer.headers.get("Docker-Content-Digest", "")
        if call.method not in READ or not said.startswith("sha512:") or answer.status != 200:
            return answer
        data = data_of(answer)
        return with_headers(answer, Docker_Content_Digest=digest_of(data))._replace(body=data)

    return answers(changed)


def exact_accept(*, indexes: bool) -> Layer:
    """A manifest is unknown to whoever does not accept its very type; `indexes` as well."""

    def changed(call: Call, part: Part, answer: Answer) -> Answer:
        media_type = answer.headers.get("Content-Type", "")
        if part.kind != "manifests" or call.method not in READ or answer.status != 200:
            return answer
        if media_type in call.headers.get("accept", "") or (media_type == IMAGE_INDEX and not indexes):
            return answer
        answer.close()
        return error(404, "MANIFEST_UNKNOWN")

    return answers(changed)


def no_ranges() -> Layer:
    """Blobs come whole."""

    def change(call: Call, _part: Part) -> Call:
        return call._replace(headers={k: v for k, v in call.headers.items() if k != "range"})

    return asks(change)


def bad_digest_fails() -> Layer:
    """What is no digest is a failure of the registry."""
    return answers(
        lambda call, _, answer: (
            error(500, "UNKNOWN") if call.method in READ and b"DIGEST_INVALID" in _refusal(answer) else answer
        )
    )


def unpaged_tags() -> Layer:
    """All tags come at once, in no order."""

    def layer(call: Call, respond: Respond) -> Answer:
        if part_of(call).kind != "tags":
            return respond(call)
        answer = respond(call._replace(query={}))
        if answer.status != 200:
            return answer
        document = document_in(data_of(answer))
        return answer._replace(body=json.dumps({**document, "tags": document["tags"][::-1]}).encode())

    return layer


def null_tags() -> Layer:
    """No tags are null."""

    def changed(_call: Call, part: Part, answer: Answer) -> Answer:
        if part.kind != "tags" or answer.status != 200:
            return answer
        document = document_in(data_of(answer))
        return answer._replace(body=json.dumps({**document, "tags": document["tags"] or None}).encode())

    return answers(changed)


def few_tags() -> Layer:
    """Nobody may ask for more than a thousand tags at once."""

    def many(call: Call, part: Part) -> bool:
        count = call.first("n") or ""
        return part.kind == "tags" and count.isdigit() and int(count) > MOST_TAGS

    return refuses(many, error(400, "UNSUPPORTED"))


def packed(*, unasked: bool) -> Layer:
    """What is read into memory comes compressed, if the client takes that; `unasked`: if he does not, too."""

    def changed(call: Call, part: Part, answer: Answer) -> Answer:
        takes = call.headers.get("accept-encoding", "gzip")
        if (
            call.method != "GET"
            or answer.status != 200
            or part.kind not in ("manifests", "referrers", "tags")
        ):
            return answer
        if not unasked and "gzip" not in takes:
            return answer
        body = gzip.compress(data_of(answer), mtime=0)
        return with_headers(answer, Content_Encoding="gzip")._replace(body=body)

    return answers(changed)


class _Seen:
    """What was asked for before; safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._times: dict[str, int] = {}

    def times(self, what: str) -> int:
        """How often `what` was asked for, with this time."""
        with self._lock:
            self._times[what] = self._times.get(what, 0) + 1
            return self._times[what]


def cut_once() -> Layer:
    """Each content is cut in the middle when it is read for the first time."""
    seen = _Seen()

    def changed(call: Call, part: Part, answer: Answer) -> Answer:
        wanted = part.kind in ("manifests", "blobs") and call.method == "GET"
        if not wanted or answer.status not in (200, 206) or answer.size < 2 or seen.times(call.path) > 1:
            return answer
        data = data_of(answer)
        return answer._replace(body=FileSlice(io.BytesIO(data[: len(data) // 2]), 0, len(data)))

    return answers(changed)


def busy_once() -> Layer:
    """Each request is put off once."""
    seen = _Seen()

    def layer(call: Call, respond: Respond) -> Answer:
        if seen.times(f"{call.method} {call.path}") == 1:
            return error(503, "UNAVAILABLE", {"Retry-After": "0"})
        return respond(call)

    return layer


def counted_pulls() -> Layer:
    """Pulls of manifests are counted, and every third is one too many."""
    seen = _Seen()

    def layer(call: Call, respond: Respond) -> Answer:
        if call.method != "GET" or part_of(call).kind != "manifests":
            return respond(call)
        left = PULLS - seen.times("pulls") % PULLS
        headers = {"ratelimit-limit": f"{PULLS};w=21600", "ratelimit-remaining": f"{left % PULLS};w=21600"}
        if left == PULLS:
            return error(429, "TOOMANYREQUESTS", {**headers, "Retry-After": "0"})
        answer = respond(call)
        return answer._replace(headers={**answer.headers, **headers})

    return layer


def _refusal(answer: Answer) -> bytes:
    return answer.body if answer.status == 400 and isinstance(answer.body, bytes) else b""
