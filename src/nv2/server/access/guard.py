"""The layer that knows who asks, and lets through what the rights allow.

Whoever has not logged in is asked to (401), whoever may not is told so (403). A path is read as the registry's own
table of endpoints reads it; what is in no table is for those who have logged in.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import NamedTuple

from nv2.oci.reference import is_repository_path
from nv2.server.access import token_endpoint
from nv2.server.access.passwords import Busy
from nv2.server.access.rights import CATALOG, Rights, Scope
from nv2.server.access.scopes import needed, written
from nv2.server.access.settings import Settings
from nv2.server.access.tokens import Tokens
from nv2.server.messages import Answer, Call, Respond
from nv2.server.registry.errors import Refusal
from nv2.server.registry.routes import COMMON_HEADERS

OPEN = "/healthz"
"""What everybody may ask."""

METRICS = "/metrics"
"""What tells much about the registry, hence only those who have logged in may ask, where there are logins."""

TOKEN = "/token"  # noqa: S105  a path
"""Where tokens are to be had."""

REALM = 'Basic realm="nv2", charset="UTF-8"'

_HOST = re.compile(
    r"[A-Za-z0-9.\-_]{1,253}(?::[0-9]{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](?::[0-9]{1,5})?", re.ASCII
)


class Asker(NamedTuple):
    """Who asks."""

    user: str = ""
    """Empty for somebody unknown."""
    scopes: frozenset[Scope] | None = None
    """What the token allows at most; None: there is no token that would narrow it."""
    known: bool = False
    """Whether anything was shown: a password, or a token, be it one for somebody unknown."""


class Guard:
    """Logins and rights before the registry. `settings` may be replaced at any time; tokens stay valid."""

    def __init__(self, settings: Settings, *, tls: bool = False) -> None:
        self.settings = settings
        self.tls = tls
        self._tokens = Tokens()

    def __call__(self, call: Call, respond: Respond) -> Answer:
        """The answer to `call`: a refusal, a token, or the registry's."""
        if call.path == OPEN:
            return respond(call)
        settings = self.settings  # one for the whole request
        asker = Asker()
        try:
            asker = self._asker(settings, call)
            if settings.tokens and call.path == TOKEN:
                answer = token_endpoint.answer(self._tokens, settings, asker.user, call)
                return answer._replace(user=asker.user)
            call = self._let_through(settings, asker, call)
        except Refusal as e:
            headers = {**COMMON_HEADERS, **e.answer.headers}
            return e.answer._replace(headers=headers, user=asker.user)
        return respond(call._replace(user=asker.user))._replace(user=asker.user)

    def _asker(self, settings: Settings, call: Call) -> Asker:
        """Who shows what. Raises `Refusal` (401) for what is wrong."""
        kind, _, shown = call.headers.get("authorization", "").partition(" ")
        if not kind or settings.passwords is None:
            return Asker()
        if kind.lower() == "bearer" and settings.tokens and call.path != TOKEN:
            grant = self._tokens.read(shown.strip())
            if grant and settings.passwords.seal(grant.user) == grant.seal:
                return Asker(grant.user, grant.scopes, known=True)
            raise self._unknown(settings, call, "the token is not valid", error="invalid_token")
        if kind.lower() == "basic" and (found := _name_and_password(shown)):
            try:
                if settings.passwords.check(*found, call.peer):
                    return Asker(found[0], known=True)
            except Busy as e:
                again = {"Retry-After": str(e.seconds)}
                raise Refusal(429, "TOOMANYREQUESTS", str(e), headers=again) from None
        raise self._unknown(settings, call, "incorrect user name or password")

    def _let_through(self, settings: Settings, asker: Asker, call: Call) -> Call:
        scopes = needed(call)
        known = asker.user if call.path == METRICS else asker.known
        if not (scopes or known or settings.passwords is None):
            raise self._unknown(settings, call, "a login is needed")
        for scope in scopes:
            self._check(settings, asker, scope, call)
        return self._without_peeking(settings, asker, call)

    def _without_peeking(self, settings: Settings, asker: Asker, call: Call) -> Call:
        """A mount out of a repository that may not be read becomes a push: as if that one did not have the blob."""
        source = call.first("from") or ""
        wanted = Scope("repository", source, "pull") if is_repository_path(source) else CATALOG
        if "mount" in call.query and not _may(settings.rights, asker, wanted):
            query = {key: values for key, values in call.query.items() if key not in ("mount", "from")}
            call = call._replace(query=query)
        return call

    def _check(self, settings: Settings, asker: Asker, scope: Scope, call: Call) -> None:
        if _may(settings.rights, asker, scope):
            return
        denied = bool(asker.user) and not settings.rights.allow(asker.user, scope)
        if denied or settings.passwords is None:
            raise Refusal(403, "DENIED", f"{scope.action} is not allowed here", detail=scope._asdict())
        raise self._unknown(
            settings, call, "a login is needed", error="insufficient_scope" if asker.known else ""
        )

    def _unknown(self, settings: Settings, call: Call, message: str, *, error: str = "") -> Refusal:
        challenge = REALM
        if settings.tokens and call.path != TOKEN:
            # A path is decoded: what is no name could end the header and begin another one.
            scope = written(scope for scope in needed(call) if is_repository_path(scope.name))
            challenge = f'Bearer realm="{self._realm(settings, call)}",service="nv2"'
            challenge += f',scope="{scope}"' if scope else ""
            challenge += f',error="{error}"' if error else ""
        return Refusal(401, "UNAUTHORIZED", message, headers={"WWW-Authenticate": challenge})

    def _realm(self, settings: Settings, call: Call) -> str:
        """Where tokens are to be had, in the words of the client: nobody else reads this answer."""
        host = call.headers.get("host", "")
        if not settings.address and not _HOST.fullmatch(host):
            raise Refusal(400, "UNSUPPORTED", "the request names no host")
        return (settings.address or f"{'https' if self.tls else 'http'}://{host}") + TOKEN


def _may(rights: Rights, asker: Asker, scope: Scope) -> bool:
    """Both count: what was granted, and what is allowed now."""
    return (asker.scopes is None or scope in asker.scopes) and rights.allow(asker.user, scope)


def _name_and_password(shown: str) -> tuple[str, bytes] | None:
    try:
        name, colon, password = base64.b64decode(shown.strip(), validate=True).partition(b":")
        return (name.decode(), password) if colon else None
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return None
