"""What is asked for evidence, and what of the answer counts, with a network of functions."""

from __future__ import annotations

import base64
import threading
import tracemalloc
from functools import partial
from typing import Any
from urllib.parse import unquote

import pytest

from nv2.errors import BadAnswer, InvalidRevocationData, Nv2Error, RemoteError, Unreachable
from nv2.pki.certificate import parse_certificate
from nv2.pki.crl import MAX_CRL, parse_crl
from nv2.pki.ocsp import MAX_RESPONSE
from nv2.revocation.evidence import (
    CRL_HEAD_TIMEOUT,
    CRL_TIMEOUT,
    OCSP_TIMEOUT,
    Evidence,
    crl_request,
    ocsp_request,
)
from nv2.transport.interface import AddressRule, Request, Response
from tests.world.ca import CA
from tests.world.crl import crl, many_entries
from tests.world.network import FunctionTransport, answer

RESPONDER = "http://ocsp.test/"
CRL = "http://crl.test/ca.crl"
WABBIT, STRANGER = (parse_certificate(CA(name).certificate) for name in ("Wabbit", "Stranger"))


def saying(status: int, body: bytes = b"") -> FunctionTransport:
    return FunctionTransport(lambda request: answer(request, status, body))


def asked(transport: FunctionTransport, url: str = RESPONDER, request: bytes = b"request") -> bytes:
    return Evidence(threading.Lock).ocsp(transport, url, request).get()


@pytest.mark.parametrize("request_", [ocsp_request(RESPONDER, b"short"), ocsp_request(RESPONDER, b"x" * 999), crl_request(CRL)])  # fmt: skip
def test_who_is_asked_is_a_stranger(request_: Request) -> None:
    assert request_.anonymous and request_.address_rule is AddressRule.NOT_LINK_LOCAL
    assert not request_.persistent
    assert not {"authorization", "cookie"} & {name.lower() for name in request_.headers}


def test_a_short_question_is_a_get_that_can_be_answered_on_the_way() -> None:
    request = ocsp_request("http://ocsp.test/ca/", b"\xff\xfe\xfd\xfb")
    assert request.method == "GET" and request.body is None
    assert base64.b64decode(unquote(request.url.removeprefix("http://ocsp.test/ca/"))) == b"\xff\xfe\xfd\xfb"
    assert (request.limit, request.total_timeout) == (MAX_RESPONSE, OCSP_TIMEOUT)


@pytest.mark.parametrize(("url", "question"), [(RESPONDER, b"x" * 300), ("http://ocsp.test/?ca=1", b"short")])
def test_any_other_question_is_a_post(url: str, question: bytes) -> None:
    request = ocsp_request(url, question)
    assert (request.method, request.url) == ("POST", url) and request.body
    assert request.body().read() == question and request.body_size == len(question)
    assert request.headers["Content-Type"] == "application/ocsp-request"


def test_a_crl_may_be_large_and_take_its_time_once_it_comes() -> None:
    request = crl_request(CRL)
    assert (request.limit, request.total_timeout) == (MAX_CRL, CRL_TIMEOUT)
    assert request.head_timeout == CRL_HEAD_TIMEOUT


@pytest.mark.parametrize("status", [201, 204, 301, 302, 400, 401, 404, 500, 503])
def test_only_a_200_is_an_answer(status: int) -> None:
    with pytest.raises(BadAnswer, match=f"answered {status}"):
        asked(saying(status, b"as good as any"))


def test_an_answer_without_end_is_cut_off() -> None:
    with pytest.raises(BadAnswer, match="longer than"):
        asked(saying(200, b"x" * (MAX_RESPONSE + 1)))


def test_what_is_no_crl_is_said_by_whoever_wants_it() -> None:
    with pytest.raises(InvalidRevocationData):
        Evidence(threading.Lock).crl(saying(200, b"<html>not found</html>"), CRL, WABBIT).get()


def test_a_crl_is_the_issuers_who_is_asked_about_and_nobody_elses() -> None:
    evidence, transport = Evidence(threading.Lock), saying(200, crl(CA("Wabbit")))
    for _ in range(2):
        with pytest.raises(InvalidRevocationData, match="another issuer"):
            evidence.crl(transport, CRL, STRANGER).get()
        assert evidence.crl(transport, CRL, WABBIT).get().issuer_der == WABBIT.subject_der
    assert len(transport.requests) == 2


