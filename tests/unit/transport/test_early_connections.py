"""Connections that are opened before anybody asks: over real sockets, and workers that open them when told to."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nv2.errors import ConfigurationError, Nv2Error, Unreachable
from nv2.transport import connections, lanes
from nv2.transport.connections import Connection
from nv2.transport.http import HttpSettings, HttpTransport
from nv2.transport.interface import Request, send
from nv2.transport.lanes import Lane
from nv2.transport.proxies import Proxies
from nv2.transport.tls import TlsSettings
from tests.world.sockets import Received, Server, http, make_identity, reserved_port, serving

LONG = 20.0
"""Seconds after which what is waited for will never be."""


def until(holds: Callable[[], bool]) -> bool:
    """Whether it holds in the end."""
    end = time.monotonic() + LONG
    while not holds() and time.monotonic() < end:
        time.sleep(0.005)
    return holds()


def ok(_: Received) -> bytes:
    return http(200, b"x")


class Silent:
    """A port that takes connections and keeps them, and says nothing."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self.accepted: list[socket.socket] = []
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                self.accepted.append(self._socket.accept()[0])

    def ended(self, index: int) -> bool:
        """Whether the other side of a connection has closed it, without a byte before."""
        sock = self.accepted[index]
        return bool(select.select([sock], [], [], 0)[0]) and sock.recv(1) == b""

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)  # closing it would not wake the thread that accepts
        self._accepting.join()
        for sock in (self._socket, *self.accepted):
            sock.close()


@pytest.fixture
def silent() -> Iterator[Silent]:
    port = Silent()
    yield port
    port.close()


@pytest.fixture
def client() -> Iterator[HttpTransport]:
    transport = HttpTransport()
    yield transport
    transport.close()


