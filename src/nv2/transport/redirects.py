"""Redirects (RFC 9110 15.4): where a request goes next, and what it must leave behind."""

from __future__ import annotations

from nv2.transport.interface import Request, Response
from nv2.transport.urls import check_reach, origin_of, resolve_url

MAX_REDIRECTS = 5
"""Steps: a registry, its storage, and a content network are two."""

_SAFE = ("GET", "HEAD")
_KEEP_METHOD = (307, 308)
_STATUSES = (301, 302, 303, *_KEEP_METHOD)

_BOUND_TO_ORIGIN = ("authorization", "cookie", "proxy-authorization")


def next_request(request: Request, response: Response) -> Request | None:
    """The request that `response` asks for instead, or None if it is the answer.

    Authorization stays behind when scheme, host or port change. A POST, whose body may hold a secret,
    never goes to another origin; nor does anything go from a public address to a link-local one.
    Raises `BadAnswer` for an address that must not be followed.
    """
    location = response.headers.get("location")
    if response.status not in _STATUSES or location is None:
        return None
    if request.method not in _SAFE and response.status not in _KEEP_METHOD:
        return None
    url = resolve_url(request.url, location)
    start, goal = origin_of(request.url), origin_of(url)
    if start == goal:
        return request._replace(url=url)
    if request.method not in (*_SAFE, "PUT"):
        return None
    check_reach(start, goal)
    headers = {k: v for k, v in request.headers.items() if k.lower() not in _BOUND_TO_ORIGIN}
    return request._replace(url=url, headers=headers, led=True)
