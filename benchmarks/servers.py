"""Which server library should carry the embedded registry: the same function behind each of them, in turns.

    python -m venv /tmp/v && /tmp/v/bin/pip install granian uvicorn httptools uvloop cheroot cryptography
    PYTHONPATH=src /tmp/v/bin/python -m benchmarks.servers [TURNS]

Processor time of the server's processes is counted, not the time that passes: it does not change with what else the
machine does. The decision that came of it is ADR 8.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import NamedTuple

from benchmarks.server_candidates import CANDIDATES

HEADS = 3000
BLOB = 1024**3
PIECE = 1024 * 1024
TICK = os.sysconf("SC_CLK_TCK")
DIGEST_OF_NOTHING = "sha256:" + hashlib.sha256(b"{}").hexdigest()


class Server(NamedTuple):
    """A candidate that runs."""

    process: subprocess.Popen[str]
    port: int

    def _tree(self) -> list[int]:
        found = [self.process.pid]
        for pid in found:
            with contextlib.suppress(OSError):
                for task in Path(f"/proc/{pid}/task").iterdir():
                    found += map(int, (task / "children").read_text().split())
        return found

    def processor(self) -> float:
        """Seconds of processor time so far."""
        stats = (Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split() for pid in self._tree())
        return sum(int(stat[11]) + int(stat[12]) for stat in stats) / TICK

    def memory(self) -> float:
        """MiB that are its own, at this moment."""
        rolled = (Path(f"/proc/{pid}/smaps_rollup").read_text() for pid in self._tree())
        return (
            sum(int(line.split()[1]) for text in rolled for line in text.splitlines() if "Private" in line)
            / 1024
        )

    def ask(
        self, method: str, target: str, body: bytes | Iterator[bytes] = b"", **headers: str
    ) -> http.client.HTTPResponse:
        """One request on a connection of its own; the answer is not read."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=300)
        connection.request(method, target, body, {k.replace("_", "-"): v for k, v in headers.items()})
        return connection.getresponse()


def check(right: bool, found: object) -> None:
    """Stop if an answer is not what was asked for: its figure would mean nothing."""
    if not right:
        raise ValueError(f"unexpected: {found!r}")


