"""Every attack that was published or thought of, and the tests that hold it: a row without a test fails.

The sections are those of the list that the suite is built from: 5.1 is published findings, 5.2 archives and the installation of
plugins, 5.3 what malicious registries, signers, authorities, plugins and files do, 5.4 weak spots of another implementation.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

from tests.hostile.rows import ROWS


def names(module: ModuleType) -> Iterator[str]:
    """The tests of a module, and what its parametrized tests are called."""
    for name, function in vars(module).items():
        if name.startswith("test_"):
            yield name
            for mark in getattr(function, "pytestmark", ()):
                if mark.name == "parametrize":
                    yield from _ids(mark)


def _ids(mark: pytest.Mark) -> Iterator[str]:
    ids = mark.kwargs.get("ids")
    for number, value in enumerate(mark.args[1]):
        if ids is None:
            yield getattr(value, "id", None) or _shown(value)
        else:
            yield ids(value) if callable(ids) else ids[number]


def _shown(value: Any) -> str:
    parts = value if isinstance(value, tuple) else (value,)
    return "-".join(
        part if isinstance(part, str) else getattr(part, "__name__", repr(part)) for part in parts
    )


@pytest.mark.parametrize("row", ROWS)
def test_a_row_of_the_attack_list_has_its_tests(row: str) -> None:
    held = [place.partition(": ") for place in ROWS[row]]
    assert held
    for where, _, name in held:
        path = where if "/" in where else f"hostile/test_{where}"
        known = set(names(importlib.import_module(f"tests.{path.replace('/', '.')}")))
        assert name in known, f"{path} has no {name!r}"


def test_every_section_is_there() -> None:
    found = {row.partition(" ")[0] for row in ROWS}
    assert found == {
        "5.1",
        "5.2",
        *(f"5.3.{n}" for n in range(1, 8)),
        *(f"5.4.{c}" for c in "abcdefghijklmnop"),
        "7.1",
    }
