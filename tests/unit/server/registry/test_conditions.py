"""Conditional requests."""

from __future__ import annotations

import pytest

from nv2.server.registry.conditions import ALWAYS, Condition, condition_of, entity_tag

NOW = "sha256:" + "a" * 64
OTHER = "sha256:" + "b" * 64


def test_without_a_condition_everything_goes() -> None:
    assert ALWAYS.holds(None)
    assert ALWAYS.holds(NOW)
    assert condition_of({}) == ALWAYS


@pytest.mark.parametrize(
    ("field", "current", "holds"),
    [
        (entity_tag(NOW), NOW, True),
        (f"{entity_tag(OTHER)}, {entity_tag(NOW)}", NOW, True),
        (entity_tag(OTHER), NOW, False),
        (entity_tag(NOW), None, False),
        ("*", NOW, True),
        ("*", None, False),
        (f"W/{entity_tag(NOW)}", NOW, False),
        (NOW, NOW, False),
    ],
)
def test_if_match(field: str, current: str | None, holds: bool) -> None:
    assert condition_of({"if-match": field}).holds(current) is holds


@pytest.mark.parametrize(
    ("field", "current", "holds"),
    [
        (entity_tag(NOW), NOW, False),
        (f"W/{entity_tag(NOW)}", NOW, False),
        (entity_tag(OTHER), NOW, True),
        ("*", NOW, False),
        ("*", None, True),
        (entity_tag(NOW), None, True),
    ],
)
def test_if_none_match(field: str, current: str | None, holds: bool) -> None:
    assert condition_of({"if-none-match": field}).holds(current) is holds


def test_both_conditions_must_hold() -> None:
    assert not Condition(entity_tag(NOW), entity_tag(NOW)).holds(NOW)