class Door:
    """What opens connections for a lane: when it is let, and as often as it is asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.let = threading.Event()
        self.fails: Exception | None = None
        self.ours: list[socket.socket] = []
        self._lock = threading.Lock()
        self._closed = False

    def close(self) -> None:
        """The test is over: for whoever waits at the door, too."""
        with self._lock:
            self._closed = True
        self.let.set()
        for sock in self.ours:
            sock.close()

    def open(self) -> Connection:
        self.asked += 1
        assert self.let.wait(LONG)
        if self.fails:
            raise self.fails
        ours, theirs = socket.socketpair()
        ours.settimeout(LONG)
        with self._lock:
            self.ours.append(ours)
            if self._closed:
                ours.close()
        return Connection(theirs, "registry.test:443")


@pytest.fixture
def door() -> Iterator[Door]:
    found = Door()
    yield found
    found.close()


def test_a_request_takes_the_connection_that_was_opened_early(client: HttpTransport) -> None:
    with serving(ok) as server:
        client.prepare(server.url + "/", 1)
        assert until(lambda: server.connections == 1)
        assert send(client, Request("GET", server.url + "/")).data() == b"x"
        assert server.connections == 1


def test_a_request_waits_for_the_connection_that_is_being_opened(door: Door) -> None:
    lane, taken = Lane(8), list[Connection | None]()
    done, all_here = threading.Semaphore(0), threading.Barrier(2)

    def work() -> None:
        all_here.wait(LONG)
        taken.append(lane.take())
        done.release()

    lane.prepare(2, door.open)
    for _ in range(2):
        lane.submit(work)
    assert until(lambda: door.asked == 2) and not taken
    door.let.set()
    assert all(done.acquire(timeout=LONG) for _ in range(2))
    assert None not in taken and door.asked == 2


def test_more_requests_than_connections_being_opened_do_not_wait_for_them(door: Door) -> None:
    lane, begun = Lane(8), threading.Event()
    lane.prepare(1, door.open)
    lane.submit(lambda: None)
    lane.submit(begun.set)
    lane.submit(begun.set)
    assert begun.wait(LONG)
    door.let.set()


def test_no_byte_is_sent_before_the_request(client: HttpTransport, silent: Silent) -> None:
    client.prepare(f"http://127.0.0.1:{silent.port}/v2/", 3)
    assert until(lambda: len(silent.accepted) == 3)
    client.close()
    assert until(lambda: all(silent.ended(index) for index in range(3)))


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://127.0.0.1:{port}/", "connection was refused"),
        ("https://127.0.0.1:{port}/", "connection was refused"),
        ("http://nobody.invalid/", "cannot find the host"),
    ],
)
def test_what_kept_it_from_being_opened_is_said_by_the_request(
    client: HttpTransport, url: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes, "FRESH", LONG)
    with reserved_port() as port:
        url = url.format(port=port)
        client.prepare(url, 1)
        with pytest.raises(Unreachable, match=said):
            send(client, Request("GET", url))


def test_a_certificate_that_is_not_trusted_is_said_by_the_request(
    client: HttpTransport, tmp_path: Path
) -> None:
    with serving(ok, make_identity(tmp_path).server_context()) as server:
        client.prepare(server.url + "/", 1)
        with pytest.raises(Unreachable, match="the certificate is not trusted") as e:
            send(client, Request("GET", server.url + "/"))
        assert "--ca-file" in (e.value.hint or "") and not server.requests


def test_a_ca_file_that_cannot_be_used_is_said_by_the_request(silent: Silent, tmp_path: Path) -> None:
    client = HttpTransport(HttpSettings(tls=TlsSettings((str(tmp_path / "no.crt"),))))
    url = f"https://127.0.0.1:{silent.port}/"
    client.prepare(url, 1)
    with pytest.raises(ConfigurationError, match=r"no\.crt"):
        send(client, Request("GET", url))


def test_a_failure_is_said_once_and_by_nobody_who_has_a_connection(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes, "FRESH", LONG)
    lane = Lane(8)
    door.let.set()
    door.fails = Unreachable("no way", at="registry.test:443")
    lane.prepare(1, door.open)
    failures: list[Nv2Error | None] = []

    def work() -> None:
        try:
            lane.take()
            failures.append(None)
        except Nv2Error as e:
            failures.append(e)

    for count in (1, 2):
        lane.submit(work)
        assert until(lambda count=count: len(failures) == count)  # type: ignore[misc]
    assert failures == [door.fails, None] and door.asked == 1


def test_a_failure_that_a_connection_refuted_is_forgotten(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes, "FRESH", LONG)
    lane = Lane(8)
    door.let.set()
    door.fails = Unreachable("no way", at="registry.test:443")
    lane.prepare(1, door.open)
    assert until(lambda: bool(lane._failures))
    door.fails = None
    lane.give(door.open())
    assert lane.take() is not None
    assert lane.take() is None


def test_an_old_failure_speaks_for_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "FRESH", 0.0)
    client = HttpTransport()
    with reserved_port() as port:
        client.prepare(f"http://127.0.0.1:{port}/", 1)
        lane = next(iter(client._lanes.values()))
        assert until(lambda: bool(lane._failures))
        with contextlib.closing(socket.create_server(("127.0.0.1", port))) as server:
            threading.Thread(target=_answer_once, args=(server,), daemon=True).start()
            assert send(client, Request("GET", f"http://127.0.0.1:{port}/")).data() == b"late"


def _answer_once(server: socket.socket) -> None:
    connection, _ = server.accept()
    with connection:
        connection.recv(4096)
        connection.sendall(http(200, b"late"))


def test_a_dead_host_is_waited_for_once(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    """The request that waits for the early connection does not try for as long again."""
    monkeypatch.setattr(lanes, "FRESH", LONG)
    lane, said = Lane(8), list[Exception]()
    all_here = threading.Barrier(3)
    lane.prepare(3, door.open)
    door.fails = Unreachable("no answer within 10 seconds", at="registry.test:443")

    def work() -> None:
        all_here.wait(LONG)
        try:
            lane.take()
        except Unreachable as e:
            said.append(e)

    for _ in range(3):
        lane.submit(work)
    door.let.set()
    assert until(lambda: len(said) == 3) and door.asked == 3


def test_opening_comes_to_an_end_where_tls_is_never_answered(
    monkeypatch: pytest.MonkeyPatch, silent: Silent
) -> None:
    monkeypatch.setattr(connections, "CONNECT_TIMEOUT", 0.2)
    client = HttpTransport()
    url = f"https://127.0.0.1:{silent.port}/"
    client.prepare(url, 1)
    with pytest.raises(Unreachable, match=r"no answer within 0\.2 seconds"):
        send(client, Request("GET", url))


def test_a_request_keeps_its_own_time_while_a_connection_is_opened(silent: Silent) -> None:
    client = HttpTransport()
    url = f"https://127.0.0.1:{silent.port}/"
    client.prepare(url, 1)
    assert until(lambda: len(silent.accepted) == 1)
    with pytest.raises(Unreachable, match=r"no answer within 0\.1 seconds"):
        send(client, Request("GET", url, total_timeout=0.1))
    assert len(silent.accepted) == 1


def test_tls_is_ready_when_the_request_comes(tmp_path: Path) -> None:
    identity = make_identity(tmp_path)
    client = HttpTransport(HttpSettings(tls=TlsSettings((str(identity.certificate),))))
    with serving(ok, identity.server_context()) as server:
        client.prepare(server.url + "/", 2)
        assert until(lambda: sum(len(lane._idle) for lane in client._lanes.values()) == 2)
        assert send(client, Request("GET", server.url + "/")).data() == b"x"
        assert server.connections == 2
    client.close()


def test_a_proxy_is_where_it_is_opened_to() -> None:
    with serving(ok) as server:
        client = HttpTransport(HttpSettings(proxies=Proxies.from_environment({"http_proxy": server.url})))
        client.prepare("http://registry.test/", 1)
        assert until(lambda: server.connections == 1)
        assert send(client, Request("GET", "http://registry.test/v2/")).data() == b"x"
        assert [asked.target for asked in server.requests] == ["http://registry.test/v2/"]
        assert server.connections == 1


def test_a_proxy_that_opens_no_tunnel_is_named_by_the_request() -> None:
    with serving(lambda _: http(403)) as server:
        client = HttpTransport(HttpSettings(proxies=Proxies.from_environment({"https_proxy": server.url})))
        client.prepare("https://registry.test/", 1)
        with pytest.raises(Unreachable, match="answered 403"):
            send(client, Request("GET", "https://registry.test/v2/"))
        assert server.requests[0].method == "CONNECT" and "authorization" not in server.requests[0].headers


def test_no_more_are_opened_than_one_host_may_have() -> None:
    client = HttpTransport(HttpSettings(per_host=2))
    with serving(ok) as server:
        client.prepare(server.url + "/", 5)
        pending = [client.start(Request("GET", server.url + "/")) for _ in range(10)]
        assert [each.response().data() for each in pending] == [b"x"] * 10
        (lane,) = client._lanes.values()
        assert until(lambda: not lane._opening and server.connections >= 2)  # one may have served all of them
        assert server.connections == 2
    client.close()


def test_idle_connections_do_instead_of_further_ones(
    client: HttpTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when the workers that had opened them are gone."""
    monkeypatch.setattr(lanes, "WORKER_IDLE", 0.01)
    with serving(ok) as server:
        client.prepare(server.url + "/", 2)
        lane = next(iter(client._lanes.values()))
        assert until(lambda: len(lane._idle) == 2 and not lane._workers and server.connections == 2)
        client.prepare(server.url + "/", 2)
        assert send(client, Request("GET", server.url + "/")).data() == b"x"
        assert server.connections == 2


def _unused(server: Server) -> bool:
    return not server.requests and server.closed_one.wait(LONG)


def test_what_was_not_used_is_closed_with_the_transport(client: HttpTransport) -> None:
    with serving(ok) as server:
        client.prepare(server.url + "/", 1)
        lane = next(iter(client._lanes.values()))
        assert until(lambda: len(lane._idle) == 1 and lane._free == 1)
        client.close()
        assert _unused(server) and until(lambda: not lane._workers)


def test_what_is_opened_after_the_end_is_closed_at_once(door: Door) -> None:
    lane = Lane(8)
    lane.prepare(1, door.open)
    assert until(lambda: door.asked == 1)
    lane.close()
    door.let.set()
    assert until(lambda: len(door.ours) == 1) and door.ours[0].recv(1) == b""
    assert lane.take() is None


def test_a_closed_transport_may_be_used_on(client: HttpTransport) -> None:
    with serving(ok) as server:
        client.prepare(server.url + "/", 2)
        client.close()
        assert send(client, Request("GET", server.url + "/")).data() == b"x"
