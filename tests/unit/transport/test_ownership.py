"""Every socket has an owner that closes it, however a request, its transport or the process comes to an end."""

from __future__ import annotations

import gc
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import nv2
from nv2.errors import Unreachable
from nv2.transport import lanes
from nv2.transport.connections import Connection, open_connection
from nv2.transport.http import HttpSettings, HttpTransport
from nv2.transport.interface import Request, send
from nv2.transport.lanes import Lane
from nv2.transport.tls import TlsSettings, make_context
from nv2.transport.urls import Origin
from tests.world.sockets import Received, Server, http, serving

LONG = 20.0
"""Seconds after which what is waited for will never be."""

HEAD_OF_MORE = b"HTTP/1.1 200 Whatever\r\nContent-Length: 1000000\r\n\r\n"


def until(holds: Callable[[], bool]) -> bool:
    """Whether it holds in the end."""
    end = time.monotonic() + LONG
    while not holds() and time.monotonic() < end:
        time.sleep(0.005)
    return holds()


def ok(_: Received) -> bytes:
    return http(200, b"x")


@pytest.fixture
def complaints(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What finalizers say, who cannot raise; they are called when the test collects garbage."""
    gc.collect()
    found = list[str]()
    monkeypatch.setattr(sys, "unraisablehook", lambda said: found.append(repr(said.exc_value)))
    gc.disable()
    yield found
    gc.enable()


class Circle:
    """Holds something, and itself: only the garbage collector ends it."""

    def __init__(self, held: object) -> None:
        self.held = held
        self.itself = self


class Gated(HttpTransport):
    """Opens connections when it is let."""

    asked = 0

    def __init__(self) -> None:
        super().__init__()
        self.let = threading.Event()

    def _open(self, *arguments: Any) -> Connection:
        self.asked += 1
        assert self.let.wait(LONG)
        return super()._open(*arguments)


def at_rest(lane: Lane) -> bool:
    """One connection is kept, and no worker stays."""
    return len(lane._idle) == 1 and not lane._workers


def abandon_after_a_request(url: str) -> None:
    transport = HttpTransport()
    send(transport, Request("GET", url))
    assert until(lambda: at_rest(*transport._lanes.values()))
    Circle(transport)


def all_over(transport: HttpTransport, server: Server) -> bool:
    """No connection is open, none is kept, and no worker stays."""
    kept = [lane for lane in transport._lanes.values() if lane._idle or lane._workers]
    return server.connections == server.ended and not kept


def test_a_connection_that_is_garbage_in_a_circle_is_closed_without_a_word(complaints: list[str]) -> None:
    ours, theirs = socket.socketpair()
    Circle(Connection(theirs, "registry.test:443"))
    del theirs
    gc.collect()
    with ours:
        ours.settimeout(LONG)
        assert ours.recv(1) == b"" and complaints == []


def test_a_transport_that_nobody_closed_is_garbage_without_a_word(
    complaints: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes, "WORKER_IDLE", 0.01)
    with serving(ok) as server:
        abandon_after_a_request(server.url + "/")
        assert not server.ended
        gc.collect()
        assert until(lambda: server.ended == server.connections == 1) and complaints == []


def test_an_answer_that_nobody_read_is_garbage_without_a_word(complaints: list[str]) -> None:
    with serving(lambda _: HEAD_OF_MORE) as server:
        transport = HttpTransport()
        Circle(send(transport, Request("GET", server.url + "/", total_timeout=None)))
        transport.close()
        (lane,) = transport._lanes.values()
        assert until(lambda: not lane._workers)
        gc.collect()
        assert until(lambda: server.ended == 1) and complaints == []


def test_requests_that_were_begun_before_the_end_keep_no_connection() -> None:
    """One is under way, the other has not been looked at by the only worker."""
    let = threading.Event()

    def later(_: Received) -> bytes:
        let.wait(LONG)
        return http(200, b"x")

    with serving(later) as server:
        transport = HttpTransport(HttpSettings(per_host=1))
        pending = [transport.start(Request("GET", server.url + "/")) for _ in range(2)]
        assert until(lambda: len(server.requests) == 1)
        transport.close()
        let.set()
        assert [each.response().data() for each in pending] == [b"x", b"x"]
        assert until(lambda: all_over(transport, server))


def test_a_request_whose_connection_was_being_opened_at_the_end_keeps_none() -> None:
    with serving(ok) as server:
        transport = Gated()
        pending = transport.start(Request("GET", server.url + "/"))
        assert until(lambda: transport.asked == 1)
        transport.close()
        transport.let.set()
        assert pending.response().data() == b"x"
        assert until(lambda: all_over(transport, server))


def test_a_request_that_is_redirected_after_the_end_keeps_no_connection() -> None:
    """To where the transport had not been."""
    let = threading.Event()
    with serving(ok) as second:

        def elsewhere(_: Received) -> bytes:
            let.wait(LONG)
            return http(307, Location=second.url + "/")

        with serving(elsewhere) as first:
            transport = HttpTransport()
            pending = transport.start(Request("GET", first.url + "/"))
            assert until(lambda: len(first.requests) == 1)
            transport.close()
            let.set()
            assert pending.response().data() == b"x"
            assert until(lambda: all_over(transport, first) and all_over(transport, second))


@pytest.mark.parametrize("before", [True, False], ids=["just-before", "just-after"])
def test_the_end_comes_while_a_request_asks_whether_it_came(
    monkeypatch: pytest.MonkeyPatch, before: bool
) -> None:
    real, transport = Lane.release, HttpTransport()

    def release(lane: Lane) -> Callable[[Connection], None]:
        if before:
            transport.close()
        found = real(lane)
        if not before:
            transport.close()
        return found

    monkeypatch.setattr(Lane, "release", release)
    with serving(ok) as server:
        assert send(transport, Request("GET", server.url + "/")).data() == b"x"
        assert until(lambda: all_over(transport, server))


def test_an_early_connection_that_is_opened_after_the_end_is_closed() -> None:
    with serving(ok) as server:
        transport = Gated()
        transport.prepare(server.url + "/", 2)
        assert until(lambda: transport.asked == 2)
        transport.close()
        transport.let.set()
        assert until(lambda: server.connections == 2 and all_over(transport, server))


def test_a_request_that_begins_after_the_end_keeps_its_connection() -> None:
    with serving(ok) as server:
        transport = HttpTransport()
        transport.close()
        for _ in range(2):
            assert send(transport, Request("GET", server.url + "/")).data() == b"x"
        assert server.connections == 1
        transport.close()


def test_a_peer_that_cuts_the_connection_before_tls_begins_leaves_no_socket(complaints: list[str]) -> None:
    """`getpeername` finds it so, which `SSLContext.wrap_socket` does not expect."""
    context = make_context(TlsSettings())
    with socket.create_server(("127.0.0.1", 0)) as server:

        def cut() -> Any:
            accepted, _ = server.accept()
            accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            accepted.close()
            return context

        origin = Origin("https", "127.0.0.1", server.getsockname()[1])
        with pytest.raises(Unreachable):
            open_connection(origin, None, cut, None)
    gc.collect()
    assert complaints == []


def test_a_socket_that_cannot_be_set_up_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    class Refusing(socket.socket):
        def setsockopt(self, *_: Any) -> None:
            raise OSError(22, "Invalid argument")

    made = Refusing()
    monkeypatch.setattr(socket, "create_connection", lambda *_: made)
    with pytest.raises(Unreachable):
        open_connection(Origin("http", "127.0.0.1", 1), None, lambda: make_context(TlsSettings()), None)
    assert made.fileno() < 0


PROGRAM = """
import sys
from nv2.transport.http import HttpTransport
from nv2.transport.interface import Request, send

transport = HttpTransport()
transport.prepare(sys.argv[1], 3)
answer = send(transport, Request("GET", sys.argv[1], total_timeout=None))
"""


def test_a_process_that_closes_nothing_ends_without_a_word() -> None:
    source = str(Path(nv2.__file__).parent.parent)
    with serving(lambda _: HEAD_OF_MORE) as server:
        words = [sys.executable, "-X", "dev", "-W", "error", "-c", PROGRAM, server.url + "/"]
        ended = subprocess.run(words, capture_output=True, env={"PYTHONPATH": source}, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, b"", b"")
