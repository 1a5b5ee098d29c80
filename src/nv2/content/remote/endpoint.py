"""One repository of one registry: its addresses, the requests to them, and what an error answer means."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import quote

from nv2 import strict_json
from nv2.errors import BadAnswer, NotFound, Nv2Error, Refused
from nv2.oci import media_types as mt
from nv2.oci.descriptor import Descriptor
from nv2.oci.digest import Digest
from nv2.oci.manifest import is_manifest
from nv2.oci.reference import api_host, api_repository
from nv2.plain_text import one_line
from nv2.transport.failures import Cut
from nv2.transport.interface import NO_HEADERS, Pending, Request, Response, Transport, send
from nv2.transport.urls import check_reach, origin_of, resolve_url

if TYPE_CHECKING:
    from nv2.transport.refusals import Refusal

MAX_ERROR_DOCUMENT = 64 * 1024
"""Bytes of an error answer that are looked at for its message."""

MAX_MESSAGE = 300
"""Characters of a registry's message that are repeated."""

ACCEPT_MANIFESTS = {"Accept": ", ".join(mt.MANIFESTS)}

NOT_THERE = "is the name right, and was it pushed?"
"""The hint where a registry answers 404."""

BROKEN = "the registry, or a proxy before it, does not work just now; its own log says why"
"""The hint where a registry answers with 5xx."""

_LINK = re.compile(r'<([^<>]{1,8192})>\s*;[^,<]*\brel\s*=\s*"?next"?', re.ASCII | re.IGNORECASE)

NO_REGISTRY = "are host and port right? A registry answers at /v2/ of its host"


class Endpoint:
    """The repository `repository` at `registry` (`host[:port]`).

    `push` says that this run is going to write, so that one token is asked for all of it. `name` is what was
    written, for messages and records; `repository` is what the registry calls it. `base` is where the API is, if not where
    the name leads.
    """

    def __init__(
        self,
        registry: str,
        repository: str,
        transport: Transport,
        *,
        plain_http: bool,
        push: bool = False,
        base: str | None = None,
    ) -> None:
        self.registry = registry
        self.repository = api_repository(registry, repository)
        self.name = f"{registry}/{repository}"
        self._base = base or base_url(registry, plain_http=plain_http)
        self._transport = transport
        self._push = push

    def url(self, path: str) -> str:
        """The address of `path` in this repository."""
        return f"{self._base}/v2/{self.repository}/{path}"

    def request(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] = NO_HEADERS,
        *,
        body: Callable[[], BinaryIO] | None = None,
        body_size: int = 0,
        **more: Any,
    ) -> Request:
        """A request for `path`, with the scopes that it needs; `more` are further fields of `Request`."""
        scopes = (self.scope(method not in ("GET", "HEAD")), *more.pop("scopes", ()))
        return Request(method, self.url(path), headers, body, body_size, scopes=scopes, **more)

    def content_request(self, descriptor: Descriptor, method: str = "GET", **more: Any) -> Request:
        """A request for a blob or (by media type) a manifest."""
        manifest = is_manifest(descriptor.media_type)
        headers = {"Accept": descriptor.media_type if manifest else "*/*"}
        path = f"{'manifests' if manifest else 'blobs'}/{descriptor.digest}"
        return self.request(method, path, headers, **more)

    def scope(self, writes: bool) -> str:
        """What a token must allow to read, or to write, here."""
        return f"repository:{self.repository}:{'pull,push' if writes or self._push else 'pull'}"

    def start(self, request: Request) -> Pending:
        """Begin `request` and return at once."""
        return self._transport.start(request)

    def send(self, request: Request) -> Response:
        """Send `request` and wait."""
        return send(self._transport, request)

    def send_to(self, url: str, request: Request) -> Response:
        """Send `request` to the `url` that the registry named: anonymously if that is another origin.

        Raises `BadAnswer` if it leads from https to http, or to an address that nobody must be sent to.
        """
        start, goal = origin_of(self._base), origin_of(url)
        if goal != start:
            check_reach(start, goal)
        return self.send(request._replace(url=url, anonymous=goal != start, led=goal != start))

    def read(self, pending: Pending, request: Request, what: str) -> tuple[Response, bytes]:
        """The answer with status 200 and its bytes; asked once more if the connection breaks meanwhile."""
        response = pending.response()
        if response.status != 200:
            raise self.failure(response, what)
        try:
            return response, response.data()
        except Cut:
            response = self.send(request)
            if response.status != 200:
                raise self.failure(response, what) from None
            return response, response.data()

    def failure(self, response: Response, what: str) -> Nv2Error:
        """The error that `response` is; `what` was asked for, as "tag v1"."""
        codes, text = read_errors(response)
        status, more = response.status, f": {text}" if text else ""
        if status in (401, 403):
            how, hint = _explain(response, self._base, self.registry)
            return Refused(f"access to {what} was refused {how}{more}", at=self.name, hint=hint)
        if status == 404 and "NAME_UNKNOWN" in codes:
            return NotFound(f"no such repository, so no {what}", at=self.name, hint=NOT_THERE)
        if status == 404:
            return NotFound(f"no such {what}", at=self.name, hint=NOT_THERE)
        later = "the registry limits how much it is asked; try again later" if status == 429 else None
        later = BROKEN if status >= 500 else later
        method = response.request.method
        return BadAnswer(f"answered {status} to {method} of {what}{more}", at=self.name, hint=later)


