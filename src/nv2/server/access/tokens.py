"""Tokens (RFC 7519): who somebody is and which scopes were granted, for some minutes.

The registry that grants them is the one that reads them, in one process: a secret of that process is all it takes, and
nothing is kept on a disk. After a restart clients ask for new ones. One algorithm, HMAC with SHA-256; whatever a token
says of its own algorithm is not asked.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Callable, Iterable
from typing import NamedTuple

from nv2.server.access.rights import Scope

MAX_TOKEN = 16 * 1024
"""Characters of a token that is read: ours with the most scopes has half of it."""

LIFETIME = 300
"""Seconds. A client asks for a new one when it is over, and is not disturbed in a request under way."""

_HEADER = {"alg": "HS256", "typ": "JWT"}


class Grant(NamedTuple):
    """What a token says."""

    user: str
    """Empty for somebody unknown."""
    scopes: frozenset[Scope]
    seal: str = ""
    """`Passwords.seal` of the user, when it was granted."""


class Tokens:
    """Grants tokens and reads its own."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._key = secrets.token_bytes(32)

    def grant(self, user: str, scopes: Iterable[Scope], lifetime: int = LIFETIME, seal: str = "") -> str:
        """A token for `user` and `scopes`, good for `lifetime` seconds and as long as the user's `seal` is this one."""
        now = int(self._clock())
        access = [
            {"type": kind, "name": name, "actions": [action]} for kind, name, action in sorted(set(scopes))
        ]
        claims = {"sub": user, "iat": now, "nbf": now, "exp": now + lifetime, "access": access, "seal": seal}
        signed = f"{_encoded(_HEADER)}.{_encoded(claims)}"
        return f"{signed}.{self._signature(signed)}"

    def read(self, token: str) -> Grant | None:
        """What `token` says; None if it is not ours, or its time is over."""
        signed, _, signature = token.rpartition(".")
        if len(token) > MAX_TOKEN or not token.isascii():
            return None
        if not hmac.compare_digest(self._signature(signed), signature):
            return None
        claims = json.loads(base64.urlsafe_b64decode(signed.partition(".")[2] + "=="))  # we wrote it
        if not claims["nbf"] <= self._clock() < claims["exp"]:
            return None
        access = frozenset(Scope(item["type"], item["name"], item["actions"][0]) for item in claims["access"])
        return Grant(claims["sub"], access, claims["seal"])

    def _signature(self, signed: str) -> str:
        return _base64(hmac.digest(self._key, signed.encode(), hashlib.sha256))


def _encoded(value: object) -> str:
    return _base64(json.dumps(value, separators=(",", ":")).encode())


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
