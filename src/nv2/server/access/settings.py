"""The access file: strict JSON that says who may log in, who may do what, and how much.

    {"htpasswd": "htpasswd", "tokens": true,
     "rights": [{"users": ["ci"], "repositories": ["team/*"], "actions": ["pull", "push"]}]}

Paths are relative to the file's own folder. Everything may be left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from nv2.errors import ConfigurationError
from nv2.files import read_file
from nv2.oci.reference import is_repository_path
from nv2.plain_text import quoted
from nv2.server.access.passwords import Passwords, read_passwords
from nv2.server.access.rights import (
    ACTIONS,
    ALL_FOR_ALL,
    ALL_FOR_USERS,
    ANONYMOUS,
    EVERYBODY,
    Rights,
    Rule,
)
from nv2.server.access.tokens import LIFETIME
from nv2.strict_json import Fields, loads

MAX_FILE = 1024 * 1024
"""Bytes of an access file: some thousand rules."""

LIFETIMES = range(60, 3600 + 1)
"""Seconds that a token may be good for: the specification's least, and an hour."""

_ORIGIN = re.compile(r"https?://[A-Za-z0-9.\-_\[\]:]{1,255}", re.ASCII)


class Settings(NamedTuple):
    """What an access file says."""

    passwords: Passwords | None = None
    rights: Rights = ALL_FOR_ALL
    tokens: bool = False
    """Whether logins are asked for by token (Bearer); else by name and password with each request (Basic)."""
    token_seconds: int = LIFETIME
    address: str = ""
    """`https://HOST:PORT` as clients call the registry; empty: as each of them does."""
    read_only: bool = False
    max_body: int = 0
    """Bytes of a request's body; 0 for any."""


def read_settings(path: Path) -> Settings:
    """What the file at `path` says. Raises `ConfigurationError` with the place."""
    data = read_file(path, MAX_FILE, "an access file", error=ConfigurationError)
    fields = Fields.of(loads(data, ConfigurationError, at=str(path)), "", _error_in(path))
    fields.only("htpasswd", "rights", "tokens", "tokenSeconds", "address", "readOnly", "maxBodyBytes")
    file = fields.get("htpasswd", str)
    passwords = read_passwords(path.parent / file) if file is not None else None
    if fields.get("tokens", bool) and passwords is None:
        raise fields.error("tokens are for those who log in, and there is no htpasswd", at="tokens")
    return Settings(
        passwords,
        _rights(fields, passwords),
        fields.get("tokens", bool) or False,
        _number(fields, "tokenSeconds", LIFETIMES, LIFETIME),
        _address(fields),
        fields.get("readOnly", bool) or False,
        _number(fields, "maxBodyBytes", range(1, 2**50), 0),
    )


def _error_in(path: Path) -> type[ConfigurationError]:
    class Located(ConfigurationError):
        """An error at a place in this file."""

        def __init__(self, message: str, *, at: str | None = None, hint: str | None = None) -> None:
            super().__init__(message, at=f"{path}: {at}" if at else str(path), hint=hint)

    return Located


def _number(fields: Fields, key: str, possible: range, default: int) -> int:
    found = fields.get(key, int)
    if found is None:
        return default
    if found not in possible:
        raise fields.error("the number cannot be", at=key, hint=f"possible: {possible[0]} to {possible[-1]}")
    return found


def _address(fields: Fields) -> str:
    found = fields.get("address", str)
    if found is not None and not _ORIGIN.fullmatch(found):
        raise fields.error("not an address", at="address", hint="expected https://HOST or https://HOST:PORT")
    return found or ""


def _rights(fields: Fields, passwords: Passwords | None) -> Rights:
    if "rights" not in fields.value:
        return ALL_FOR_ALL if passwords is None else ALL_FOR_USERS
    return Rights(tuple(_rule(rule, passwords) for rule in fields.objects("rights")))


def _rule(rule: Fields, passwords: Passwords | None) -> Rule:
    rule.only("users", "repositories", "actions")
    return Rule(
        frozenset(_each(rule, "users", lambda user: _is_user(user, passwords), "no such user")),
        _each(rule, "repositories", _is_pattern, "not a repository, NAME/* or *"),
        frozenset(
            action
            for action in ACTIONS
            if action in _each(rule, "actions", ACTIONS.__contains__, "not pull, push or delete")
        ),
    )


def _each(rule: Fields, key: str, is_valid: Callable[[str], bool], message: str) -> tuple[str, ...]:
    rule.require(key, list)
    found = rule.strings(key) or ()
    for number, item in enumerate(found):
        if not is_valid(item):
            raise rule.error(f"{message}: {quoted(item)}", at=f"{rule.place(key)}[{number}]")
    return found


def _is_user(name: str, passwords: Passwords | None) -> bool:
    return name in (ANONYMOUS, EVERYBODY) or (passwords is not None and name in passwords)


def _is_pattern(text: str) -> bool:
    return text == EVERYBODY or is_repository_path(text.removesuffix("/*"))