@pytest.mark.parametrize(
    "body",
    [crl(CA("Wabbit"), raw_entries=many_entries(9999), bad_signature=True), b"x" * 400_000],
    ids=["forged", "junk"],
)
def test_what_does_not_count_takes_no_memory_to_the_end_of_the_run(body: bytes) -> None:
    transport = FunctionTransport(lambda request: answer(request, 200, body))
    tracemalloc.start()
    try:
        asked = Evidence(threading.Lock).crl(transport, CRL, WABBIT)
        with pytest.raises(InvalidRevocationData):
            asked.get()
        taken, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert taken < len(body) // 2 < most


@pytest.mark.parametrize(
    "url", ["", "ldap://ldap.test/cn=CA", "file:///etc/passwd", "http://", "http://[", "http://a b/", "\x00", "//x"]
)  # fmt: skip
def test_an_address_that_is_none_is_one_refusal(url: str) -> None:
    from nv2.transport.http import HttpTransport

    evidence, transport = Evidence(threading.Lock), HttpTransport()
    for ask in (partial(evidence.crl, issuer=WABBIT), partial(evidence.ocsp, request=b"x")):
        with pytest.raises(BadAnswer, match="not an"):
            ask(transport, url).get()  # type: ignore[operator]


def test_equal_questions_are_asked_once_and_answered_alike() -> None:
    evidence, transport = Evidence(threading.Lock), saying(200, b"yes")
    found = {evidence.ocsp(transport, RESPONDER, b"q").get() for _ in range(3)}
    assert found == {b"yes"} and len(transport.requests) == 1


def test_failures_are_remembered_for_the_run() -> None:
    evidence, transport = Evidence(threading.Lock), FunctionTransport({})
    for _ in range(3):
        with pytest.raises(Unreachable, match="cannot find the host"):
            evidence.crl(transport, CRL, WABBIT).get()
    assert len(transport.requests) == 1


def test_other_questions_and_other_responders_are_asked_for_themselves() -> None:
    evidence, transport = Evidence(threading.Lock), saying(200, b"yes")
    for url, question in ((RESPONDER, b"1"), (RESPONDER, b"2"), ("http://other.test/", b"1")):
        evidence.ocsp(transport, url, question).get()
    assert len(transport.requests) == 3


def test_threads_that_want_the_same_ask_once() -> None:
    together = threading.Barrier(8, timeout=30)
    transport = saying(200, b"yes")
    evidence = Evidence(threading.Lock)
    found: list[bytes | RemoteError] = []

    def work() -> None:
        together.wait()
        found.append(evidence.ocsp(transport, RESPONDER, b"q").get())

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [b"yes"] * 8 and len(transport.requests) == 1


def test_a_question_is_on_its_way_before_anybody_waits() -> None:
    waiting: list[str] = []

    class Slow:
        def start(self, request: Request) -> Any:
            waiting.append(request.url)
            return self

        def response(self) -> Response:
            raise Unreachable("never")

    evidence = Evidence(threading.Lock)
    evidence.crl(Slow(), CRL, WABBIT)
    evidence.crl(Slow(), CRL + "2", WABBIT)
    assert waiting == [CRL, CRL + "2"]


def test_who_had_no_time_left_to_ask_does_not_answer_for_the_others() -> None:
    class Over:
        def start(self, request: Request) -> Any:
            raise Unreachable("not asked: the time is over", at=request.place)

    evidence = Evidence(threading.Lock)
    with pytest.raises(Unreachable, match="time is over"):
        evidence.ocsp(Over(), RESPONDER, b"q").get()
    assert evidence.ocsp(saying(200, b"yes"), RESPONDER, b"q").get() == b"yes"


def test_what_two_certificates_have_in_common_is_stored_once() -> None:
    stored: list[str] = []

    class Counting:
        warnings: list[Nv2Error] = []  # noqa: RUF012

        def load(self, url: str) -> None:
            return None

        def store(self, url: str, base: bytes, delta: bytes | None) -> None:
            stored.append(url)

    evidence = Evidence(threading.Lock)
    base, newer = (parse_crl(crl(CA("Wabbit"), number=n)) for n in (1, 2))
    for found in (base, base, newer):
        evidence.keep(CRL, found, None, Counting())
    assert stored == [CRL, CRL]