def look_for(endpoint: Endpoint, descriptor: Descriptor) -> Callable[[], bool]:
    """Ask whether the repository has the content, without a transfer; calling the result waits."""
    pending = endpoint.start(endpoint.content_request(descriptor, "HEAD"))

    def there() -> bool:
        response = pending.response()
        if response.status not in (200, 404):
            raise endpoint.failure(response, content_name(descriptor))
        response.discard()
        return response.status == 200

    return there


def next_page(endpoint: Endpoint, response: Response, what: str) -> str | None:
    """The address of the next page of the list `what` (RFC 8288), None at its end.

    Raises `BadAnswer` if it is not at the registry's own origin.
    """
    link = _LINK.search(response.headers.get("link", ""))
    if link is None:
        return None
    url = resolve_url(response.url, link[1])
    if origin_of(url) != origin_of(endpoint.url("")):
        raise BadAnswer(f"the next page of the {what} is at {origin_of(url).place}", at=endpoint.name)
    return url


def location_of(opened: Response) -> str:
    """Where an upload goes on: the Location, resolved. Raises `BadAnswer` if there is none."""
    location = opened.headers.get("location")
    if not location:
        raise BadAnswer("opened an upload without saying where (no Location)", at=opened.request.place)
    return resolve_url(opened.url, location)


def completed(url: str, digest: Digest) -> str:
    """Where to PUT: the Location, whose own query is kept, with the digest."""
    return f"{url}{'&' if '?' in url else '?'}digest={quote(digest, safe=':')}"


def content_name(descriptor: Descriptor) -> str:
    """What messages call the content."""
    return f"{'manifest' if is_manifest(descriptor.media_type) else 'blob'} {descriptor.digest}"


def base_url(registry: str, *, plain_http: bool) -> str:
    """Scheme and host of the API of `registry`."""
    return f"{'http' if plain_http else 'https'}://{api_host(registry)}"


def ping(registry: str, transport: Transport, *, plain_http: bool) -> bool:
    """Ask whether `registry` is one and lets us in (distribution-spec, "Determining Support").

    Returns whether it asked for credentials: if not, they were not checked. Raises `Refused`, `Unreachable`, `BadAnswer`.
    """
    base = base_url(registry, plain_http=plain_http)
    response = send(transport, Request("GET", f"{base}/v2/"))
    if response.status == 200:
        # Registries answer `{}`, nothing, or "true", as whatever media type; a page begins like a page.
        if response.data().lstrip()[:1] == b"<":
            raise BadAnswer("is no registry: it answered /v2/ with a page", at=registry, hint=NO_REGISTRY)
        return "Authorization" in response.request.headers
    _, text = read_errors(response)
    if response.status in (401, 403):
        more = f": {text}" if text else ""
        how, hint = _explain(response, base, registry)
        raise Refused(f"the login was refused {how}{more}", at=registry, hint=hint)
    if response.status >= 500:
        raise BadAnswer(f"answered {response.status} to /v2/", at=registry, hint=BROKEN)
    raise BadAnswer(f"is no registry: it answered {response.status} to /v2/", at=registry, hint=NO_REGISTRY)


def _explain(response: Response, base: str, registry: str) -> Refusal:
    from nv2.transport.refusals import explain  # only those who are refused need it

    return explain(response, origin_of(base), registry)


def read_errors(response: Response) -> tuple[frozenset[str], str]:
    """Codes and a line of text from an error document (distribution-spec, "Error Codes"); closes the answer."""
    with response.stream as stream:
        data = stream.read(MAX_ERROR_DOCUMENT)
    try:
        document = strict_json.loads(data, BadAnswer) if data[:1] == b"{" else {}
    except BadAnswer:
        document = {}
    errors = [item for item in _list(document, "errors") if isinstance(item, dict)]
    codes = frozenset(item["code"] for item in errors if isinstance(item.get("code"), str))
    return codes, one_line("; ".join(_line(item) for item in errors), MAX_MESSAGE)


def _list(document: Any, key: str) -> Iterable[Any]:
    found = document.get(key) if isinstance(document, dict) else None
    return found if isinstance(found, list) else ()


def _line(item: Mapping[str, Any]) -> str:
    return ": ".join(str(item[key]) for key in ("code", "message") if isinstance(item.get(key), str))
