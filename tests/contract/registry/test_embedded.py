"""The embedded registry alone, over loopback HTTP: connections, hostile clients, beginnings and ends.

What single endpoints do is in `tests/unit/server`, what every registry should do in the modules beside this one.
"""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import nv2
from nv2.server.connections import Connections
from nv2.server.messages import Answer, Call, FileSlice, Respond, Served
from nv2.server.patience import PatientReader
from nv2.server.registry import RunningRegistry, serve
from nv2.transport.http import HttpSettings, HttpTransport
from nv2.transport.interface import Request, send
from tests.contract.registry.client import Client, digest_of
from tests.world.sockets import reserved_port

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

HELLO = digest_of(b"hello")


def client_of(port: int, repository: str = "a") -> Client:
    return Client(f"127.0.0.1:{port}", repository)


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRegistry]:
    """One for all tests of this module: they use their own repositories, and what one does to it shows in others."""
    with serve(tmp_path_factory.mktemp("registry")) as running:
        yield running


@pytest.fixture
def client(registry: RunningRegistry) -> Iterator[Client]:
    client = client_of(registry.port)
    with contextlib.closing(client.connection):
        yield client


@pytest.fixture
def wire(registry: RunningRegistry) -> Iterator[socket.socket]:
    """A connection for bytes that no client library would send."""
    with socket.create_connection(("127.0.0.1", registry.port), timeout=30) as wire:
        yield wire


def everything(wire: socket.socket) -> bytes:
    """What comes until the other side ends the connection."""
    return b"".join(iter(lambda: wire.recv(65536), b""))


# Conversations


def test_its_address_is_what_references_begin_with(registry: RunningRegistry, client: Client) -> None:
    assert registry.address == f"localhost:{registry.port}"
    reply = client.ask("GET", "/v2/")
    assert (reply.status, reply.headers["Docker-Distribution-Api-Version"]) == (200, "registry/2.0")


def test_over_ipv6_its_address_is_the_one_it_listens_on_and_nv2_reaches_it(tmp_path: Path) -> None:
    with serve(tmp_path / "registry", host="::1") as registry:
        assert registry.address == f"[::1]:{registry.port}"
        transport = HttpTransport(HttpSettings())
        assert send(transport, Request("GET", f"http://{registry.address}/v2/")).status == 200
        transport.close()


def test_the_limit_of_a_manifest_is_four_mebibytes(client: Client) -> None:
    body = b'{"a":"' + b"x" * (4 * 1024 * 1024 - 8) + b'"}'
    assert client.ask("PUT", "/v2/limit/manifests/v1", body, content_type="a/b").status == 201
    assert client.ask("GET", "/v2/limit/manifests/v1").data == body
    assert client.ask("PUT", "/v2/limit/manifests/v2", body + b" ", content_type="a/b").status == 413


def test_the_connection_is_kept_through_errors_and_bodies_that_were_not_wanted(client: Client) -> None:
    client.ask("GET", "/v2/")
    wire = client.connection.sock
    assert client.ask("PUT", "/v2/Keep/manifests/v1", b"x" * 100_000).status == 400
    assert client.ask("PATCH", "/v2/keep/blobs/uploads/none", iter([b"x"] * 100)).status == 404
    assert client.ask("GET", f"/v2/keep/blobs/{HELLO}").status == 404
    assert client.ask("DELETE", "/v2/keep/tags/list", b"body").status == 405
    assert client.connection.sock is wire


def test_many_clients_at_once(registry: RunningRegistry, client: Client) -> None:
    failures: list[object] = []

    def work(number: int) -> None:
        mine = client_of(registry.port, "many")
        try:
            for turn in range(5):
                tag = f"v{number}-{turn}"
                assert mine.push(mine.image(tag.encode()), tag).reply.status == 201
        except Exception as e:
            failures.append(e)
        mine.connection.close()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(client.ask("GET", "/v2/many/tags/list").json["tags"]) == 40


# Hostile clients


def test_a_client_that_waits_for_leave_gets_it_when_its_body_is_wanted(wire: socket.socket) -> None:
    head = f"POST /v2/leave/blobs/uploads/?digest={HELLO} HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n"
    wire.sendall(f"{head}Expect: 100-continue\r\n\r\n".encode())
    assert wire.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
    wire.sendall(b"hello")
    assert wire.recv(1000).startswith(b"HTTP/1.1 201 ")


