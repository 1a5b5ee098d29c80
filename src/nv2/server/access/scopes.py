"""Which scopes a request needs, and how scopes are written (distribution's token specification)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from nv2.server.access.rights import ACTIONS, CATALOG, Scope
from nv2.server.messages import Call
from nv2.server.registry.errors import Refusal
from nv2.server.registry.routes import place_of

MAX_SCOPES = 64
"""Scopes that are asked for at once: a copy with mounts asks for a repository or two."""

READING = ("GET", "HEAD")


def needed(call: Call) -> tuple[Scope, ...]:
    """What somebody must be allowed to do for `call`; nothing where being known is enough."""
    if call.path == "/v2/_catalog":
        return (CATALOG,)
    repository = (place_of(call.path) or {}).get("repository")
    if repository is None:
        return ()
    return (Scope("repository", repository, _action(call)),)


def _action(call: Call) -> str:
    if call.method in READING:
        return "pull"
    # Only the end of a path says what it is: a repository may be called `a/blobs/uploads/b`.
    cancels = call.path.rpartition("/")[0].endswith("/blobs/uploads")
    return "delete" if call.method == "DELETE" and not cancels else "push"


def written(scopes: Iterable[Scope]) -> str:
    """The scopes for a challenge. Pushing looks first at what is there: its token is one for pulling, too."""
    return " ".join(
        f"{kind}:{name}:{'pull,push' if action == 'push' else action}" for kind, name, action in scopes
    )


def read_scopes(values: Iterable[str]) -> tuple[Scope, ...]:
    """The scopes of a request for a token: several values, several in one. Raises `Refusal` (400)."""
    found = [scope for value in values for text in value.split() for scope in _read(text)]
    if len(found) > MAX_SCOPES:
        raise Refusal(400, "UNSUPPORTED", f"more than {MAX_SCOPES} scopes")
    return tuple(found)


def _read(text: str) -> Iterator[Scope]:
    kind, _, rest = text.partition(":")
    name, _, actions = rest.rpartition(":")
    if not (kind and name and actions):
        raise Refusal(400, "UNSUPPORTED", "a scope that cannot be read")
    every = ACTIONS if kind == "repository" else ("*",)
    for action in actions.split(","):
        yield from (Scope(kind, name, one) for one in (every if action == "*" else (action,)))
