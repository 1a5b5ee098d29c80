"""Values as plain text."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from nv2.plain_text import MAX_LINE, MAX_QUOTED, one_line, quoted, rfc3339


def test_a_plain_line_stays_as_it_is() -> None:
    assert one_line("größer als 5 €") == "größer als 5 €"


def test_control_characters_and_line_ends_are_replaced() -> None:
    assert one_line("a\x1b[2J\nb\u202e") == "a�[2J�b�"


def test_a_long_line_ends_with_an_ellipsis() -> None:
    assert one_line("x" * (MAX_LINE + 1)) == "x" * MAX_LINE + "…"
    assert one_line("x" * MAX_LINE) == "x" * MAX_LINE
    assert one_line("abc", 2) == "ab…"


def test_a_value_is_quoted_within_bounds_and_without_control_characters() -> None:
    assert quoted("a'\x1b\n") == '"a\'\\x1b\\n"'
    assert quoted("x" * (MAX_QUOTED + 1)) == f"'{'x' * MAX_QUOTED}…'"
    assert quoted("x" * MAX_QUOTED) == f"'{'x' * MAX_QUOTED}'"
    assert quoted(7) == "'7'"


def test_an_instant_is_written_in_utc_and_whole_seconds() -> None:
    zone = timezone(timedelta(hours=2))
    assert rfc3339(datetime(2026, 1, 2, 3, 4, 5, 999_999, tzinfo=zone)) == "2026-01-02T01:04:05Z"
    assert rfc3339(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)) == "2026-01-02T03:04:05Z"