def test_a_client_that_waits_for_leave_is_refused_before_it_sends(wire: socket.socket) -> None:
    head = b"PUT /v2/leave/manifests/v1 HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999\r\n"
    wire.sendall(head + b"Expect: 100-continue\r\n\r\n")
    assert everything(wire).startswith(b"HTTP/1.1 413 ")


def test_requests_may_come_before_the_answers(wire: socket.socket) -> None:
    ping = b"GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n"
    wire.sendall(ping + ping + b"GET /v2/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert everything(wire).count(b"HTTP/1.1 200 ") == 3


@pytest.mark.parametrize(
    "stalled",
    [
        b"",
        b"GET /v2/ HT",
        b"GET /v2/ HTTP/1.1\r\nHost: x\r\nA:",
        b"PUT /v2/X/manifests/v1 HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nx",
        b"POST /v2/x/tags/list HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nx",
    ],
)
def test_whoever_stalls_before_anything_is_done_for_them_makes_room_for_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stalled: bytes
) -> None:
    waits = threading.Event()

    class Patient(PatientReader):
        def __init__(self, connection: socket.socket) -> None:
            super().__init__(connection, idle=3600.0, grace=3600.0)

        def readinto(self, buffer: WriteableBuffer) -> int:
            if self.received >= len(stalled):
                waits.set()
            return super().readinto(buffer)

    monkeypatch.setattr("nv2.server.conversation.PatientReader", Patient)
    monkeypatch.setattr("nv2.server.registry.serving.Connections", partial(Connections, admission=60.0))
    with (
        serve(tmp_path / "registry", connections=1) as running,
        socket.create_connection(("127.0.0.1", running.port), timeout=30) as wire,
    ):
        wire.sendall(stalled)
        assert waits.wait(60)
        client = client_of(running.port)
        with contextlib.closing(client.connection):
            assert client.ask("GET", "/v2/").status == 200


