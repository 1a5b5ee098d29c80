from __future__ import annotations

import pytest

from nv2.errors import PolicyError
from nv2.trust.level import LEVELS, Action, Level, Validation, custom_level

ENFORCE, LOG, SKIP = Action.ENFORCE, Action.LOG, Action.SKIP

# The table of the specification, written once more, from its text.
SPECIFICATION = {
    "strict": (ENFORCE, ENFORCE, ENFORCE, ENFORCE, ENFORCE),
    "permissive": (ENFORCE, ENFORCE, LOG, LOG, LOG),
    "audit": (ENFORCE, LOG, LOG, LOG, LOG),
    "skip": (SKIP, SKIP, SKIP, SKIP, SKIP),
}
COLUMNS = (
    Validation.INTEGRITY,
    Validation.AUTHENTICITY,
    Validation.AUTHENTIC_TIMESTAMP,
    Validation.EXPIRY,
    Validation.REVOCATION,
)


@pytest.mark.parametrize("name", SPECIFICATION)
def test_a_level_acts_as_the_specification_says(name: str) -> None:
    assert tuple(LEVELS[name].action(column) for column in COLUMNS) == SPECIFICATION[name]


def test_there_are_no_other_levels() -> None:
    assert set(LEVELS) == set(SPECIFICATION)


def test_demanded_user_metadata_is_enforced_whenever_anything_is_verified() -> None:
    enforced = {name: level.action(Validation.USER_METADATA) is ENFORCE for name, level in LEVELS.items()}
    assert enforced == {"strict": True, "permissive": True, "audit": True, "skip": False}


def test_a_denial_is_enforced_whenever_anything_is_verified() -> None:
    enforced = {name: level.action(Validation.DENIAL) is ENFORCE for name, level in LEVELS.items()}
    assert enforced == {"strict": True, "permissive": True, "audit": True, "skip": False}


def test_only_skip_skips() -> None:
    assert [name for name, level in LEVELS.items() if level.skips] == ["skip"]


def test_an_override_changes_what_it_names_and_nothing_else() -> None:
    level = custom_level("strict", {"expiry": "log", "revocation": "skip"}, "sv")
    assert level.name == "custom"
    assert {v for v in Validation if level.action(v) is not LEVELS["strict"].action(v)} == {
        Validation.EXPIRY,
        Validation.REVOCATION,
    }


def test_an_empty_override_leaves_the_level_as_it_is() -> None:
    assert custom_level("audit", {}, "sv") is LEVELS["audit"]


@pytest.mark.parametrize(
    ("base", "override", "at"),
    [
        ("strict", {"integrity": "log"}, "sv.override"),
        ("strict", {"userMetadata": "log"}, "sv.override"),
        ("strict", {"Expiry": "log"}, "sv.override"),
        ("strict", {"authenticity": "skip"}, "sv.override.authenticity"),
        ("strict", {"authenticTimestamp": "skip"}, "sv.override.authenticTimestamp"),
        ("strict", {"expiry": "skip"}, "sv.override.expiry"),
        ("strict", {"revocation": "ignore"}, "sv.override.revocation"),
        ("skip", {"expiry": "log"}, "sv.override"),
        ("Strict", {}, "sv.level"),
        ("", {}, "sv.level"),
    ],
)
def test_what_cannot_be_customised_is_refused_at_its_place(
    base: str, override: dict[str, str], at: str
) -> None:
    with pytest.raises(PolicyError) as caught:
        custom_level(base, override, "sv")
    assert caught.value.at == at


@pytest.mark.parametrize("action", ["enforce", "log", "skip"])
def test_revocation_can_be_enforced_logged_or_skipped(action: str) -> None:
    level = custom_level("permissive", {"revocation": action}, "sv")
    assert level.action(Validation.REVOCATION) is Action(action)


def test_a_level_cannot_be_changed() -> None:
    level: Level = LEVELS["strict"]
    with pytest.raises(TypeError):
        level.actions[Validation.INTEGRITY] = LOG  # type: ignore[index]
