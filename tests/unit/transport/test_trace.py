"""What `--debug` says about the network holds no secret."""

from __future__ import annotations

import pytest

from nv2.errors import Unreachable
from nv2.transport.interface import Request, Response, send
from nv2.transport.trace import Traced
from tests.world.registry import FunctionTransport, answer

SECRET = "s3cret"


def test_a_request_and_its_answer_are_one_line_each_without_secrets():
    lines: list[str] = []
    transport = Traced(FunctionTransport(lambda request: answer(request, 200, SECRET.encode())), lines.append)
    headers = {"Authorization": SECRET}
    send(transport, Request("GET", f"https://reg.example/v2/?token={SECRET}", headers)).discard()
    assert lines == ["request #1: GET https://reg.example/v2/", "response #1: 200"]


def test_a_failure_is_a_line_too():
    def refuse(_: Request) -> Response:
        raise Unreachable("connection refused", at="reg.example")

    lines: list[str] = []
    with pytest.raises(Unreachable):
        send(Traced(FunctionTransport(refuse), lines.append), Request("GET", "https://reg.example/v2/"))
    assert lines[1] == "response #1: reg.example: connection refused"
