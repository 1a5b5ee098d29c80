"""Uploading blobs (distribution-spec, "Pushing blobs"): POST then PUT, and mounts."""

from __future__ import annotations

from urllib.parse import quote

from nv2.content.interface import Opener
from nv2.content.remote.endpoint import Endpoint
from nv2.errors import BadAnswer
from nv2.oci import media_types as mt
from nv2.oci.descriptor import Descriptor
from nv2.oci.digest import Digest
from nv2.transport.interface import MAX_METADATA, TOTAL_TIMEOUT, Request, Response


class Uploads:
    """The uploads to one repository."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._opened: dict[Digest, Response] = {}
        """Uploads that a registry opened instead of mounting: the next push of the digest continues them."""

    def push(self, descriptor: Descriptor, source: Opener) -> None:
        """Upload a blob in one piece. Raises `Refused`, `BadAnswer`, and what reading `source` raises."""
        what = f"blob {descriptor.digest}"
        opened = self._opened.pop(descriptor.digest, None) or self._open(what)
        request = Request(
            "PUT",
            opened.url,
            {"Content-Type": mt.OCTET_STREAM},
            source,
            descriptor.size,
            total_timeout=TOTAL_TIMEOUT if descriptor.size <= MAX_METADATA else None,
            scopes=(self._endpoint.scope(writes=True),),
        )
        response = self._endpoint.send_to(_completed(opened, descriptor.digest), opened, request)
        if response.status not in (201, 204):
            raise self._endpoint.failure(response, what)
        response.discard()

    def _open(self, what: str) -> Response:
        response = self._endpoint.send(self._endpoint.request("POST", "blobs/uploads/"))
        if response.status != 202:
            raise self._endpoint.failure(response, what)
        response.discard()
        return response

    def mount(self, descriptor: Descriptor, repository: str) -> bool:
        """Whether the registry took the blob over from its `repository`. A refusal is no error: upload it then."""
        path = f"blobs/uploads/?mount={quote(descriptor.digest, safe=':')}&from={quote(repository)}"
        scopes = (f"repository:{repository}:pull",)
        response = self._endpoint.send(self._endpoint.request("POST", path, scopes=scopes))
        response.discard()
        if response.status == 202:
            self._opened[descriptor.digest] = response
        return response.status == 201


def _completed(opened: Response, digest: Digest) -> str:
    """Where to PUT: the Location, whose own query is kept, with the digest."""
    location = opened.headers.get("location")
    if not location:
        raise BadAnswer("opened an upload without saying where (no Location)", at=opened.request.place)
    return f"{location}{'&' if '?' in location else '?'}digest={quote(digest, safe=':')}"
