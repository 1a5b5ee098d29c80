"""Tokens: only ours, only in their time."""

from __future__ import annotations

import base64
import json

import pytest

from nv2.server.access.rights import Scope
from nv2.server.access.tokens import MAX_TOKEN, Grant, Tokens

SCOPES = frozenset({Scope("repository", "a/b", "pull"), Scope("registry", "catalog", "*")})


class Clock:
    now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


def test_what_was_granted_is_read_until_its_time_is_over() -> None:
    clock = Clock()
    tokens = Tokens(clock)
    token = tokens.grant("alice", SCOPES, 60)
    assert tokens.read(token) == Grant("alice", SCOPES)
    clock.now += 59
    assert tokens.read(token) is not None
    clock.now += 1
    assert tokens.read(token) is None
    clock.now -= 61
    assert tokens.read(token) is None, "it was not granted yet"


def test_the_token_of_another_process_is_not_read() -> None:
    assert Tokens().read(Tokens().grant("alice", SCOPES)) is None


def _encoded(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def test_nothing_else_is_read() -> None:
    tokens = Tokens()
    header, claims, signature = tokens.grant("alice", SCOPES).split(".")
    other = _encoded({"sub": "bob", "nbf": 0, "exp": 9e9, "access": []})
    for token in (
        "",
        ".",
        "..",
        f"{header}.{other}.{signature}",
        f"{_encoded({'alg': 'none'})}.{claims}.",
        f"{_encoded({'alg': 'none'})}.{claims}.{signature}",
        f"{header}.{claims}.",
        f"{header}.{claims}.{signature[:-1]}",
        f"{header}.{claims}.{signature}é",
        f"{header}.{claims}.{signature}" + "a" * MAX_TOKEN,
    ):
        assert tokens.read(token) is None, token
    assert tokens.read(f"{header}.{claims}.{signature}") is not None


@pytest.mark.parametrize("seconds", [60, 3600])
def test_a_token_says_how_long_it_is_good_for(seconds: int) -> None:
    claims = Tokens(Clock()).grant("alice", (), seconds).split(".")[1]
    told = json.loads(base64.urlsafe_b64decode(claims + "=="))
    assert told["exp"] - told["iat"] == seconds
