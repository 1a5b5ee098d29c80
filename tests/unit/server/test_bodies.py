"""Bodies of requests, whole, in chunks, and hostile."""

from __future__ import annotations

import io

import pytest

from nv2.server.bodies import MAX_TRAILER, AwaitedBody, SizedBody, body_of, skip
from nv2.server.messages import BadMessage, Body, Disconnected


def chunked(data: bytes) -> Body:
    return body_of(io.BytesIO(data), [], ["chunked"])


def whole(body: Body, size: int = 3) -> bytes:
    return b"".join(iter(lambda: body.read(size), b""))


def test_a_sized_body_ends_where_it_says() -> None:
    stream = io.BytesIO(b"hello, next request")
    assert whole(body_of(stream, ["5"], [])) == b"hello"
    assert stream.read() == b", next request"


def test_a_request_without_a_length_has_no_body() -> None:
    body = body_of(io.BytesIO(b"next request"), [], [])
    assert (body.size, body.read(10)) == (0, b"")


def test_chunks_are_joined() -> None:
    assert whole(chunked(b"5\r\nhello\r\nA;name=value\r\n, chunked!\r\n0\r\n\r\n")) == b"hello, chunked!"


def test_a_trailer_is_dropped_and_the_next_request_stays() -> None:
    stream = io.BytesIO(b"1\r\nx\r\n0\r\nDigest: none\r\n\r\nGET")
    assert whole(body_of(stream, [], ["Chunked"])) == b"x"
    assert stream.read() == b"GET"


@pytest.mark.parametrize(
    "data",
    [
        b"x\r\nhello\r\n",
        b"-1\r\nhello\r\n",
        b"0x5\r\nhello\r\n",
        b"5 5\r\nhello\r\n",
        b"\r\nhello\r\n",
        b"fffffffffffffffff\r\nhello",
        b"5" + b" " * 300 + b"\r\nhello\r\n0\r\n\r\n",
        b"5\r\nhello!\r\n0\r\n\r\n",
        b"5\nhello\r\n0\r\n\r\n",
        b"5;a\nb\r\nhello\r\n0\r\n\r\n",
        b"5\r\nhello\n0\r\n\r\n",
        b"5\r\nhello\r\n0\r\n\n" + b"x" * MAX_TRAILER,
        b"0\r\n" + b"a: b\r\n" * MAX_TRAILER + b"\r\n",
    ],
)
def test_malformed_chunks_are_refused(data: bytes) -> None:
    with pytest.raises(BadMessage) as caught:
        whole(chunked(data))
    assert caught.value.status == 400


@pytest.mark.parametrize("data", [b"", b"5\r\nhel", b"5\r\nhello\r\n"])
def test_a_chunked_body_that_breaks_off_is_not_complete(data: bytes) -> None:
    with pytest.raises(Disconnected):
        whole(chunked(data))


def test_a_sized_body_that_breaks_off_is_not_complete() -> None:
    with pytest.raises(Disconnected):
        whole(body_of(io.BytesIO(b"hel"), ["5"], []))


@pytest.mark.parametrize(
    ("lengths", "codings", "status"),
    [
        (["5"], ["chunked"], 400),
        (["5", "5"], [], 400),
        (["+5"], [], 400),
        (["\x1e5"], [], 400),
        (["5, 5"], [], 400),
        (["٥"], [], 400),
        (["9" * 19], [], 400),
        ([""], [], 400),
        ([], ["gzip, chunked"], 501),
        ([], ["chunked", "chunked"], 501),
        ([], ["identity"], 501),
        ([], ["\x0bchunked"], 501),
        ([], ["chunked\xa0"], 501),
        ([], ["\x85chunked"], 501),
    ],
)
def test_ambiguous_lengths_are_refused(lengths: list[str], codings: list[str], status: int) -> None:
    with pytest.raises(BadMessage) as caught:
        body_of(io.BytesIO(b"hello"), lengths, codings)
    assert caught.value.status == status


def test_the_client_is_told_to_send_once_and_only_when_the_body_is_read() -> None:
    told: list[bool] = []
    body = AwaitedBody(SizedBody(io.BytesIO(b"hello"), 5), lambda: told.append(True))
    assert (told, body.asked) == ([], False)
    assert whole(body) == b"hello"
    assert (told, body.asked) == ([True], True)


def test_skipping_stops_at_its_limit() -> None:
    assert skip(SizedBody(io.BytesIO(b"hello"), 5), 6)
    assert not skip(SizedBody(io.BytesIO(b"hello"), 5), 4)
