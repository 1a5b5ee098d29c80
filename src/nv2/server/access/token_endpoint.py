"""The answer to a request for a token (distribution's token specification): what is asked for, as far as it is allowed."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from nv2.server.access.scopes import READING, read_scopes
from nv2.server.access.settings import Settings
from nv2.server.access.tokens import Tokens
from nv2.server.messages import Answer, Call
from nv2.server.registry.errors import Refusal


def answer(tokens: Tokens, settings: Settings, user: str, call: Call) -> Answer:
    """A token for `user`, empty for somebody unknown. Raises `Refusal`.

    Only GET: clients that try the form of OAuth 2 (POST) first take 405 as the sign to ask like this.
    """
    if call.method not in READING:
        raise Refusal(405, "UNSUPPORTED", "tokens are asked for with GET", headers={"Allow": "GET, HEAD"})
    scopes = read_scopes(call.query.get("scope", ()))
    allowed = [scope for scope in scopes if settings.rights.allow(user, scope)]
    seal = settings.passwords.seal(user) if settings.passwords else ""
    token = tokens.grant(user, allowed, settings.token_seconds, seal)
    issued = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    body = {"token": token, "access_token": token, "expires_in": settings.token_seconds, "issued_at": issued}
    headers = {"Content-Type": "application/json", "Cache-Control": "no-store"}
    return Answer(200, headers, json.dumps(body).encode())