@contextlib.contextmanager
def running(name: str, directory: Path) -> Iterator[tuple[Server, float]]:
    """The candidate, and the seconds it took to answer."""
    begun = time.monotonic()
    command = [sys.executable, "-m", "benchmarks.server_candidates", name, str(directory)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        server = Server(process, int((process.stdout or sys.stdin).readline()))
        try:
            while True:
                with contextlib.suppress(OSError):
                    server.ask("GET", "/v2/").read()
                    break
                time.sleep(0.01)
            yield server, time.monotonic() - begun
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def heads(server: Server) -> float:
    """HEAD of a manifest on a kept connection: microseconds of processor time."""
    begun = server.processor()
    with socket.create_connection(("127.0.0.1", server.port)) as line:
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(HEADS):
            line.sendall(b"HEAD /v2/a/manifests/v1 HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n")
            received = b""
            while not received.endswith(b"\r\n\r\n"):
                received += line.recv(65536)
            check(b" 200 " in received[:16], received)
    return (server.processor() - begun) / HEADS * 1e6


def get(server: Server) -> float:
    """GET of 1 GiB: seconds of processor time."""
    begun = server.processor()
    answer, count = server.ask("GET", f"/v2/a/blobs/{_digest(server)}"), 0
    while data := answer.read(PIECE):
        count += len(data)
    check(count == BLOB, count)
    return server.processor() - begun


_PUSHED: dict[int, str] = {}


def _digest(server: Server) -> str:
    return _PUSHED[server.port]


def put(server: Server) -> float:
    """PUT of 1 GiB, hashed, written and synced: seconds of processor time."""
    piece = os.urandom(PIECE)
    hashed = hashlib.sha256()
    for _ in range(BLOB // PIECE):
        hashed.update(piece)
    digest = f"sha256:{hashed.hexdigest()}"
    location = server.ask("POST", "/v2/a/blobs/uploads/").headers["Location"]
    begun = server.processor()
    answer = server.ask(
        "PUT", f"{location}?digest={digest}", (piece for _ in range(BLOB // PIECE)), Content_Length=str(BLOB)
    )
    check(answer.status == 201, answer.status)
    _PUSHED[server.port] = digest
    return server.processor() - begun


def idle(server: Server) -> float:
    """64 connections that asked once and rest: MiB more than before."""
    before = server.memory()
    lines = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(64)]
    for line in lines:
        line.sendall(b"GET /v2/ HTTP/1.1\r\nHost: localhost\r\n\r\n")
    for line in lines:
        line.settimeout(5)
        line.recv(65536)
    grown = server.memory() - before
    for line in lines:
        line.close()
    return grown


def refuses_before_sending(server: Server) -> float:
    """`Expect: 100-continue` on a body that is not wanted: 1 if it is refused before it is asked for."""
    with socket.create_connection(("127.0.0.1", server.port)) as line:
        line.settimeout(5)
        line.sendall(
            b"PUT /v2/a/blobs/uploads/none?digest="
            + DIGEST_OF_NOTHING.encode()
            + b" HTTP/1.1\r\nHost: localhost\r\n"
            b"Content-Length: 1000000\r\nExpect: 100-continue\r\n\r\n"
        )
        try:
            return float(line.recv(65536).startswith(b"HTTP/1.1 404"))
        except TimeoutError:
            return 0.0


def gives_up_a_drip(server: Server) -> float:
    """A body of one byte each two seconds: 1 if the client is given up within 40 s (20 s are ours)."""
    location = server.ask("POST", "/v2/a/blobs/uploads/").headers["Location"]
    with socket.create_connection(("127.0.0.1", server.port)) as line:
        line.sendall(
            f"PATCH {location} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n".encode()
        )
        line.settimeout(2)
        for _ in range(20):
            try:
                line.sendall(b"x")
                line.recv(1)
            except TimeoutError:
                continue
            except OSError:
                pass
            return 1.0
    return 0.0


def finishes(server: Server) -> float:
    """SIGTERM in the middle of an upload that goes on: 1 if it is answered."""
    location = server.ask("POST", "/v2/a/blobs/uploads/").headers["Location"]
    with socket.create_connection(("127.0.0.1", server.port)) as line:
        line.settimeout(8)
        line.sendall(
            f"PATCH {location} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 20\r\n\r\n0123456789".encode()
        )
        time.sleep(0.5)
        server.process.send_signal(signal.SIGTERM)
        time.sleep(1)
        try:
            line.sendall(b"0123456789")
            return float(line.recv(65536).startswith(b"HTTP/1.1 202"))
        except OSError:
            return 0.0


FIGURES: dict[str, Callable[[Server], float]] = {
    "HEAD, µs": heads,
    "PUT 1 GiB, s": put,
    "GET 1 GiB, s": get,
    "64 idle, MiB": idle,
    "own memory then, MiB": Server.memory,
    "refuses before the body": refuses_before_sending,
    "gives up a drip": gives_up_a_drip,
    "finishes at SIGTERM": finishes,
}


def _push_image(server: Server) -> None:
    server.ask("POST", f"/v2/a/blobs/uploads/?digest={DIGEST_OF_NOTHING}", b"{}")
    config = {"mediaType": "application/vnd.oci.empty.v1+json", "digest": DIGEST_OF_NOTHING, "size": 2}
    kind = "application/vnd.oci.image.manifest.v1+json"
    manifest = json.dumps({"schemaVersion": 2, "mediaType": kind, "config": config, "layers": []}).encode()
    status = server.ask("PUT", "/v2/a/manifests/v1", manifest, Content_Type=kind).status
    check(status == 201, status)


def main() -> None:
    """Measure in turns and print the medians as a table."""
    turns = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    found: dict[str, dict[str, list[float]]] = {name: {} for name in CANDIDATES}
    for turn in range(turns):
        for name in CANDIDATES if turn % 2 else reversed(CANDIDATES):
            with (
                tempfile.TemporaryDirectory() as folder,
                running(name, Path(folder) / "r") as (server, started),
            ):
                _push_image(server)
                found[name].setdefault("ready, s", []).append(started)
                for what, measure in FIGURES.items():
                    try:
                        found[name].setdefault(what, []).append(measure(server))
                    except Exception as e:
                        print(f"{name}: {what}: {type(e).__name__}: {e}", file=sys.stderr)
    for name, figures in found.items():
        print(
            name, {what: round(median(values), 2) for what, values in figures.items() if values}, flush=True
        )


if __name__ == "__main__":
    main()
