"""Fetching and remembering bearer tokens (distribution, "Token Authentication", OAuth2 included)."""

from __future__ import annotations

import io
import re
import threading
import time
from collections.abc import Generator, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote, urlencode

from nv2 import strict_json
from nv2.errors import BadAnswer, Refused
from nv2.strict_json import Fields
from nv2.transport.interface import Request, Response
from nv2.transport.urls import Origin, origin_of

if TYPE_CHECKING:
    from nv2.transport.challenges import Challenge
    from nv2.transport.credentials import Credential

MAX_TOKEN_ANSWER = 128 * 1024
"""Bytes of a token server's answer: a token that names many scopes has about 10,000."""

DEFAULT_LIFETIME = 60
"""Seconds that a token lasts if its server does not say (token specification)."""

MARGIN = 10
"""Seconds before its end that a token counts as over."""

MAX_KEPT = 1000
"""Tokens kept for one origin: as many repositories as a run may have at a registry."""

_BEARER = re.compile(r"[!-~]+", re.ASCII)

Scope = tuple[str, str]
"""Resource and one action: `("repository:app", "pull")`."""


def split_scopes(scopes: Iterable[str]) -> frozenset[Scope]:
    """`repository:app:pull,push` as its pairs of resource and action; `aws`, of one registry, has no resource."""
    pairs = (scope.rpartition(":") for text in scopes for scope in text.split())
    return frozenset((resource, action) for resource, _, actions in pairs for action in actions.split(","))


def join_scopes(scopes: frozenset[Scope]) -> list[str]:
    """The pairs as scopes again, one for each resource. Pushing first: some servers read only one."""
    resources: dict[str, list[str]] = {}
    for resource, action in sorted(scopes):
        resources.setdefault(resource, []).append(action)
    bare = resources.pop("", [])
    joined = [f"{resource}:{','.join(actions)}" for resource, actions in resources.items()] + bare
    return sorted(joined, key=lambda scope: "push" not in scope)


class Token(NamedTuple):
    """A token, what it was asked for, and when it ends (monotonic seconds)."""

    text: str
    scopes: frozenset[Scope]
    ends: float

    def __repr__(self) -> str:
        """Without the token."""
        return f"Token({join_scopes(self.scopes)})"


class TokenStore:
    """The tokens of one origin; safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tokens: list[Token] = []
        self.fetching = threading.Lock()
        """Held while a token is fetched, so that many requests refused at once fetch one."""

    def find(self, scopes: frozenset[Scope]) -> Token | None:
        """A token that allows `scopes` and is not over."""
        now = time.monotonic()
        with self._lock:
            return next((t for t in self._tokens if scopes <= t.scopes and now < t.ends), None)

    def keep(self, token: Token) -> None:
        """Remember `token`."""
        now = time.monotonic()
        with self._lock:
            self._tokens = [token, *(t for t in self._tokens if now < t.ends)][:MAX_KEPT]

    def forget(self, text: str) -> None:
        """The registry refused it."""
        with self._lock:
            self._tokens = [t for t in self._tokens if t.text != text]


def fetch_token(
    registry: Origin, challenge: Challenge, scopes: frozenset[Scope], credential: Credential | None
) -> Generator[Request, Response, Token]:
    """The conversation with the token server: one request, one answer.

    Raises `Refused` if the credentials do not suffice, `BadAnswer` for a realm that must not be asked
    and for an answer without a token.
    """
    from nv2.transport.challenges import check_realm  # only those who are asked to log in need it

    check_realm(challenge.realm, registry)
    response = yield _token_request(registry, challenge, scopes, credential)
    data, at = response.data(), registry.authority
    if response.status in (400, 401, 403):
        raise _refusal(credential, at)
    if response.status != 200:
        raise BadAnswer(f"the token server answered {response.status}", at=at)
    document = strict_json.loads(data, BadAnswer, at=f"token of {at}")
    return _read_token(Fields.of(document, f"token of {at}", BadAnswer), scopes)


def _refusal(credential: Credential | None, at: str) -> Refused:
    if credential is None:
        return Refused("the token server wants credentials", at=at, hint=f"nv2 login {at}")
    from nv2.transport.refusals import WRONG  # only those who are refused need it

    return Refused("the token server refused the credentials", at=at, hint=WRONG)


def _token_request(
    registry: Origin, challenge: Challenge, scopes: frozenset[Scope], credential: Credential | None
) -> Request:
    more: dict[str, Any] = {"limit": MAX_TOKEN_ANSWER, "anonymous": True}
    more["led"] = origin_of(challenge.realm) != registry
    if credential and credential.identity_token:
        form = {
            "grant_type": "refresh_token",
            "service": challenge.service,
            "client_id": "nv2",
            "scope": " ".join(join_scopes(scopes)),
            "refresh_token": credential.identity_token,
        }
        body = urlencode(form).encode()
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return Request("POST", challenge.realm, headers, lambda: io.BytesIO(body), len(body), **more)
    query = [("service", challenge.service)] if challenge.service else []
    query += [("scope", scope) for scope in join_scopes(scopes)]
    separator = "&" if "?" in challenge.realm else "?"
    url = challenge.realm + (separator + urlencode(query, quote_via=quote, safe=":/,") if query else "")
    return Request("GET", url, {"Authorization": credential.basic} if credential else {}, **more)


def _read_token(fields: Fields, scopes: frozenset[Scope]) -> Token:
    text = fields.get("token", str) or fields.get("access_token", str)
    if not text or not _BEARER.fullmatch(text):
        raise BadAnswer("the token server's answer has no usable token", at=fields.at)
    lifetime = fields.get("expires_in", int) or DEFAULT_LIFETIME
    return Token(text, scopes, time.monotonic() + max(lifetime - MARGIN, MARGIN))
