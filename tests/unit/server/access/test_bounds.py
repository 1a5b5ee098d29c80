"""Nothing may be written, or only so much."""

from __future__ import annotations

import pytest

from nv2.server.access.bounds import BodyLimit, read_only
from nv2.server.messages import Answer, BadMessage, Call
from tests.unit.server.calls import ask


def _reading(call: Call) -> Answer:
    return Answer(200, {}, call.body.read(100))


@pytest.mark.parametrize(
    ("method", "status"),
    [("GET", 200), ("HEAD", 200), ("PUT", 405), ("POST", 405), ("PATCH", 405), ("DELETE", 405)],
)
def test_a_read_only_registry_answers_those_who_read(method: str, status: int) -> None:
    assert ask(lambda call: read_only(call, _reading), method, "/v2/a/manifests/v1").status == status


def test_a_body_that_says_it_is_too_large_is_refused_unread() -> None:
    limit = BodyLimit(5)
    assert ask(lambda call: limit(call, _reading), "PUT", "/", b"12345").data == b"12345"
    assert ask(lambda call: limit(call, _reading), "PUT", "/", b"123456").status == 413


def test_what_comes_in_several_requests_is_bounded_where_it_is_put_together() -> None:
    told: list[int] = []

    def telling(call: Call) -> Answer:
        told.append(call.upload_limit)
        return Answer(202)

    ask(lambda call: BodyLimit(5)(call, telling), "PATCH", "/")
    assert told == [5]


class Endless:
    size = None

    def read(self, size: int) -> bytes:
        return b"x" * size


def test_a_body_that_does_not_say_is_cut_where_it_becomes_too_large() -> None:
    limit = BodyLimit(150)

    def reading_on(call: Call) -> Answer:
        while call.body.read(100):
            pass
        return Answer(200)

    with pytest.raises(BadMessage) as refused:
        limit(Call("PATCH", "/", Endless()), reading_on)
    assert refused.value.status == 413
