"""An OCI registry in memory, as a function `Request -> Response`, that can misbehave on command.

    registry = Registry(referrers_api=False)
    transport = FunctionTransport(registry)         # http://registry.test/v2/…
    registry.fail("GET", "/manifests/", status=503)  # the next such request only

`Registry.requests` is the log. What it does not do: TLS, redirects, time.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit

from nv2.errors import Nv2Error
from nv2.transport.interface import Request, Response
from tests.world.endpoints import HANDLERS, Call, Repository
from tests.world.logins import Login
from tests.world.network import FunctionTransport, answer, answer_json, error

__all__ = ["QUIRKS", "FunctionTransport", "Registry", "Repository"]

QUIRKS = {
    "absolute_location": "the upload's Location is a whole URL",
    "cross_host_location": "the upload's Location is at uploads.test",
    "downgraded_location": "the upload's Location is plain HTTP though the registry is not",
    "no_digest_header": "manifests come without Docker-Content-Digest",
    "wrong_digest_header": "manifests come with the Docker-Content-Digest of something else",
    "exact_accept": "a manifest is 404 unless Accept names its type (Distribution 2.8)",
    "json_referrers": "referrers come as application/json (Harbor before 2.11)",
    "false_200": "an unsupported referrers API answers 200 and a page of HTML",
    "referrers_405": "an unsupported referrers API answers 405",
    "subject_without_api": "OCI-Subject on push though there is no referrers API (ECR in 2024)",
    "alias_tag": "the tag sha256-HEX means the digest sha256:HEX (GitLab)",
    "no_artifact_type": "referrers come without artifactType (ACR)",
    "empty_artifact_type": "referrers come with the empty type as artifactType",
    "ignores_filter": "referrers come unfiltered",
    "link_cross_origin": "the next page of referrers is at another host",
    "link_for_ever": "each page of referrers names itself as the next",
    "checks_blobs": "a manifest whose config or layers are missing is refused (Distribution)",
    "etag": "manifests have an ETag; If-Match and If-None-Match are honoured",
    "etag_ignored": "manifests have an ETag, but conditions are ignored (Distribution)",
    "no_delete": "nothing can be deleted",
    "no_ranges": "a blob comes whole, whatever part of it was asked for",
    "no_pieces": "a blob cannot be sent in pieces",
    "stale_pieces": "a piece is added to what is there, whatever place it is for (Distribution 2.8)",
    "piece_201": "a piece is answered with 201 (ECR)",
    "stuck_range": "the Range of an upload stays where the first piece ended; asking how far it is: 404 (ECR)",
    "lost_end": "the end of an upload in pieces is 404 though the blob is there",
    "long_pieces": "pieces must have 5000 bytes at least",
    "no_mount": "a mount opens an upload instead",
    "forgets_fallback": "a fallback tag is accepted and not kept",
    "displaces": "of a fallback tag only the entries are kept that the last writer added: a rival who had not seen the others",
}


class _Rule(NamedTuple):
    method: str
    part: str
    act: Callable[[Request], Response | None]


_PATH = re.compile(r"/v2/(.+)/(manifests|blobs/uploads|blobs|tags|referrers)/([^/]*)")


class Registry:
    """The registry at `host`. `quirks` are names of `QUIRKS`; `login` asks for credentials."""

    def __init__(
        self,
        host: str = "registry.test",
        *,
        referrers_api: bool = True,
        login: Login | None = None,
        quirks: set[str] | frozenset[str] = frozenset(),
        page_size: int = 0,
    ) -> None:
        unknown = set(quirks) - set(QUIRKS)
        assert not unknown, f"unknown quirks {unknown}"
        self.host = host
        self.referrers_api = referrers_api
        self.login = login
        self.quirks = set(quirks)
        self.page_size = page_size
        self.repositories: dict[str, Repository] = {}
        self.first_ends: dict[str, int] = {}
        """Where the first piece of an upload ended, by the upload's address."""
        self.requests: list[Request] = []
        self._rules: list[_Rule] = []
        self.lock = threading.RLock()
        """Held while a request is answered."""

    def repository(self, name: str) -> Repository:
        """The repository `name`, made if it is not there."""
        return self.repositories.setdefault(name, Repository())

    def asked(self, method: str, part: str = "") -> list[Request]:
        """The requests so far with `method` and `part` in their address."""
        return [r for r in self.requests if r.method == method and part in r.url]

    def fail(
        self,
        method: str,
        part: str,
        *,
        status: int = 500,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        error: Nv2Error | None = None,
        times: int = 1,
    ) -> None:
        """Let the next `times` requests with `method` and `part` in their address get this instead."""

        def act(request: Request) -> Response:
            if error:
                raise error
            return answer(request, status, body, headers)

        self._rules.extend([_Rule(method, part, act)] * times)

    def before(self, method: str, part: str, action: Callable[[], None]) -> None:
        """Run `action` before the next request with `method` and `part` is answered: a rival, for example."""

        def act(request: Request) -> None:
            action()

        self._rules.append(_Rule(method, part, act))

    def __call__(self, request: Request) -> Response:
        with self.lock:
            self.requests.append(request)
            rule = next(
                (r for r in self._rules if r.method == request.method and r.part in request.url), None
            )
            if rule:
                self._rules.remove(rule)
                if found := rule.act(request):
                    return found
            return self._route(request)

    def _route(self, request: Request) -> Response:
        parts = urlsplit(request.url)
        refusal = self.login.refusal(request) if self.login and parts.netloc == self.host else None
        if refusal:
            return refusal
        if parts.path == "/v2/":
            return answer_json(request, 200, {})
        if parts.path == "/v2/_catalog":
            return answer_json(request, 200, {"repositories": sorted(self.repositories)})
        found = _PATH.fullmatch(parts.path)
        if not found:
            return answer(request, 404, b"404 page not found\n", {"Content-Type": "text/plain"})
        name, kind, target = found.groups()
        if name not in self.repositories:
            if request.method in ("GET", "HEAD") and not (kind == "referrers" and self.referrers_api):
                return error(request, 404, "NAME_UNKNOWN")
            self.repository(name)
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        call = Call(request, self.repository(name), name, target, query)
        return HANDLERS[kind](self, call)
