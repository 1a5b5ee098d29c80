"""Uploading blobs (distribution-spec, "Pushing blobs"): POST then PUT, and mounts. Large ones go by `pieces`."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import quote

from nv2.content.interface import Opener
from nv2.content.remote.endpoint import Endpoint, completed, location_of
from nv2.errors import Refused
from nv2.oci import media_types as mt
from nv2.oci.descriptor import Descriptor
from nv2.oci.digest import Digest
from nv2.transport.interface import MAX_METADATA, TOTAL_TIMEOUT, Request, Response

if TYPE_CHECKING:
    from nv2.content.remote.pieces import UploadNotes

WHOLE = 64 * 1024 * 1024
"""Bytes of a blob that is sent in one piece at most: if that breaks, it begins again."""


class Uploads:
    """The uploads to one repository. `notes` remember those of large blobs for another run."""

    def __init__(
        self,
        endpoint: Endpoint,
        sleep: Callable[[float], object] = time.sleep,
        notes: UploadNotes | None = None,
    ) -> None:
        self._endpoint = endpoint
        self._sleep = sleep
        self._notes = notes
        self._opened: dict[Digest, Response] = {}
        """Uploads that a registry opened instead of mounting: the next push of the digest continues them."""
        self._unmountable: set[str] = set()
        """Repositories that we may not read by mounting: they are not tried again."""

    def push(self, descriptor: Descriptor, source: Opener) -> None:
        """Upload a blob. Raises `Refused`, `BadAnswer`, and what reading `source` raises."""
        opened = self._opened.pop(descriptor.digest, None)
        if descriptor.size > WHOLE:
            from nv2.content.remote.pieces import Pieces  # signatures are small

            pieces = Pieces(self._endpoint, descriptor, source, self._sleep, self._notes)
            if pieces.push(opened or pieces.resumed() or self._open(descriptor)):
                return
            opened = None
        if opened:
            self._put(descriptor, source, opened)
            return
        pending = self._endpoint.start(self._opening())
        with closing(_Ahead(source)) as ahead:  # the source is asked while the upload is opened
            self._put(descriptor, ahead.open, self._check_opened(pending.response(), descriptor))

    def _put(self, descriptor: Descriptor, source: Opener, opened: Response) -> None:
        request = Request(
            "PUT",
            opened.url,
            {"Content-Type": mt.OCTET_STREAM},
            source,
            descriptor.size,
            total_timeout=TOTAL_TIMEOUT if descriptor.size <= MAX_METADATA else None,
            scopes=(self._endpoint.scope(writes=True),),
        )
        url = completed(location_of(opened), descriptor.digest)
        response = self._endpoint.send_to(url, request)
        if response.status not in (201, 204):
            raise self._endpoint.failure(response, f"blob {descriptor.digest}")
        response.discard()

    def _opening(self) -> Request:
        return self._endpoint.request("POST", "blobs/uploads/")

    def _open(self, descriptor: Descriptor) -> Response:
        return self._check_opened(self._endpoint.send(self._opening()), descriptor)

    def _check_opened(self, response: Response, descriptor: Descriptor) -> Response:
        if response.status != 202:
            raise self._endpoint.failure(response, f"blob {descriptor.digest}")
        response.discard()
        return response

    def mount(self, descriptor: Descriptor, repository: str) -> bool:
        """Whether the registry took the blob over from its `repository`. A refusal is no error: upload it then."""
        if repository in self._unmountable:
            return False
        path = f"blobs/uploads/?mount={quote(descriptor.digest, safe=':')}&from={quote(repository)}"
        scopes = (f"repository:{repository}:pull",)
        try:
            response = self._endpoint.send(self._endpoint.request("POST", path, scopes=scopes))
        except Refused:  # no token for both repositories
            self._unmountable.add(repository)
            return False
        response.discard()
        if response.status in (401, 403):
            self._unmountable.add(repository)
        if response.status == 202:
            self._opened[descriptor.digest] = response
        return response.status == 201


class _Ahead:
    """A source that is open before anybody asks for its bytes; opened again, it begins anew."""

    def __init__(self, source: Opener) -> None:
        self._source = source
        self._stream: BinaryIO | None = source()

    def open(self) -> BinaryIO:
        """See `Opener`."""
        stream, self._stream = self._stream, None
        return stream or self._source()

    def close(self) -> None:
        """Close what nobody asked for."""
        if self._stream:
            self._stream.close()
