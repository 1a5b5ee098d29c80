"""How registries get the list of referrers wrong, or have none."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import quote, urlencode

from nv2.oci.digest import fallback_tag, parse_digest
from nv2.oci.media_types import EMPTY, IMAGE_INDEX
from nv2.server.messages import Answer, Call, Layer, Respond
from nv2.server.quirks.parts import (
    READ,
    Part,
    answers,
    asked,
    asks,
    data_of,
    document_in,
    entries,
    index_of,
    listings,
    part_of,
    whole,
    with_data,
    with_headers,
)
from nv2.server.quirks.places import other_name

PAGE = 2
"""Entries of a page, where pages are short."""

SLOWNESS = 0.2
"""Seconds that a slow list takes."""

NOT_FOUND = Answer(404, {"Content-Type": "text/plain; charset=utf-8"}, b"404 page not found\n")
PAGE_OF_HTML = Answer(200, {"Content-Type": "text/html; charset=utf-8"}, b"<html>sign in</html>")


def instead(answer: Answer, *, note: bool = False) -> Layer:
    """There is no referrers API: `answer` comes in its place, and with `note` pushes say that there is one."""

    def layer(call: Call, respond: Respond) -> Answer:
        if part_of(call).kind == "referrers":
            return answer
        found = respond(call)
        return found if note else with_headers(found, OCI_Subject=None)

    return layer


def of_type(media_type: str) -> Layer:
    """Lists come as `media_type`."""
    return answers(
        lambda _, part, answer: (
            with_headers(answer, Content_Type=media_type)
            if part.kind == "referrers" and answer.status == 200
            else answer
        )
    )


def without(*fields: str) -> Layer:
    """Entries lack `fields`."""
    return entries(lambda item: {k: v for k, v in item.items() if k not in fields})


def empty_types() -> Layer:
    """Entries have the empty type, by the API and under the tag."""
    return entries(lambda item: {**item, "artifactType": EMPTY}, fallback=True)


def null_listings() -> Layer:
    """An empty list is null."""
    return listings(lambda document: {**document, "manifests": document.get("manifests") or None})


def unfiltered() -> Layer:
    """The filter is passed over."""

    def change(call: Call, part: Part) -> Call:
        query = {k: v for k, v in call.query.items() if k != "artifactType"}
        return call._replace(query=query) if part.kind == "referrers" else call

    return asks(change)


def silently_filtered() -> Layer:
    """The filter is applied, and not said to be."""
    return answers(lambda _, __, answer: with_headers(answer, OCI_Filters_Applied=None))


def slow() -> Layer:
    """Every list takes its time."""

    def layer(call: Call, respond: Respond) -> Answer:
        if part_of(call).kind == "referrers":
            time.sleep(SLOWNESS)
        return respond(call)

    return layer


def short_pages() -> Layer:
    """A page has two entries; `Link` leads on."""

    def layer(call: Call, respond: Respond) -> Answer:
        first = call.first("first") or "0"
        answer = respond(call)
        if part_of(call).kind != "referrers" or answer.status != 200 or not first.isdigit():
            return answer
        items = _items(answer)
        start = int(first)
        more = start + PAGE < len(items)
        link = f'<{_again(call, start + PAGE)}>; rel="next"' if more else None
        return with_headers(answer, Link=link)._replace(body=index_of(items[start : start + PAGE]))

    return layer


def linked(*, elsewhere: bool) -> Layer:
    """Each page names itself as the next: here, or at another host."""

    def changed(call: Call, part: Part, answer: Answer) -> Answer:
        if part.kind != "referrers" or answer.status != 200:
            return answer
        host = f"http://{other_name(call)}" if elsewhere else ""
        return with_headers(answer, Link=f'<{host}{quote(call.path, safe="/:")}>; rel="next"')

    return answers(changed)


def made_tags() -> Layer:
    """The registry keeps the fallback tag too, by itself."""

    def layer(call: Call, respond: Respond) -> Answer:
        answer, part = respond(call), part_of(call)
        subject = answer.headers.get("OCI-Subject")
        if call.method == "PUT" and subject:
            listed = respond(asked(call, "GET", f"/v2/{part.repository}/referrers/{subject}"))
            tag = fallback_tag(parse_digest(subject))
            made = with_data(asked(call, "PUT", f"/v2/{part.repository}/manifests/{tag}"), data_of(listed))
            respond(made._replace(headers={**made.headers, "content-type": IMAGE_INDEX}))
        return answer

    return layer


def forgotten_tags() -> Layer:
    """A fallback tag is accepted and not kept."""

    def layer(call: Call, respond: Respond) -> Answer:
        part = part_of(call)
        if call.method != "PUT" or not part.is_fallback:
            return respond(call)
        aside = call._replace(path=f"/v2/{part.repository}-forgotten/manifests/{part.name}")
        return with_headers(respond(aside), Location=call.path)

    return layer


def displacing_tags() -> Layer:
    """Of an index under a fallback tag only those entries are kept that are new in it."""

    def layer(call: Call, respond: Respond) -> Answer:
        part = part_of(call)
        if call.method != "PUT" or not part.is_fallback:
            return respond(call)
        known = [item.get("digest") for item in _items(respond(asked(call, "GET", call.path)))]
        document = _sent(call)
        fresh = [item for item in document.get("manifests", []) if item.get("digest") not in known]
        if not fresh:
            return Answer(201, {"Location": call.path})
        headers = {k: v for k, v in call.headers.items() if not k.startswith("if-")}
        answer = respond(with_data(call._replace(headers=headers), index_of(fresh)))
        return with_headers(answer, Docker_Content_Digest=None, ETag=None)

    return layer


def aliases(*, unset: bool) -> Layer:
    """The tag sha256-HEX means the digest sha256:HEX; with `unset`, only while nobody has set it."""

    def layer(call: Call, respond: Respond) -> Answer:
        part = part_of(call)
        if call.method not in READ or not part.is_fallback:
            return respond(call)
        if unset and (answer := respond(call)).status != 404:
            return answer
        digest = part.name.replace("-", ":", 1)
        return respond(call._replace(path=f"/v2/{part.repository}/manifests/{digest}"))

    return layer


def _sent(call: Call) -> dict[str, Any]:
    return document_in(whole(call.body))


def _items(answer: Answer) -> list[Any]:
    found = document_in(data_of(answer)).get("manifests") if answer.status == 200 else None
    return found if isinstance(found, list) else []


def _again(call: Call, first: int) -> str:
    fields = [(k, v) for k, values in call.query.items() if k != "first" for v in values]
    return f"{quote(call.path, safe='/:')}?{urlencode([*fields, ('first', str(first))])}"
