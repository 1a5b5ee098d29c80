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


def test_a_redirect_and_the_login_that_is_wanted_are_noted() -> None:
    lines: list[str] = []
    realm = f'Bearer realm="https://auth.test/token?x={SECRET}",service="s",error="invalid_token"'

    def redirected(request: Request) -> Response:
        there = request._replace(url=f"https://other.test/v2/?signature={SECRET}")
        return answer(there, 401, headers={"www-authenticate": realm})

    send(
        Traced(FunctionTransport(redirected), lines.append), Request("GET", "https://reg.example/v2/")
    ).discard()
    assert lines[1] == (
        "response #1: 401 from https://other.test/v2/ (wants a token of https://auth.test/token, invalid_token)"
    )


@pytest.mark.parametrize(
    ("header", "said"),
    [('Basic realm="x"', "(wants a password)"), ("Negotiate", "(wants no login that is known here)")],
)
def test_a_wanted_password_is_noted(header: str, said: str) -> None:
    lines: list[str] = []
    transport = FunctionTransport(lambda request: answer(request, 401, headers={"www-authenticate": header}))
    send(Traced(transport, lines.append), Request("GET", "https://reg.example/v2/")).discard()
    assert lines[1] == f"response #1: 401 {said}"
