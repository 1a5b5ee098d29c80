import pytest

from nv2.errors import BadAnswer, UsageError
from nv2.transport.wire import (
    MAX_FIELDS,
    Framing,
    framing,
    parse_chunk_size,
    parse_head,
    request_head,
)


def head(*lines: str, status: str = "HTTP/1.1 200 OK") -> bytes:
    return "\r\n".join((status, *lines)).encode("latin-1")


def test_a_request_is_written_line_by_line() -> None:
    assert request_head("GET", "/v2/", {"Host": "r.test"}) == b"GET /v2/ HTTP/1.1\r\nHost: r.test\r\n\r\n"


@pytest.mark.parametrize("value", ["a\r\nX: b", "a\nb", "a\0", "\u00e9"])
def test_a_header_that_would_break_its_line_is_never_sent(value: str) -> None:
    with pytest.raises(UsageError):
        request_head("GET", "/", {"Authorization": value})


def test_names_are_lower_case_and_equal_ones_are_joined() -> None:
    found = parse_head(head("Link: <a>", "LINK: <b>", "X:  padded \t"), "r.test")
    assert found.headers == {"link": "<a>, <b>", "x": "padded"} and found.keep_alive


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"HTTP/2 200 OK",
        b"SSH-2.0-OpenSSH",
        b"HTTP/1.1 20 OK",
        head("no colon"),
        head("Space : before colon"),
        head("A: 1", " folded"),
        head("A: b\nC: d"),
        head(*(f"H{i}: x" for i in range(MAX_FIELDS + 1))),
    ],
)
def test_a_malformed_head_is_refused(data: bytes) -> None:
    with pytest.raises(BadAnswer):
        parse_head(data, "r.test")


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["Content-Length: 5"], Framing(5)),
        (["Content-Length: 5", "Content-Length: 5"], Framing(5)),
        (["Transfer-Encoding: chunked"], Framing(None, True)),
        ([], Framing(None)),
    ],
)
def test_the_head_says_where_the_body_ends(lines: list[str], expected: Framing) -> None:
    assert framing(parse_head(head(*lines), "r"), "GET", "r") == expected


def test_the_answer_to_head_has_no_body() -> None:
    assert framing(parse_head(head("Content-Length: 5"), "r"), "HEAD", "r") == Framing(0)


@pytest.mark.parametrize(
    "lines",
    [
        ["Content-Length: 5", "Content-Length: 6"],
        ["Content-Length: +5"],
        ["Content-Length: -1"],
        ["Content-Length: 0x5"],
        ["Content-Length: " + "9" * 30],
        ["Transfer-Encoding: chunked", "Content-Length: 5"],
        ["Transfer-Encoding: gzip, chunked"],
    ],
)
def test_an_ambiguous_end_is_refused(lines: list[str]) -> None:
    with pytest.raises(BadAnswer):
        framing(parse_head(head(*lines), "r"), "GET", "r")


def test_a_connection_is_kept_only_where_http_says_so() -> None:
    assert not parse_head(head("Connection: close"), "r").keep_alive
    assert not parse_head(head(status="HTTP/1.0 200 OK"), "r").keep_alive


def test_a_chunk_announces_its_size_in_hexadecimal() -> None:
    assert parse_chunk_size(b"1a;name=value", "r") == 26


@pytest.mark.parametrize("line", [b"", b"-1", b"0x5", b"5 5", b"g", b"f" * 16])
def test_a_malformed_chunk_size_is_refused(line: bytes) -> None:
    with pytest.raises(BadAnswer):
        parse_chunk_size(line, "r")
