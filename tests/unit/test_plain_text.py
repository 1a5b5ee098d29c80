"""Values as plain text."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from nv2.plain_text import (
    MAX_LINE,
    MAX_QUOTED,
    one_line,
    parse_instant,
    parse_span,
    quoted,
    rfc3339,
    span,
)


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


def test_a_span_is_written_in_its_two_largest_units_and_read_back() -> None:
    for text in ("14d", "1d12h", "5m", "0s", "36s"):
        found = parse_span(text)
        assert found is not None and span(found) == text
    assert span(timedelta(days=1, hours=2, minutes=3)) == "1d2h"
    assert parse_span("36h") == timedelta(hours=36)


def test_what_is_no_span_is_none() -> None:
    for text in (
        "",
        "14",
        "-1d",
        "1w",
        "1d ",
        "d",
        "1.5d",
        "9999999d",
        "\u0661d",
        "1d1d",
        "1h1d",
        "999999d" * 1001,
    ):
        assert parse_span(text) is None, text


def test_an_instant_is_read_in_utc() -> None:
    assert parse_instant("2026-01-02T15:04:05+02:00") == datetime(2026, 1, 2, 13, 4, 5, tzinfo=UTC)
    assert parse_instant("2026-01-02T15:04:05Z") == datetime(2026, 1, 2, 15, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    ["", "today", "2026-01-02T15:04:05", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"],
)
def test_what_names_no_instant_that_utc_has_is_none(text: str) -> None:
    assert parse_instant(text) is None
