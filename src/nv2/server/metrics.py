"""What was answered, in figures: the text format of Prometheus, at `/metrics`; and `/healthz`.

What this module does not do: know who may ask; that is `server.access`.
"""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator

from nv2.server.messages import Answer, Call, Respond, Served

STEPS = (0.005, 0.025, 0.1, 0.5, 2.5, 10.0, 60.0)
"""Seconds: the upper ends of the classes of requests; the last takes the rest."""

TYPE = "text/plain; version=0.0.4; charset=utf-8"

_KINDS = ("manifests", "uploads", "blobs", "referrers", "tags", "token", "metrics", "healthz")

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})


class Metrics:
    """Counts what it is told (`observe`), and answers `/metrics` as a layer."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: Counter[tuple[str, str, int]] = Counter()
        self._classes = [0] * (len(STEPS) + 1)
        self._seconds = 0.0
        self._received = self._sent = 0
        self._started = time.time()

    def observe(self, served: Served) -> None:
        """Count a request that was answered."""
        method = served.method if served.method in _METHODS else "other"
        with self._lock:
            self._requests[_kind(served.target), method, served.status] += 1
            self._classes[bisect_left(STEPS, served.seconds)] += 1
            self._seconds += served.seconds
            self._received += served.received
            self._sent += served.sent

    def __call__(self, call: Call, respond: Respond) -> Answer:
        """The figures, or the answer to anything else."""
        if call.path != "/metrics" or call.method not in ("GET", "HEAD"):
            return respond(call)
        with self._lock:
            text = "\n".join(self._lines()) + "\n"
        return Answer(200, {"Content-Type": TYPE, "Cache-Control": "no-store"}, text.encode())

    def _lines(self) -> Iterator[str]:
        yield "# HELP nv2_http_requests_total Requests that were answered."
        yield "# TYPE nv2_http_requests_total counter"
        for (kind, method, status), count in sorted(self._requests.items()):
            labels = f'kind="{kind}",method="{method}",status="{status}"'
            yield f"nv2_http_requests_total{{{labels}}} {count}"
        yield "# HELP nv2_http_request_seconds From the first byte of a request to the last of its answer."
        yield "# TYPE nv2_http_request_seconds histogram"
        total = 0
        for step, count in zip((*map(str, STEPS), "+Inf"), self._classes, strict=True):
            total += count
            yield f'nv2_http_request_seconds_bucket{{le="{step}"}} {total}'
        yield f"nv2_http_request_seconds_sum {self._seconds:.6f}"
        yield f"nv2_http_request_seconds_count {total}"
        for name, what, value in (
            ("nv2_http_received_bytes_total", "Bytes of requests.", self._received),
            ("nv2_http_sent_bytes_total", "Bytes of the bodies of answers.", self._sent),
        ):
            yield from (f"# HELP {name} {what}", f"# TYPE {name} counter", f"{name} {value}")
        yield "# HELP nv2_start_time_seconds When the registry started, in seconds since 1970."
        yield "# TYPE nv2_start_time_seconds gauge"
        yield f"nv2_start_time_seconds {self._started:.3f}"


def health(call: Call, respond: Respond) -> Answer:
    """`/healthz`: 200 if the registry can read its index, else 503. Anybody may ask."""
    if call.path != "/healthz" or call.method not in ("GET", "HEAD"):
        return respond(call)
    inside = respond(call._replace(path="/v2/_catalog", query={"n": ("1",)}, headers={}, method="GET"))
    inside.close()
    healthy = inside.status == 200
    text = b"ok\n" if healthy else b"the index cannot be read\n"
    return Answer(200 if healthy else 503, {"Content-Type": "text/plain", "Cache-Control": "no-store"}, text)


def _kind(target: str) -> str:
    """Which of few words describes `target` best, so that the figures stay few whatever is asked."""
    words = target.partition("?")[0].split("/")
    return next((kind for kind in _KINDS if kind in words[-3:]), "other")
