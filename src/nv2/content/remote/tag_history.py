"""Asking an embedded registry what a tag named before: an extension that only nv2's own registry has."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import urlencode

from nv2 import strict_json
from nv2.content.remote.endpoint import Endpoint, read_errors
from nv2.errors import BadAnswer, NotFound
from nv2.strict_json import Fields

KNOWN = ("at", "tag", "event", "digest", "previous", "user", "peer")
"""The texts of a line; those that say nothing are left out."""


class Line(NamedTuple):
    """A line of a registry's journal."""

    number: int
    texts: dict[str, str]
    """By the names of `KNOWN`."""


def tag_history(endpoint: Endpoint, tag: str | None, before: int | None, count: int) -> list[Line]:
    """At most `count` lines about `tag` (None: every tag), the latest first, those before a number of a line.

    Raises `NotFound` for a repository that is not there or a registry that keeps no journal, `BadAnswer`, `Refused`.
    """
    wanted = {"tag": tag, "n": count, "last": before}
    query = urlencode({key: value for key, value in wanted.items() if value is not None})
    response = endpoint.send(endpoint.request("GET", f"_nv2/tags/history?{query}"))
    what = f"history of tag {tag}" if tag else "history"
    if response.status == 404:
        codes, _ = read_errors(response)
        if "NAME_UNKNOWN" in codes:
            raise NotFound(f"no such repository, so no {what}", at=endpoint.name)
        raise NotFound(
            "the registry keeps no history", at=endpoint.name, hint="that of 'nv2 registry serve' does"
        )
    if response.status != 200:
        raise endpoint.failure(response, what)
    at = f"{what} of {endpoint.name}"
    document = Fields.of(strict_json.loads(response.data(), BadAnswer, at=at), at, BadAnswer)
    return [_line(item) for item in document.objects("history")][:count]


def _line(item: Fields) -> Line:
    texts = ((key, item.get(key, str)) for key in KNOWN)
    return Line(item.require("number", int), {key: text for key, text in texts if text})
