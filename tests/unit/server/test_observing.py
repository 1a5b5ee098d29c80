"""The access log, the figures, and whether the registry is well."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from nv2.errors import EnvironmentFailure
from nv2.server.access_log import AccessLog, line
from nv2.server.messages import Answer, Call, Served
from nv2.server.metrics import Metrics, health
from tests.unit.server.calls import ask

SERVED = Served(
    "GET", "/v2/a/blobs/x?token=secret", 200, "10.0.0.1", "alice", r"docker/20\x1b", 100, 5000, 0.0123456789
)


def test_a_line_says_what_was_answered_and_no_query() -> None:
    assert json.loads(line(SERVED, datetime(2026, 11, 22, 12, tzinfo=UTC))) == {
        "time": "2026-11-22T12:00:00.000+00:00",
        "method": "GET",
        "path": "/v2/a/blobs/x",
        "status": 200,
        "peer": "10.0.0.1",
        "user": "alice",
        "agent": r"docker/20\x1b",
        "received": 100,
        "sent": 5000,
        "seconds": 0.012346,
    }


def test_lines_are_added_and_go_on_in_a_new_file_after_the_old_was_moved(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    path.write_text("earlier\n")
    log = AccessLog(path, pytest.fail)
    log(SERVED)
    path.rename(tmp_path / "access.log.1")
    log(SERVED)
    log.reopen()
    log(SERVED)
    log.close()
    assert len((tmp_path / "access.log.1").read_text().splitlines()) == 3
    assert len(path.read_text().splitlines()) == 1
    assert path.stat().st_mode & 0o007 == 0


def test_a_full_disk_is_said_once_and_ends_nothing() -> None:
    said: list[str] = []
    log = AccessLog(Path("/dev/full"), said.append)
    log(SERVED)
    log(SERVED)
    log.close()
    assert said == [f"/dev/full: the access log cannot be written: {os.strerror(28)}"]


def test_a_log_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFailure) as failed:
        AccessLog(tmp_path / "absent" / "log", pytest.fail)
    assert failed.value.at == str(tmp_path / "absent" / "log")


def _nothing(_call: Call) -> Answer:
    return Answer(404)


def test_the_figures_count_requests_in_few_classes() -> None:
    metrics = Metrics()
    for served in (
        SERVED,
        SERVED._replace(target="/v2/b/blobs/y"),
        SERVED._replace(method="BREW", seconds=99, target="/v2/manifests/a/b/blobs/y"),
    ):
        metrics.observe(served)
    text = ask(lambda call: metrics(call, _nothing), "GET", "/metrics").data.decode()
    lines = text.splitlines()
    assert 'nv2_http_requests_total{kind="blobs",method="GET",status="200"} 2' in lines
    assert 'nv2_http_requests_total{kind="blobs",method="other",status="200"} 1' in lines
    assert 'nv2_http_request_seconds_bucket{le="0.005"} 0' in lines
    assert 'nv2_http_request_seconds_bucket{le="0.025"} 2' in lines
    assert 'nv2_http_request_seconds_bucket{le="60.0"} 2' in lines
    assert 'nv2_http_request_seconds_bucket{le="+Inf"} 3' in lines
    assert "nv2_http_sent_bytes_total 15000" in lines
    assert "nv2_http_received_bytes_total 300" in lines
    assert "nv2_http_request_seconds_sum 99.024691" in lines
    assert "alice" not in text
    for method, target in (("GET", "/v2/"), ("POST", "/metrics"), ("GET", "/metrics/")):
        assert ask(lambda call: metrics(call, _nothing), method, target).status == 404


@pytest.mark.parametrize(("inside", "status"), [(200, 200), (500, 503)])
def test_health_is_whether_the_index_can_be_read(inside: int, status: int) -> None:
    asked: list[str] = []

    def registry(call: Call) -> Answer:
        asked.append(call.path)
        return Answer(inside)

    assert ask(lambda call: health(call, registry), "GET", "/healthz").status == status
    assert asked == ["/v2/_catalog"]
