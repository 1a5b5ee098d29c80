"""The table of known failures: it names cases that exist, each once, and no registry of ours."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from tests.contract.registry.conftest import HERE, PEERS, case_of
from tests.contract.registry.known_failures import KNOWN_FAILURES, REGISTRIES, TABLE


def test_only_registries_of_other_projects_may_fail() -> None:
    assert {name for row in TABLE for name in row.registries.split()} <= set(PEERS) == set(REGISTRIES)


def test_a_case_of_a_registry_stands_there_once() -> None:
    pairs = Counter((row.case, name) for row in TABLE for name in row.registries.split())
    assert max(pairs.values()) == 1


def test_every_row_names_a_case_that_exists(request: pytest.FixtureRequest) -> None:
    collected = {case_of(item)[1] for item in request.session.items if isinstance(item, pytest.Function)}
    modules = {item.path.name for item in request.session.items if item.path.parent == HERE}
    if not {"test_blobs.py", "test_manifests.py", "test_listings.py"} <= modules:
        collected |= {row.case for row in TABLE}  # only a part was asked for
    assert {row.case for row in TABLE} - collected == set()


def test_the_documentation_says_how_many_there_are() -> None:
    page = (HERE.parents[2] / "docs" / "testing.md").read_text(encoding="utf-8")
    rows = re.findall(
        r"^\| [^|]+ \| (\d+) \| (\d+) \| (\d+) \|$", page.partition("## The cases for")[2], re.MULTILINE
    )
    assert [int(known) for _, _, known in rows[:4]] == [
        0,
        *(len(KNOWN_FAILURES[name]) for name in REGISTRIES),
    ]
    assert all(int(cases) == int(passed) + int(known) for cases, passed, known in rows[:4])
