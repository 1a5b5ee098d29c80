"""Mirrors: who is asked before the registry, for what can be held against its digest, and for tags if that was said.

Lists of referrers, and the tags that stand for such lists, are asked of the registry itself: a mirror that has none must not
make a signed artifact look unsigned. Whatever a mirror answers but the content is no answer, and the next one is asked; who
gave other bytes, or cannot be reached, is not asked again in this run.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import BinaryIO, NamedTuple
from urllib.parse import quote

from nv2.content.checked_stream import CheckedStream
from nv2.content.remote.manifest_answers import describe_answer
from nv2.errors import ArtifactError, BadAnswer, ContentMismatch, Nv2Error, RemoteError, Unreachable
from nv2.oci import media_types as mt
from nv2.oci.descriptor import Descriptor
from nv2.oci.digest import Digest, check_digest, is_computable, parse_digest
from nv2.transport.failures import Cut
from nv2.transport.interface import CONNECT_TIMEOUT, MAX_METADATA, Pending, Request, Response, Transport

_ABOUT_OTHERS = re.compile(r"[A-Za-z0-9_.-]{1,32}-[0-9a-fA-F]{32,64}(?:\.[A-Za-z0-9_.-]+)?", re.ASCII)
"""Tags that stand for a list of referrers, or for a signature of cosign's: they change, and say what is signed."""


class Mirror(NamedTuple):
    """A mirror: where its API is (`https://mirror.test/v2`), and what it may be asked."""

    root: str
    pulls: bool
    resolves: bool


class _Wanted(NamedTuple):
    """What is asked for whole: a manifest or a blob, by digest or, if that is None, by tag."""

    is_manifest: bool
    digest: Digest | None


class _Question(NamedTuple):
    """A request to one of those who are asked; `mirror` is None for the registry itself."""

    request: Request
    mirror: Mirror | None = None


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
        self._given_up: set[Mirror] = set()

    def start(self, request: Request) -> Pending:
        """Begin `request` at the first who may be asked."""
        own = self._named(request) if self._stands_for_another(request) else request
        wanted = self._wanted(request)
        asked = [
            _Question(self._at(mirror, request), mirror)
            for mirror in self._mirrors
            if wanted
            and (mirror.pulls if wanted.digest else mirror.resolves)
            and mirror not in self._given_up
        ]
        if wanted is None or not asked:
            return self._transport.start(own)
        return _Falling(self._transport, [*asked, _Question(own)], wanted, self._give_up, self._note)

    def _stands_for_another(self, request: Request) -> bool:
        return (
            self._proxied and request.method in ("GET", "HEAD") and request.url.startswith(f"{self._root}/")
        )

    def _give_up(self, mirror: Mirror) -> None:
        self._given_up.add(mirror)

    def _wanted(self, request: Request) -> _Wanted | None:
        """The tag or digest that is asked for whole, if mirrors may be asked for it."""
        if request.method != "GET" or not request.url.startswith(f"{self._root}/"):
            return None
        if any(header.lower() == "range" for header in request.headers):
            return None
        path = request.url[len(self._root) :].partition("?")[0]
        kind, name = path.split("/")[-2:]
        if kind not in ("manifests", "blobs"):
            return None
        if ":" in name:
            digest = parse_digest(name)
            return _Wanted(kind == "manifests", digest) if is_computable(digest) else None
        return _Wanted(True, None) if kind == "manifests" and not _ABOUT_OTHERS.fullmatch(name) else None

    def _at(self, mirror: Mirror, request: Request) -> Request:
        # Not persistent, and not with all the time that there is: there is somebody else to be asked.
        url = mirror.root + request.url[len(self._root) :]
        patience = min(request.head_timeout or CONNECT_TIMEOUT, CONNECT_TIMEOUT)
        total = request.total_timeout
        if total and request.limit <= MAX_METADATA:
            total /= 2
        changed = request._replace(url=url, persistent=False, head_timeout=patience, total_timeout=total)
        return self._named(changed)

    def _named(self, request: Request) -> Request:
        if self._ns in request.url.partition("?")[2].split("&"):
            return request
        return request._replace(url=f"{request.url}{'&' if '?' in request.url else '?'}{self._ns}")


class _Falling:
    """A request that goes from one to the next until somebody has the content; keeps the `Pending` protocol."""

    def __init__(
        self,
        transport: Transport,
        questions: Sequence[_Question],
        wanted: _Wanted,
        give_up: Callable[[Mirror], None],
        note: Callable[[str], None],
    ) -> None:
        self._transport = transport
        self._questions = questions
        self._wanted = wanted
        self._give_up = give_up
        self._note = note
        self._first = _begun(transport, questions[0].request)

    def response(self) -> Response:
        """The content from the first mirror that has it, else whatever the registry answers."""
        pending: Pending | RemoteError = self._first
        for (request, mirror), (following, _) in zip(self._questions, self._questions[1:], strict=False):
            try:
                if isinstance(pending, Nv2Error):
                    raise pending
                return self._content(pending.response(), mirror)
            except (RemoteError, ArtifactError) as e:
                self._note(f"mirror {request.place}: {e}; the next one is asked")
                lost = isinstance(e, Unreachable) and not isinstance(e, Cut)
                if mirror and (lost or isinstance(e, ContentMismatch)):
                    self._give_up(mirror)
            pending = _begun(self._transport, following)
        if isinstance(pending, Nv2Error):
            raise pending
        return pending.response()

    def _content(self, response: Response, mirror: Mirror | None) -> Response:
        """`response`, if it is the content. What is large is held against the digest by who reads it."""
        request, digest = response.request, self._wanted.digest
        if response.status != 200:
            response.discard()
            raise BadAnswer(f"answered {response.status}", at=request.place)
        if digest and not self._wanted.is_manifest and request.limit > MAX_METADATA:
            return response._replace(stream=_Copy(response.stream, digest, request.limit, self._fail(mirror)))
        data = response.data()
        if self._wanted.is_manifest:
            describe_answer(response, data, digest, request.place)
        elif digest:
            check_digest(data, digest)
        return response._replace(stream=io.BytesIO(data))

    def _fail(self, mirror: Mirror | None) -> Callable[[], None]:
        return partial(self._give_up, mirror) if mirror else lambda: None


class _Copy(CheckedStream):
    """A mirror's copy of a large blob. If it is wrong, `fail` is called, and the error says that others may be asked."""

    def __init__(self, source: BinaryIO, digest: Digest, size: int, fail: Callable[[], None]) -> None:
        super().__init__(source, Descriptor(mt.OCTET_STREAM, digest, size))
        self._fail = fail

    def seekable(self) -> bool:
        """Never: what comes over the wire comes once."""
        return False

    def _mismatch(self, message: str) -> ContentMismatch:
        self._fail()
        error = super()._mismatch(message)
        error.again = True
        return error


def _begun(transport: Transport, request: Request) -> Pending | RemoteError:
    try:
        return transport.start(request)
    except RemoteError as e:
        return e
