"""Verification levels × validations, as the literal table of the specification.

trust-store-trust-policy, "Signature Verification details".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from types import MappingProxyType
from typing import NamedTuple

from nv2.errors import PolicyError


class Validation(Enum):
    """What is validated, in the order of evaluation; the values are the words of the policy file."""

    DENIAL = "denial"
    """Not of the policy: whether this machine denies key or signature (`trust.denial`); enforced wherever anything is."""
    INTEGRITY = "integrity"
    AUTHENTICITY = "authenticity"
    EXPIRY = "expiry"
    AUTHENTIC_TIMESTAMP = "authenticTimestamp"
    REVOCATION = "revocation"
    USER_METADATA = "userMetadata"
    """Not of the policy: what the caller demands with `-m`, always enforced when demanded."""


class Action(Enum):
    """What a level does with a validation that does not pass."""

    ENFORCE = "enforce"
    LOG = "log"
    SKIP = "skip"


class Level(NamedTuple):
    """A level by name (`custom` when overridden) and its action for every validation."""

    name: str
    actions: Mapping[Validation, Action]

    @property
    def skips(self) -> bool:
        """Whether nothing is verified at all."""
        return self.name == "skip"

    def __reduce__(self) -> tuple[Callable[[str, dict[Validation, Action]], Level], tuple[str, object]]:
        # A read-only view cannot be pickled, and verdicts cross the borders of processes.
        return _level, (self.name, dict(self.actions))

    def action(self, validation: Validation) -> Action:
        """What to do when `validation` does not pass."""
        return self.actions[validation]


def _level(name: str, actions: dict[Validation, Action]) -> Level:
    return Level(name, MappingProxyType(actions))


def _row(name: str, *words: str) -> Level:
    return _level(name, dict(zip(Validation, map(Action, words), strict=True)))


# fmt: off
LEVELS: Mapping[str, Level] = MappingProxyType({level.name: level for level in (
    #                   denial     integrity  authenticity  expiry     timestamp  revocation  user metadata
    _row("strict",     "enforce", "enforce", "enforce",    "enforce", "enforce", "enforce",  "enforce"),
    _row("permissive", "enforce", "enforce", "enforce",    "log",     "log",     "log",      "enforce"),
    _row("audit",      "enforce", "enforce", "log",        "log",     "log",     "log",      "enforce"),
    _row("skip",       "skip",    "skip",    "skip",       "skip",    "skip",    "skip",     "skip"),
)})
# fmt: on

OVERRIDES: Mapping[Validation, frozenset[Action]] = MappingProxyType(
    {
        Validation.AUTHENTICITY: frozenset({Action.ENFORCE, Action.LOG}),
        Validation.AUTHENTIC_TIMESTAMP: frozenset({Action.ENFORCE, Action.LOG}),
        Validation.EXPIRY: frozenset({Action.ENFORCE, Action.LOG}),
        Validation.REVOCATION: frozenset({Action.ENFORCE, Action.LOG, Action.SKIP}),
    }
)
"""What a custom level may change ("Custom Verification Level")."""


def custom_level(base: str, override: Mapping[str, str], at: str) -> Level:
    """The level `base` with `override` applied. Raises `PolicyError` at `at` for what cannot be overridden."""
    level = named_level(base, f"{at}.level")
    if not override:
        return level
    if level.skips:
        raise PolicyError("level 'skip' cannot be customised", at=f"{at}.override")
    changed = {_overridable(key, f"{at}.override"): _action(key, word, at) for key, word in override.items()}
    return _level("custom", {**level.actions, **changed})


def named_level(name: str, at: str) -> Level:
    """One of the four levels. Raises `PolicyError`."""
    if name not in LEVELS:
        raise PolicyError(f"unknown level {name!r}", at=at, hint=f"levels: {', '.join(LEVELS)}")
    return LEVELS[name]


def _overridable(key: str, at: str) -> Validation:
    for validation in OVERRIDES:
        if validation.value == key:
            return validation
    allowed = ", ".join(validation.value for validation in OVERRIDES)
    reason = "integrity cannot be overridden" if key == "integrity" else f"unknown validation {key!r}"
    raise PolicyError(reason, at=at, hint=f"what can be overridden: {allowed}")


def _action(key: str, word: str, at: str) -> Action:
    allowed = OVERRIDES[_overridable(key, f"{at}.override")]
    for action in allowed:
        if action.value == word:
            return action
    words = ", ".join(sorted(action.value for action in allowed))
    raise PolicyError(f"{word!r} is not possible here", at=f"{at}.override.{key}", hint=f"possible: {words}")
