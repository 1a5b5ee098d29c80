"""A guard before something that answers everybody, and who may do what there."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bcrypt
import pytest

from nv2.server.access.guard import Guard
from nv2.server.access.settings import Settings, read_settings
from nv2.server.messages import Answer, Call

USERS = {"alice": "wonderland", "ci": "robot", "bob": "builder"}

RIGHTS = [
    {"users": ["alice"], "repositories": ["*"], "actions": ["pull", "push", "delete"]},
    {"users": ["ci"], "repositories": ["team/*"], "actions": ["pull", "push"]},
    {"users": ["*"], "repositories": ["public"], "actions": ["pull"]},
    {"users": ["anonymous"], "repositories": ["open"], "actions": ["pull"]},
]


def basic(user: str, password: str = "") -> str:
    """The value of an Authorization header; by default with the right password."""
    pair = f"{user}:{password or USERS[user]}"
    return "Basic " + base64.b64encode(pair.encode()).decode()


@pytest.fixture(scope="session")
def htpasswd() -> str:
    hashes = {user: bcrypt.hashpw(word.encode(), bcrypt.gensalt(4)).decode() for user, word in USERS.items()}
    return "".join(f"{user}:{hashed}\n" for user, hashed in hashes.items())


@pytest.fixture
def settings(tmp_path: Path, htpasswd: str) -> Callable[..., Settings]:
    """What an access file with these fields says."""

    def read(**fields: Any) -> Settings:
        (tmp_path / "htpasswd").write_text(htpasswd)
        (tmp_path / "access.json").write_text(
            json.dumps({"htpasswd": "htpasswd", "rights": RIGHTS, **fields})
        )
        return read_settings(tmp_path / "access.json")

    return read


def echo(call: Call) -> Answer:
    """Says who was let through, and to what."""
    return Answer(200, {"query": json.dumps(call.query)}, call.user.encode())


@pytest.fixture
def guarded(settings: Callable[..., Settings]) -> Callable[..., Callable[[Call], Answer]]:
    """Something that answers everybody behind a guard with these settings."""

    def build(**fields: Any) -> Callable[[Call], Answer]:
        guard = Guard(settings(**fields), tls=True)
        return lambda call: guard(call, echo)

    return build
