"""Where an upload goes on: the Location that a registry answers with (distribution-spec, "Pushing blobs")."""

from __future__ import annotations

from urllib.parse import quote

from nv2.errors import BadAnswer
from nv2.oci.digest import Digest
from nv2.transport.interface import Response
from nv2.transport.urls import resolve_url


def location_of(opened: Response) -> str:
    """Where an upload goes on: the Location, resolved. Raises `BadAnswer` if there is none."""
    location = opened.headers.get("location")
    if not location:
        raise BadAnswer("opened an upload without saying where (no Location)", at=opened.request.place)
    return resolve_url(opened.url, location)


def completed(url: str, digest: Digest) -> str:
    """Where to PUT: the Location, whose own query is kept, with the digest."""
    return f"{url}{'&' if '?' in url else '?'}digest={quote(digest, safe=':')}"