def test_an_old_client_is_answered_and_the_connection_ends(wire: socket.socket) -> None:
    wire.sendall(b"GET /v2/ HTTP/1.0\r\n\r\n")
    assert everything(wire).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"\r\n\r\n", None),
        (b"nonsense\r\n\r\n", 400),
        (b"GET /v2/ HTTP/9.9\r\n\r\n", 505),
        (b"GET /v2/ HTTP/x\r\n\r\n", 400),
        (b"BREW /v2/ HTTP/1.1\r\nHost: x\r\n\r\n", 501),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 hello TLS\r\n\r\n", 400),
        (b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
        (b"GET /v2/ HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 70_000 + b"\r\n\r\n", 431),
        (b"GET /v2/ HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 200 + b"\r\n", 431),
        (b"GET /v2/?" + b"a=b&" * 300 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
        (b"PUT /v2/x/manifests/v1 HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400),
        (
            b"PUT /v2/x/manifests/v1 HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
            400,
        ),
        (
            b"PUT /v2/x/manifests/v1 HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            400,
        ),
        (b"PUT /v2/x/manifests/v1 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
        (b"PUT /v2/x/manifests/v1 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (b"PUT /v2/x/manifests/v1 HTTP/1.1\r\nHost: x\r\nno colon here\r\nContent-Length: 1\r\n\r\nx", 400),
        (b"PUT /v2/x/manifests/v1 HTTP/1.1\r\nHost: x\r\nContent-Length : 1\r\n\r\nx", 400),
        (b"POST /v2/x/blobs/uploads/ HTTP/1.1\r\nHost: x\r\nA: b\rContent-Length: 1\r\n\r\nx", 400),
        (
            b"POST /v2/x/blobs/uploads/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
            400,
        ),
        (
            b"POST /v2/x/blobs/uploads/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding:\r\n\tchunked\r\n\r\n0\r\n\r\n",
            400,
        ),
        (
            b"POST /v2/x/blobs/uploads/ HTTP/1.1\r\nHost: x\r\nA: b\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            400,
        ),
        (b"GET /v2/?a\rb HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET /v2/ HTTP/1.1\r\nHost: x\r\nA: b\0c\r\n\r\n", 400),
        (b"GET /v2/\rX HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET /v2/ HTTP/1.1\r\nHost: a\r\nhost: b\r\n\r\n", 400),
        (b"GET /v2/ HTTP/1.1\r\nHost: x\r\nAuthorization: a\r\nAuthorization: b\r\n\r\n", 400),
        (b"GET /v2/ HTTP/1.1\r\nHost: x\r\n" + (b"A: " + b"a" * 30_000 + b"\r\n") * 10 + b"\r\n", 431),
        (
            b"PUT /v2/x/manifests/v1 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
            501,
        ),
        (
            b"PUT /v2/x/manifests/v1 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\xa0\r\n\r\n0\r\n\r\n",
            501,
        ),
        (b"POST /v2/x/blobs/uploads/ HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (
            b"PUT /v2/x/manifests/v1 HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",
            400,
        ),
        (
            b"PUT /v2/x/manifests/v1 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\n{}\r\n0\r\n\r\n",
            400,
        ),
        (
            b"PUT /v2/x/manifests/v1 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: b\n\r\n",
            400,
        ),
        (b"GET /v2/ HTTP/1.1\n\n", 400),
        (b"GET /v2/ HTTP/1.1\r\nA: b\nHost: x\r\n\r\n", 400),
        (b"GET /v2/ HTTP/1.1\r\nHost: x\r\nA: b\r\n\n", 400),
        (b"GET\x0b/v2/ HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET /v2/\xa0HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET /v2/x/tags/list\x85 HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET  /v2/ HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET /v2/\r\n\r\n", 400),
        (b"GET /v2/ HTTP/1.1\r\n\r\n", 400),
        (b"GET /v2/ HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
        (b"GET /v2/ HTTP/1.1\r\nHost: a/b\r\n\r\n", 400),
        (b"GET /v2/ HTTP/1.1\r\nHost: a,b@c\r\n\r\n", 400),
        (b"GET /v2/ HTTP/1.1\r\nHost: \xff\r\n\r\n", 400),
        (b"GET /v2/ HTTP/1.1\r\nHost: x\r\n(A): b\r\n\r\n", 400),
        (b"GET /v2/ HTTP/1.1\r\nHost: x\r\nContent/Length: 1\r\n\r\n", 400),
        (b"GET /v2/ HTTP/1.1\r\nHost: x\r\n: b\r\n\r\n", 400),
        (b"GET /v2/ HTTP/1.1\r\nFrom x\r\nHost: x\r\n\r\n", 400),
        (b"GET /v2/ HTTP/1.1\r\nHost: x\r\nFrom x\r\nA: b\r\n\r\n", 400),
        (b"GET /v2/ HTTP/1.1\r\nHost: x\r\nFrom x\r\n\r\n", 400),
        (b"GET * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 404),
        (b"GET http://elsewhere/v2/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 404),
        (b"GET /v2/../../etc/passwd HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 404),
        (b"GET /v2/%2e%2e/blobs/sha256:%2e%2e%2f HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 404),
        (b"GET /v2/%00%ff/tags/list HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 400),
    ],
)
def test_what_is_no_proper_request_is_refused_and_the_next_client_is_served(
    wire: socket.socket, client: Client, request_: bytes, status: int | None
) -> None:
    with contextlib.suppress(
        BrokenPipeError, ConnectionResetError
    ):  # it may be refused before it is complete
        wire.sendall(request_)
    wire.shutdown(socket.SHUT_WR)
    answer = everything(wire)
    if status:
        assert answer.startswith(b"HTTP/1.1 %d " % status)
        assert b'{"errors":[{"code":"' in answer
    assert client.ask("GET", "/v2/").status == 200


def test_what_a_proxy_takes_for_one_field_is_not_two_requests(wire: socket.socket) -> None:
    """A lone CR would give the first request a body of a chunk without bytes, and make a request of what follows."""
    head = b"POST /v2/x/blobs/uploads/ HTTP/1.1\r\nHost: x\r\nA: b\rTransfer-Encoding: chunked\r\n\r\n"
    wire.sendall(head + b"0\r\n\r\nPOST /v2/x/blobs/uploads/ HTTP/1.1\r\nHost: x\r\n\r\n")
    wire.shutdown(socket.SHUT_WR)
    answer = everything(wire)
    assert (answer.count(b"HTTP/1.1 "), answer[:13]) == (1, b"HTTP/1.1 400 ")


def test_nothing_is_read_behind_a_body_whose_end_is_not_known(wire: socket.socket) -> None:
    head = b"PUT /v2/x/manifests/v1 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    wire.sendall(head + b"zz\r\nGET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n")
    wire.shutdown(socket.SHUT_WR)
    answer = everything(wire)
    assert (answer.count(b"HTTP/1.1 "), answer[:13]) == (1, b"HTTP/1.1 400 ")


def test_a_long_head_of_many_requests_on_one_connection_is_no_long_head(wire: socket.socket) -> None:
    ping = b"GET /v2/ HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 30_000 + b"\r\n\r\n"
    answers = b""
    for _ in range(8):
        wire.sendall(ping)
        answers += wire.recv(65536)
    assert answers.count(b"HTTP/1.1 200 ") == 8


def test_a_large_body_behind_a_long_head_is_no_long_head(wire: socket.socket) -> None:
    data = b"x" * 1_000_000
    head = (
        f"POST /v2/long/blobs/uploads/?digest={digest_of(data)} HTTP/1.1\r\nHost: x\r\nA: {'a' * 60_000}\r\n"
    )
    wire.sendall(f"{head}Content-Length: {len(data)}\r\n\r\n".encode() + data)
    assert wire.recv(1000).startswith(b"HTTP/1.1 201 ")


@pytest.mark.parametrize("host", [b"", b"localhost:5000", b"[::1]:5000", b"a_b.example", b"x-1.y:443"])
def test_hosts_of_all_forms_are_hosts(wire: socket.socket, host: bytes) -> None:
    wire.sendall(b"GET /v2/ HTTP/1.1\r\nHost: " + host + b"\r\nx-b3_a.b: c\r\nConnection: close\r\n\r\n")
    assert everything(wire).startswith(b"HTTP/1.1 200 ")


def test_a_header_cannot_be_smuggled_through_a_manifest(wire: socket.socket) -> None:
    head = b"PUT /v2/x/manifests/v1 HTTP/1.1\r\nHost: x\r\nContent-Type: a/b\r\n Set-Cookie: x\r\nContent-Length: 2\r\n"
    wire.sendall(head + b"Connection: close\r\n\r\n{}")
    assert everything(wire).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("value", ["a\r\nSet-Cookie: x", "a\nb", "a\0", "中"])
def test_no_answer_has_more_fields_than_it_was_given(tmp_path: Path, value: str) -> None:
    lines: list[str] = []

    def careless(call: Call, respond: Respond) -> Answer:
        return respond(call)._replace(headers={"X-Said": value})

    with (
        serve(tmp_path / "registry", warn=lines.append, layers=(careless,)) as running,
        socket.create_connection(("127.0.0.1", running.port), timeout=30) as wire,
    ):
        wire.sendall(b"GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n")
        assert everything(wire) == b""
    assert len(lines) == 1
    assert "X-Said cannot be sent" in lines[0]


def test_an_error_of_ours_is_answered_said_and_logged_and_the_next_client_is_served(tmp_path: Path) -> None:
    said: list[str] = []
    logged: list[Served] = []

    def clumsy(call: Call, respond: Respond) -> Answer:
        if call.path == "/v2/":
            raise ValueError("not\nexpected")
        return respond(call)

    with (
        serve(tmp_path / "r", warn=said.append, observers=(logged.append,), layers=(clumsy,)) as running,
        contextlib.closing(client_of(running.port).connection) as connection,
    ):
        for path, status in (("/v2/", 500), ("/v2/_catalog", 200)):
            connection.request("GET", path)
            answer = connection.getresponse()
            answer.read()
            assert answer.status == status
    assert said == [r"GET failed: ValueError: 'not\nexpected'"]
    # Two connections, for the first one ends: which thread tells of its answer first is not said.
    assert sorted(served.status for served in logged) == [200, 500]


@pytest.mark.parametrize("size", [1000, 1_000_000])
def test_a_file_that_became_shorter_ends_the_connection_so_that_nobody_takes_it_for_whole(
    tmp_path: Path, size: int
) -> None:
    (tmp_path / "file").write_bytes(bytes(size))
    served: list[Served] = []

    def torn(_call: Call, _respond: Respond) -> Answer:
        return Answer(200, {}, FileSlice((tmp_path / "file").open("rb"), 0, size + 1))

    with (
        serve(tmp_path / "registry", layers=(torn,), observers=(served.append,)) as running,
        socket.create_connection(("127.0.0.1", running.port), timeout=20) as wire,
    ):
        wire.sendall(b"GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n")
        head, _, data = everything(wire).partition(b"\r\n\r\n")
    assert b"Content-Length: %d\r\n" % (size + 1) in head + b"\r\n"
    assert data == bytes(size)
    assert [line.status for line in served] == [200]


def test_a_client_that_leaves_in_the_middle_harms_nobody(wire: socket.socket, client: Client) -> None:
    location = client.open()
    wire.sendall(f"PATCH {location} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nhel".encode())
    wire.close()
    end = time.monotonic() + 60
    while (found := client.ask("GET", location).headers["Range"]) != "0-2" and time.monotonic() < end:
        time.sleep(0.01)
    assert found == "0-2"


# Beginnings and ends


def test_closing_ends_resting_connections_frees_the_port_and_may_be_done_twice(tmp_path: Path) -> None:
    with reserved_port() as port:
        with serve(tmp_path / "registry", port=port) as running:
            client = client_of(port)
            assert client.ask("GET", "/v2/").status == 200
        running.close()
        assert client.connection.sock.recv(1) == b""
        client.connection.close()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=30)
        with serve(tmp_path / "registry", port=port) as again:
            assert again.port == port


def test_a_request_under_way_is_answered_before_the_end(tmp_path: Path) -> None:
    running = serve(tmp_path / "registry")
    with socket.create_connection(("127.0.0.1", running.port), timeout=30) as wire:
        head = f"POST /v2/a/blobs/uploads/?digest={HELLO} HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n"
        wire.sendall(f"{head}\r\n".encode())
        assert wire.recv(1000).startswith(b"HTTP/1.1 100 ")
        closing = threading.Thread(target=running.close)
        closing.start()
        wire.sendall(b"hello")
        assert everything(wire).startswith(b"HTTP/1.1 201 ")
        closing.join()


def test_two_cannot_have_one_port(registry: RunningRegistry, tmp_path: Path) -> None:
    with pytest.raises(nv2.errors.EnvironmentFailure, match="in use"):
        serve(tmp_path / "other", port=registry.port)
    with serve(tmp_path / "other") as other:  # the directory was let go
        assert other.port != registry.port


def test_what_others_could_reach_is_refused_before_a_directory_is_made(tmp_path: Path) -> None:
    with pytest.raises(nv2.errors.UsageError):
        serve(tmp_path / "registry", "0.0.0.0")  # noqa: S104
    assert list(tmp_path.iterdir()) == []


def test_each_request_is_a_line_in_the_log_without_control_characters(tmp_path: Path) -> None:
    lines: list[str] = []
    with (
        serve(tmp_path / "registry", log=lines.append) as running,
        socket.create_connection(("127.0.0.1", running.port), timeout=30) as wire,
    ):
        wire.sendall(b"GET /v2/\x1b[31m HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        everything(wire)
    assert lines == [r"GET /v2/\x1b[31m 404"]


def test_a_line_in_the_log_has_its_limit_whatever_is_asked(tmp_path: Path) -> None:
    served: list[Served] = []
    with serve(tmp_path / "registry", observers=(served.append,)) as running:
        for request_ in (b"GET /v2/" + b"a" * 60_000, b"B" * 60_000 + b" /v2/"):
            with socket.create_connection(("127.0.0.1", running.port), timeout=30) as wire:
                wire.sendall(
                    request_
                    + b" HTTP/1.1\r\nHost: x\r\nUser-Agent: "
                    + b"c" * 60_000
                    + b"\r\nConnection: close\r\n\r\n"
                )
                everything(wire)
    assert [line.status for line in served] == [414, 501]
    assert all(len(line.method) + len(line.target) + len(line.agent) < 4096 for line in served)


def test_what_was_acknowledged_is_there_after_a_kill(tmp_path: Path) -> None:
    program = (
        "import sys, threading; from pathlib import Path; from nv2.server.registry import serve;"
        "print(serve(Path(sys.argv[1])).port, flush=True); threading.Event().wait()"
    )
    source = str(Path(nv2.__file__).parent.parent)
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path / "registry")],
        stdout=subprocess.PIPE,
        env={"PYTHONPATH": source},
    )
    with process:
        assert process.stdout is not None
        client = client_of(int(process.stdout.readline()))
        digest = client.push(client.image(), "v1").digest
        client.ask("PATCH", client.open(), b"half")
        process.send_signal(signal.SIGKILL)
        client.connection.close()
    with serve(tmp_path / "registry") as running:
        client = client_of(running.port)
        assert digest_of(client.ask("GET", "/v2/a/manifests/v1").data) == digest
        client.connection.close()
