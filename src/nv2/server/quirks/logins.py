"""Logins by a refresh token that is posted (OAuth 2, RFC 6749 section 6), as after `az acr login`."""

from __future__ import annotations

import json
from urllib.parse import parse_qs

from nv2.oci.reference import is_repository_path
from nv2.server.access.rights import Scope
from nv2.server.access.scopes import needed, read_scopes, written
from nv2.server.access.tokens import Tokens
from nv2.server.messages import Answer, Call, Layer, Respond
from nv2.server.quirks.parts import error, whole
from nv2.server.quirks.places import STORED
from nv2.server.registry.errors import Refusal

REFRESH_TOKEN = "refresh"  # noqa: S105  for testing, and no secret
"""What opens the registry: `nv2 login --password refresh HOST`, without a user name."""

REALM = "/oauth2/token"


def by_refresh_token() -> Layer:
    """Nobody is let in but with a token, which only this refresh token brings, and only by POST."""
    tokens = Tokens()

    def layer(call: Call, respond: Respond) -> Answer:
        if call.path == REALM:
            return _exchanged(tokens, call)
        # Whoever stores blobs for the registry knows its signed addresses, and no tokens.
        if call.first(STORED) or _is_known(tokens, call):
            return respond(call)
        return error(401, "UNAUTHORIZED", {"WWW-Authenticate": _challenge(call)})

    return layer


def _exchanged(tokens: Tokens, call: Call) -> Answer:
    """`access_token`, and no other field, in exchange for the refresh token."""
    form = parse_qs(whole(call.body).decode("latin-1")) if call.method == "POST" else {}
    if (form.get("grant_type"), form.get("refresh_token")) != (["refresh_token"], [REFRESH_TOKEN]):
        return error(401, "UNAUTHORIZED")
    try:
        token = tokens.grant("", read_scopes(form.get("scope", ())))
    except Refusal as e:
        return e.answer
    return Answer(200, {"Content-Type": "application/json"}, json.dumps({"access_token": token}).encode())


def _is_known(tokens: Tokens, call: Call) -> bool:
    kind, _, shown = call.headers.get("authorization", "").partition(" ")
    grant = tokens.read(shown) if kind == "Bearer" else None
    return grant is not None and grant.scopes.issuperset(needed(call))


def _challenge(call: Call) -> str:
    scopes = [scope for scope in needed(call) if _can_be_written(scope)]
    said = f',scope="{written(scopes)}"' if scopes else ""
    return f'Bearer realm="http://{call.headers.get("host", "")}{REALM}",service="nv2"{said}'


def _can_be_written(scope: Scope) -> bool:
    return scope.kind != "repository" or is_repository_path(scope.name)
