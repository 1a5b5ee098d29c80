"""The logins a registry in memory may ask for: basic, or bearer with a token server of its own."""

from __future__ import annotations

import base64
from typing import NamedTuple, Protocol
from urllib.parse import parse_qs, urlsplit

from nv2.transport.interface import Request, Response
from tests.world.network import answer_json, error

PASSWORD = "wonderland"


class Login(Protocol):
    def refusal(self, request: Request) -> Response | None:
        """The 401 or 403 for `request`, or None if it may pass."""


def _sent(request: Request) -> str:
    return next((v for k, v in request.headers.items() if k.lower() == "authorization"), "")


def basic(username: str, password: str) -> str:
    """The value of an Authorization header."""
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


def _challenged(request: Request, challenge: str) -> Response:
    response = error(request, 401, "UNAUTHORIZED", "authentication required")
    return response._replace(headers={**response.headers, "www-authenticate": challenge})


class BasicLogin(NamedTuple):
    """User name and password with every request."""

    username: str = "alice"
    password: str = PASSWORD

    def refusal(self, request: Request) -> Response | None:
        if _sent(request) == basic(self.username, self.password):
            return None
        return _challenged(request, 'Basic realm="registry"')


class BearerLogin:
    """Tokens for scopes. The object itself answers at `realm`: `FunctionTransport({"auth.test": login, …})`.

    `public` scopes need no credentials. `tokens` maps each token to the scopes it was issued for.
    """

    def __init__(
        self,
        username: str = "alice",
        password: str = PASSWORD,
        *,
        realm: str = "http://auth.test/token",
        identity_token: str = "",
        public: bool = False,
        field: str = "token",
    ) -> None:
        self.username, self.password = username, password
        self.realm = realm
        self.identity_token = identity_token
        self.public = public
        self.field = field
        self.tokens: dict[str, set[str]] = {}
        self.requests: list[Request] = []

    def refusal(self, request: Request) -> Response | None:
        needed = _needed_scope(request)
        kind, _, token = _sent(request).partition(" ")
        if kind == "Bearer" and token in self.tokens and _covers(self.tokens[token], needed):
            return None
        scope = f',scope="{needed}"' if needed else ""
        return _challenged(request, f'Bearer realm="{self.realm}",service="registry.test"{scope}')

    def expire_all(self) -> None:
        """Forget every token that was issued."""
        self.tokens.clear()

    def __call__(self, request: Request) -> Response:
        self.requests.append(request)
        if not self._admits(request):
            return error(request, 401, "UNAUTHORIZED", "incorrect username or password")
        token = f"token-{len(self.requests)}"
        self.tokens[token] = set(self._form(request).get("scope", []))
        return answer_json(request, 200, {self.field: token, "expires_in": 300})

    def _form(self, request: Request) -> dict[str, list[str]]:
        if request.body is None:
            return parse_qs(urlsplit(request.url).query)
        with request.body() as stream:
            form = parse_qs(stream.read().decode())
        return {**form, "scope": form.get("scope", [""])[0].split(" ")}

    def _admits(self, request: Request) -> bool:
        if request.method == "POST":
            return bool(self.identity_token) and self._form(request).get("refresh_token") == [
                self.identity_token
            ]
        sent = _sent(request)
        return sent == basic(self.username, self.password) or (self.public and not sent)


def _needed_scope(request: Request) -> str:
    path = urlsplit(request.url).path
    for kind in ("/manifests/", "/blobs/", "/referrers/", "/tags/"):
        name, found, _ = path.removeprefix("/v2/").partition(kind)
        if found:
            actions = {"GET": "pull", "HEAD": "pull", "DELETE": "delete"}.get(request.method, "pull,push")
            return f"repository:{name}:{actions}"
    return ""


def _covers(granted: set[str], needed: str) -> bool:
    if not needed:
        return True
    name, _, actions = needed.rpartition(":")
    allowed = {
        a
        for scope in granted
        if scope.rpartition(":")[0] == name
        for a in scope.rpartition(":")[2].split(",")
    }
    return set(actions.split(",")) <= allowed
