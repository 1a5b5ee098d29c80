from __future__ import annotations

import io
import threading

import pytest

from nv2.errors import BadAnswer, Unreachable
from nv2.transport import jobs
from nv2.transport.interface import Request, Response
from nv2.transport.jobs import Job

ASKED = Request("GET", "http://registry.example/v2/", total_timeout=60.0)


def test_the_answer_of_the_worker_is_what_the_caller_waited_for() -> None:
    job, answer = Job(ASKED, 0), _answer(ASKED)
    threading.Thread(target=job.run, args=(lambda _: answer,)).start()
    assert job.response() is answer


def test_what_goes_wrong_in_the_worker_is_raised_where_the_answer_is_awaited() -> None:
    def refused(_: Job) -> Response:
        raise BadAnswer("no")

    job = Job(ASKED, 0)
    job.run(refused)
    with pytest.raises(BadAnswer, match="no"):
        job.response()


def test_an_answer_that_comes_after_all_hope_was_given_up_is_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(jobs, "GRACE", 0.0)
    monkeypatch.setattr(jobs, "NOTICE", 0.001)
    job, late = Job(ASKED._replace(total_timeout=0.0), 0), _answer(ASKED)

    def work(waiting: Job) -> Response:
        with pytest.raises(Unreachable, match="no answer within 0 seconds"):
            waiting.response()
        return late

    job.run(work)
    assert late.stream.closed


def test_a_request_that_nobody_waits_for_any_more_is_not_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "GRACE", 0.0)
    monkeypatch.setattr(jobs, "NOTICE", 0.001)
    job, begun = Job(ASKED._replace(total_timeout=0.0), 0), threading.Event()

    def work(_: Job) -> Response:
        begun.set()
        return _answer(ASKED)

    with pytest.raises(Unreachable):
        job.response()
    job.run(work)
    assert not begun.is_set()


def test_a_pause_that_would_use_up_the_time_is_known_to() -> None:
    job = Job(ASKED, 0)
    assert job.has_time_for(1.0)
    assert not job.has_time_for(61.0)
    assert Job(ASKED._replace(total_timeout=None), 0).has_time_for(1e9)


def _answer(request: Request) -> Response:
    return Response(200, {}, io.BytesIO(b"body"), request)
