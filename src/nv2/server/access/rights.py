"""Rights: who may do what in which repositories; and scopes, the words that tokens have for it.

What this module does not do: know who somebody is.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

Action = Literal["pull", "push", "delete"]

ACTIONS: tuple[Action, ...] = get_args(Action)

EVERYBODY = "*"
"""In a rule: whoever has logged in. As a repository: every one."""

ANONYMOUS = "anonymous"
"""In a rule: whoever has not logged in."""


class Scope(NamedTuple):
    """One thing that may be done (distribution's token specification, "Resource scope grammar")."""

    kind: str
    """`repository`, or `registry` for what concerns all of them."""
    name: str
    action: str


CATALOG = Scope("registry", "catalog", "*")
"""Listing the repositories."""


class Rule(NamedTuple):
    """`users` may do `actions` in `repositories`, each a name, `name/*` for all below it, or `*`."""

    users: frozenset[str]
    repositories: tuple[str, ...]
    actions: frozenset[Action]

    def concerns(self, user: str) -> bool:
        """Whether the rule speaks of `user`, which is empty for somebody unknown."""
        return (user in self.users or EVERYBODY in self.users) if user else ANONYMOUS in self.users

    def allows(self, scope: Scope) -> bool:
        """Whether it allows `scope` to those whom it concerns. The catalog is for those who may pull everything."""
        if scope == CATALOG:
            return "pull" in self.actions and EVERYBODY in self.repositories
        return (
            scope.kind == "repository"
            and scope.action in self.actions
            and any(_covers(pattern, scope.name) for pattern in self.repositories)
        )


class Rights(NamedTuple):
    """What is allowed is what at least one rule allows; nothing else."""

    rules: tuple[Rule, ...]

    def allow(self, user: str, scope: Scope) -> bool:
        """Whether `user`, empty for somebody unknown, may do `scope`."""
        return any(rule.concerns(user) and rule.allows(scope) for rule in self.rules)


ALL_FOR_USERS = Rights((Rule(frozenset({EVERYBODY}), (EVERYBODY,), frozenset(ACTIONS)),))
"""Where no rights are written down: whoever has logged in may do everything, nobody else anything."""

ALL_FOR_ALL = Rights((*ALL_FOR_USERS.rules, Rule(frozenset({ANONYMOUS}), (EVERYBODY,), frozenset(ACTIONS))))
"""Where there are no logins either."""


def _covers(pattern: str, name: str) -> bool:
    if pattern.endswith("/*"):
        return name.startswith(pattern[:-1])
    return pattern in (name, EVERYBODY)
