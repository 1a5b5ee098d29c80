"""Whom the cases are put to: the embedded registry, and real ones of other projects."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import cast

import pytest

from nv2.server.registry import serve
from tests.contract.registry.client import Client
from tests.contract.registry.known_failures import KNOWN_FAILURES

NUMBERS = itertools.count()
HERE = Path(__file__).parent
PEERS = ("olareg", "distribution31", "distribution28")


@pytest.fixture(scope="session")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serve(tmp_path_factory.mktemp("embedded")) as registry:
        yield registry.address


@pytest.fixture(params=["embedded", *(pytest.param(name, marks=pytest.mark.peers) for name in PEERS)])
def registry(request: pytest.FixtureRequest) -> str:
    """The address of a registry."""
    return cast(str, request.getfixturevalue(request.param))


@pytest.fixture
def client(registry: str) -> Iterator[Client]:
    """A client, with a repository of its own that nobody has pushed to."""
    found = Client(registry, f"conformance/{os.getpid()}-{next(NUMBERS)}")
    with closing(found.connection):
        yield found


@pytest.fixture
def other(client: Client) -> Iterator[Client]:
    """The same registry, and another repository."""
    found = Client(client.address, f"{client.repository}/other")
    with closing(found.connection):
        yield found


def case_of(item: pytest.Function) -> tuple[str, str]:
    """The registry that a case is put to, and the case: its name and other parameters."""
    name = item.originalname
    if not hasattr(item, "callspec") or "registry" not in item.callspec.params:
        return "", name
    who = str(item.callspec.params["registry"])
    parts = [part for part in item.callspec.id.split("-") if part != who]
    return who, f"{name}[{'-'.join(parts)}]" if parts else name


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Expect the failures that are known, and complain of those that are no more."""
    for item in items:
        if isinstance(item, pytest.Function) and item.path.parent == HERE:
            who, case = case_of(item)
            if reason := KNOWN_FAILURES.get(who, {}).get(case):
                item.add_marker(pytest.mark.xfail(reason=reason, strict=True))
