"""Ranges of bytes that clients ask for and send."""

from __future__ import annotations

import pytest

from nv2.server.registry.ranges import Span, Unsatisfiable, chunk_span, wanted_span


@pytest.mark.parametrize(
    ("field", "span"),
    [
        ("bytes=0-0", Span(0, 1)),
        ("bytes=2-4", Span(2, 3)),
        ("bytes=2-", Span(2, 8)),
        ("bytes=-3", Span(7, 3)),
        ("bytes=-30", Span(0, 10)),
        ("bytes=8-100", Span(8, 2)),
        ("bytes = 2 - 4", Span(2, 3)),
    ],
)
def test_a_range_within_ten_bytes(field: str, span: Span) -> None:
    assert wanted_span(field, 10) == span


@pytest.mark.parametrize("field", ["bytes=10-", "bytes=10-12", "bytes=5-4", "bytes=-0"])
def test_a_range_of_nothing_cannot_be_satisfied(field: str) -> None:
    with pytest.raises(Unsatisfiable):
        wanted_span(field, 10)


@pytest.mark.parametrize("field", ["bytes=0-1,3-4", "lines=0-1", "bytes=-", "bytes=a-b", "bytes=+1-2", ""])
def test_what_is_not_one_range_of_bytes_is_ignored(field: str) -> None:
    assert wanted_span(field, 10) is None


def test_of_an_empty_blob_no_range_can_be_satisfied() -> None:
    with pytest.raises(Unsatisfiable):
        wanted_span("bytes=0-", 0)


@pytest.mark.parametrize(("field", "span"), [("0-0", Span(0, 1)), ("10-19", Span(10, 10))])
def test_a_chunk_says_where_it_belongs(field: str, span: Span) -> None:
    assert chunk_span(field) == span
    assert f"{span.first}-{span.last}" == field


@pytest.mark.parametrize("field", ["", "5-4", "bytes 0-4/5", "bytes=0-4", "0-", "-4", "٠-٤"])
def test_a_chunk_that_does_not_say_so_has_no_place(field: str) -> None:
    assert chunk_span(field) is None
