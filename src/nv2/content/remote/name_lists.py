"""The tags of a repository, and the repositories of a registry (distribution-spec, "Listing Tags"; `_catalog`).

What this module does not do: choose among them.
"""

from __future__ import annotations

from typing import Any

from nv2 import strict_json
from nv2.content.remote.endpoint import Endpoint, next_page
from nv2.errors import BadAnswer, NotFound
from nv2.oci.reference import is_repository_path, is_tag
from nv2.plain_text import quoted
from nv2.transport.interface import Request, Response, Transport

MAX_NAMES = 100_000
"""Names in one list; the largest repositories known have some ten thousand tags."""

PAGE = 1000
"""Names that are asked for at once. Some registries refuse to give more."""

MAX_PAGES = 1000
"""Pages of one list: as many as the names above fill where a registry gives a hundred at a time."""

ONE_BY_ONE = "not every registry has a catalog; name the repositories one by one"


def tags_of(endpoint: Endpoint) -> tuple[str, ...]:
    """Every tag of the repository, sorted. Raises `NotFound`, `Refused`, `BadAnswer`."""
    request = endpoint.request("GET", f"tags/list?n={PAGE}")
    found = _names(endpoint, request, "tags", "list of tags")
    return tuple(sorted(filter(is_tag, found)))


def repositories_of(
    registry: str, transport: Transport, *, plain_http: bool, base: str | None = None
) -> tuple[str, ...]:
    """Every repository that `registry` names, sorted; `base` is as for `Endpoint`. Raises as `tags_of`."""
    endpoint = Endpoint(registry, "_catalog", transport, plain_http=plain_http, base=base)
    url = f"{endpoint.url('').rstrip('/')}?n={PAGE}"
    request = Request("GET", url, scopes=("registry:catalog:*",))
    try:
        found = _names(endpoint, request, "repositories", "list of repositories")
    except NotFound:
        raise NotFound("does not name its repositories", at=registry, hint=ONE_BY_ONE) from None
    return tuple(sorted(filter(is_repository_path, found)))


def _names(endpoint: Endpoint, request: Request, key: str, what: str) -> set[str]:
    names: set[str] = set()
    for _ in range(MAX_PAGES):
        response = endpoint.send(request)
        if response.status != 200:
            raise endpoint.failure(response, what)
        page = _page(response, key, f"{what} of {endpoint.name}")
        known = len(names)
        names.update(page)
        if len(names) > MAX_NAMES:
            raise BadAnswer(f"the {what} has more than {MAX_NAMES} names", at=endpoint.name)
        following = next_page(endpoint, response, what)
        # A page that adds nothing ends it: who names itself as the next would never stop.
        if following is None or len(names) == known:
            return names
        request = request._replace(url=following)
    raise BadAnswer(f"the {what} has more than {MAX_PAGES} pages", at=endpoint.name)


def _page(response: Response, key: str, at: str) -> list[str]:
    document = strict_json.loads(response.data(), BadAnswer, at=at)
    if not isinstance(document, dict):
        raise BadAnswer("answered with something else than an object", at=at)
    found: Any = document.get(key)
    found = [] if found is None else found  # Go writes an empty list that nobody made as null
    if not isinstance(found, list) or not all(isinstance(name, str) for name in found):
        raise BadAnswer(f"answered with something else than {quoted(key)}", at=at)
    return found
