"""What the registry answers to: the table of its endpoints (distribution-spec, "Endpoints").

A name may contain slashes and even words such as `blobs`, so patterns are read from the end of the path.
"""

from __future__ import annotations

import errno
import re
import sqlite3
from collections.abc import Callable, Mapping

from nv2.server.messages import Answer, Call
from nv2.server.registry import blobs, listings, manifests, upload_routes
from nv2.server.registry.errors import Refusal
from nv2.server.registry.request_names import Target, check_repository
from nv2.server.registry.storage import Storage

MAX_PATH = 1024
"""Characters of a path: the longest name, word and digest have 600 together."""

COMMON_HEADERS = {"Docker-Distribution-Api-Version": "registry/2.0", "X-Content-Type-Options": "nosniff"}
"""The first is what old clients know a registry by; the second keeps browsers from running what is stored."""

Endpoint = Callable[[Storage, Call, Target], Answer]

_REPOSITORY = r"/v2/(?P<repository>.+)"
_LAST = r"(?P<name>[^/]+)"


def _ping(_storage: Storage, _call: Call, _target: Target) -> Answer:
    return Answer(200, {"Content-Type": "application/json"}, b"{}")


ROUTES: tuple[tuple[re.Pattern[str], Mapping[str, Endpoint]], ...] = tuple(
    (re.compile(pattern, re.DOTALL), endpoints)
    for pattern, endpoints in (
        ("/v2/?", {"GET": _ping}),
        ("/v2/_catalog", {"GET": listings.repositories}),
        (f"{_REPOSITORY}/blobs/uploads/?", {"POST": upload_routes.begin}),
        (
            f"{_REPOSITORY}/blobs/uploads/{_LAST}",
            {
                "GET": upload_routes.status,
                "PATCH": upload_routes.add,
                "PUT": upload_routes.finish,
                "DELETE": upload_routes.cancel,
            },
        ),
        (f"{_REPOSITORY}/blobs/{_LAST}", {"GET": blobs.get, "DELETE": blobs.delete}),
        (
            f"{_REPOSITORY}/manifests/{_LAST}",
            {"GET": manifests.get, "PUT": manifests.put, "DELETE": manifests.delete},
        ),
        (f"{_REPOSITORY}/tags/list", {"GET": listings.tags}),
        (f"{_REPOSITORY}/_nv2/tags/history", {"GET": listings.history}),
        (f"{_REPOSITORY}/referrers/{_LAST}", {"GET": listings.referrers}),
    )
)
"""Path and methods; HEAD is GET without the body."""


def respond(storage: Storage, call: Call, warn: Callable[[str], None]) -> Answer:
    """The answer to `call`; a refusal is one too, and so is a failure of the machine, which `warn` is told."""
    try:
        endpoint, target = _route(call)
        answer = endpoint(storage, call, target)
    except Refusal as e:
        answer = e.answer
    except (OSError, sqlite3.Error) as e:
        warn(f"{call.method} failed: {type(e).__name__}: {str(e)!a}")
        answer = _failure(e).answer
    return answer._replace(headers={**COMMON_HEADERS, **answer.headers})


def place_of(path: str) -> Mapping[str, str] | None:
    """The `repository` and `name` in `path` as an endpoint would read them, empty if it has none; None: no endpoint."""
    found = (pattern.fullmatch(path) for pattern, _ in ROUTES)
    return next((place.groupdict() for place in found if place), None)


def refuse(status: int, reason: str) -> Answer:
    """The answer to what is no valid request at all."""
    return Refusal(status, "UNSUPPORTED", reason).answer


def _route(call: Call) -> tuple[Endpoint, Target]:
    if len(call.path) > MAX_PATH:
        raise Refusal(414, "NAME_INVALID", f"a path has at most {MAX_PATH} characters")
    if "origin" in call.headers and call.method not in ("GET", "HEAD"):
        raise Refusal(403, "DENIED", "web pages may not write to this registry")
    for pattern, endpoints in ROUTES:
        if found := pattern.fullmatch(call.path):
            return _endpoint(endpoints, call.method), _target(found.groupdict())
    raise Refusal(404, "UNSUPPORTED", "there is no such endpoint")


def _endpoint(endpoints: Mapping[str, Endpoint], method: str) -> Endpoint:
    found = endpoints.get("GET" if method == "HEAD" else method)
    if found is None:
        raise Refusal(
            405, "UNSUPPORTED", f"{method} is not possible here", headers={"Allow": ", ".join(endpoints)}
        )
    return found


def _target(groups: Mapping[str, str]) -> Target:
    return Target(check_repository(groups["repository"]), groups.get("name", "")) if groups else Target()


def _failure(error: OSError | sqlite3.Error) -> Refusal:
    full = (
        error.errno in (errno.ENOSPC, errno.EDQUOT)
        if isinstance(error, OSError)
        else getattr(error, "sqlite_errorname", "") == "SQLITE_FULL"
    )
    if full:
        return Refusal(507, "DENIED", "the disk of the registry is full")
    return Refusal(500, "UNSUPPORTED", "the registry failed; its log says why")
