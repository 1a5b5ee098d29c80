"""What a stranger sends is read, or refused with one error: never anything else, whatever it is."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from nv2.errors import Nv2Error
from nv2.transport.challenges import parse_challenges
from nv2.transport.retry import MAX_RETRY_AFTER, delay_before
from nv2.transport.tokens import join_scopes, split_scopes
from nv2.transport.urls import origin_of, parse_url, reach_of, resolve_url
from nv2.transport.wire import framing, parse_chunk_size, parse_head

LINES = st.lists(
    st.one_of(
        st.binary(max_size=40),
        st.sampled_from(
            [b"Content-Length: 1", b"Content-Length: 1, 1", b"Transfer-Encoding: chunked", b"A:b"]
        ),
    ),
    max_size=6,
)


@given(st.sampled_from([b"HTTP/1.1 200 OK", b"HTTP/1.0 204 ", b"HTTP/1.1 99 x", b""]), LINES)
def test_the_head_of_an_answer_is_read_or_refused(status: bytes, lines: list[bytes]) -> None:
    try:
        head = parse_head(b"\r\n".join([status, *lines]), "r.test")
        frame = framing(head, "GET", "r.test")
    except Nv2Error:
        return
    assert not (frame.chunked and "content-length" in head.headers)


@given(st.binary(max_size=30))
def test_the_size_of_a_chunk_is_read_or_refused(line: bytes) -> None:
    try:
        assert parse_chunk_size(line, "r.test") >= 0
    except Nv2Error:
        return


@given(st.text(st.sampled_from('Bearer Basic,="\\ realm service scope\t;:/x'), max_size=60))
def test_any_challenge_can_be_read(header: str) -> None:
    parse_challenges(header)


@given(
    st.text(max_size=60) | st.text(st.sampled_from("htps:/[]@.%?#0189xa"), max_size=40).map("http://".__add__)
)
def test_an_address_is_read_or_refused_and_reads_the_same_again(text: str) -> None:
    try:
        address = parse_url(text)
    except Nv2Error:
        return
    again = f"{address.origin.scheme}://{address.origin.authority}{address.target}"
    assert parse_url(again) == address
    reach_of(address.origin.host)


@given(st.text(st.sampled_from("htps:/[]@.%?#0189xa"), max_size=40))
def test_a_location_leads_to_an_address_or_nowhere_and_never_out_of_tls(location: str) -> None:
    try:
        url = resolve_url("https://r.test/v2/", location)
    except Nv2Error:
        return
    assert origin_of(url).scheme == "https"


@given(st.text(max_size=40))
def test_no_retry_after_makes_us_wait_longer_than_the_limit(value: str) -> None:
    delay = delay_before(2, {"retry-after": value}, 0.0, 0.5)
    assert delay is None or 0 <= delay <= MAX_RETRY_AFTER


@given(
    st.frozensets(
        st.tuples(
            st.sampled_from(["repository:a", "repository:b", ""]), st.sampled_from(["pull", "push", "x"])
        )
    )
)
def test_scopes_that_are_joined_and_split_are_the_same(scopes: frozenset[tuple[str, str]]) -> None:
    assert split_scopes(join_scopes(scopes)) == scopes
