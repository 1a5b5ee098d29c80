"""Mirrors: who is asked before the registry, for what can be held against its digest, and for tags if that was said.

Lists of referrers, and the tags that stand for such lists, are asked of the registry itself: a mirror that has none must not
make a signed artifact look unsigned. Whatever a mirror answers but the content is no answer, and the next one is asked.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from typing import NamedTuple
from urllib.parse import quote

from nv2.errors import BadAnswer, ContentMismatch, Nv2Error, RemoteError
from nv2.oci.digest import check_digest, is_computable, parse_digest
from nv2.transport.interface import CONNECT_TIMEOUT, MAX_METADATA, Pending, Request, Response, Transport

_ABOUT_OTHERS = re.compile(r"[A-Za-z0-9_.-]{1,32}-[0-9a-fA-F]{32,64}(?:\.[A-Za-z0-9_.-]+)?", re.ASCII)
"""Tags that stand for a list of referrers, or for a signature of cosign's: they change, and say what is signed."""


class Mirror(NamedTuple):
    """A mirror: where its API is (`https://mirror.test/v2`), and what it may be asked."""

    root: str
    pulls: bool
    resolves: bool


class Mirrored:
    """A `Transport` that asks `mirrors` of `registry`, whose own API is at `root`, before the registry itself.

    `proxied` says that `root` is not the registry's own address, so that it must hear whom it stands for (`?ns=`).
    """

    def __init__(
        self,
        transport: Transport,
        registry: str,
        root: str,
        mirrors: Sequence[Mirror],
        note: Callable[[str], None],
        *,
        proxied: bool = False,
    ) -> None:
        self._transport = transport
        self._root = root
        self._mirrors = mirrors
        self._note = note
        self._ns = f"ns={quote(registry, safe=':[]')}"
        self._proxied = proxied

    def start(self, request: Request) -> Pending:
        """Begin `request` at the first who may be asked."""
        own = self._named(request) if self._proxied and request.method in ("GET", "HEAD") else request
        name = self._wanted(request)
        digest = name if name and ":" in name else None
        asked = [
            self._at(mirror, request)
            for mirror in self._mirrors
            if name and (mirror.pulls if digest else mirror.resolves)
        ]
        return (
            _Falling(self._transport, [*asked, own], digest, self._note)
            if asked
            else self._transport.start(own)
        )

    def _wanted(self, request: Request) -> str | None:
        """The tag or digest that is asked for whole, if mirrors may be asked for it."""
        if request.method != "GET" or not request.url.startswith(f"{self._root}/"):
            return None
        if any(header.lower() == "range" for header in request.headers):
            return None
        path = request.url[len(self._root) :].partition("?")[0]
        kind, name = path.split("/")[-2:]
        if ":" in name:
            return name if kind in ("manifests", "blobs") and is_computable(parse_digest(name)) else None
        return name if kind == "manifests" and not _ABOUT_OTHERS.fullmatch(name) else None

    def _at(self, mirror: Mirror, request: Request) -> Request:
        # Not persistent: there is somebody else to be asked.
        url = mirror.root + request.url[len(self._root) :]
        timeout = min(request.head_timeout or CONNECT_TIMEOUT, CONNECT_TIMEOUT)
        return self._named(request._replace(url=url, persistent=False, head_timeout=timeout))

    def _named(self, request: Request) -> Request:
        if self._ns in request.url.partition("?")[2].split("&"):
            return request
        return request._replace(url=f"{request.url}{'&' if '?' in request.url else '?'}{self._ns}")


class _Falling:
    """A request that goes from one to the next until somebody has the content; keeps the `Pending` protocol."""

    def __init__(
        self,
        transport: Transport,
        requests: Sequence[Request],
        digest: str | None,
        note: Callable[[str], None],
    ) -> None:
        self._transport = transport
        self._requests = requests
        self._digest = digest
        self._note = note
        self._first = _begun(transport, requests[0])

    def response(self) -> Response:
        """The content from the first mirror that has it, else whatever the registry answers."""
        pending: Pending | RemoteError = self._first
        for request, following in zip(self._requests, self._requests[1:], strict=False):
            try:
                if isinstance(pending, Nv2Error):
                    raise pending
                return self._content(pending.response())
            except (RemoteError, ContentMismatch) as e:
                self._note(f"mirror {request.place}: {e}; the next one is asked")
            pending = self._transport.start(following)
        if isinstance(pending, Nv2Error):
            raise pending
        return pending.response()

    def _content(self, response: Response) -> Response:
        """`response`, if it is the content. Small ones are held against the digest here; streams check themselves."""
        if response.status != 200:
            response.discard()
            raise BadAnswer(f"answered {response.status}", at=response.request.place)
        length = response.headers.get("content-length", "")
        if self._digest is None or not length.isdecimal() or int(length) > MAX_METADATA:
            return response
        data = response._replace(request=response.request._replace(limit=MAX_METADATA)).data()
        check_digest(data, parse_digest(self._digest))
        return response._replace(stream=io.BytesIO(data))


def _begun(transport: Transport, request: Request) -> Pending | RemoteError:
    try:
        return transport.start(request)
    except RemoteError as e:
        return e
