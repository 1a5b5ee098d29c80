"""How long a client is waited for."""

from __future__ import annotations

import io
import itertools
import socket
from collections.abc import Iterator

import pytest

from nv2.server.messages import BadMessage, Disconnected
from nv2.server.patience import MAX_HEAD, PatientReader


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def test_what_arrives_is_read(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    theirs.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n")
    assert io.BufferedReader(PatientReader(ours)).readline() == b"GET / HTTP/1.1\r\n"


def test_the_end_of_the_connection_is_the_end_of_the_stream(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = ends
    theirs.close()
    assert io.BufferedReader(PatientReader(ours)).read() == b""


def test_a_silent_client_is_given_up(ends: tuple[socket.socket, socket.socket]) -> None:
    with pytest.raises(Disconnected):
        io.BufferedReader(PatientReader(ends[0], idle=0.01)).readline()


def test_a_request_that_stops_half_way_is_given_up_though_the_connection_might_rest_longer(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = ends
    reader = io.BufferedReader(PatientReader(ours, idle=60.0, grace=0.01))
    theirs.sendall(b"GET /")
    with pytest.raises(Disconnected, match="too slow"):
        reader.readline()


def test_a_client_without_grace_left_is_not_waited_for(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    reader = PatientReader(ours, grace=-1.0)
    theirs.sendall(b"slow")
    assert reader.read(4) == b"slow"
    with pytest.raises(Disconnected, match="too slow"):
        reader.read(4)
    reader.renew()
    theirs.sendall(b"next")
    assert reader.read(4) == b"next"


def test_a_head_has_its_limit_and_a_body_another(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    for ended in (False, True):
        reader = PatientReader(ours)
        if ended:
            reader.end_head()
        left = MAX_HEAD
        while left:
            theirs.sendall(b"x" * 1024)
            left -= len(reader.read(1024) or b"")
        theirs.sendall(b"y")
        if ended:
            assert reader.read(1) == b"y"
        else:
            with pytest.raises(BadMessage) as refused:
                reader.read(1)
            assert refused.value.status == 431
            assert ours.recv(1) == b"y"


def test_waits_of_a_request_add_up(
    ends: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = itertools.count(1)
    monkeypatch.setattr("time.monotonic", lambda: float(next(clock)))  # each look takes a second
    ours, theirs = ends
    reader = PatientReader(ours, grace=2.5)
    theirs.sendall(b"slowly")
    assert [reader.read(1) for _ in range(4)] == [b"s", b"l", b"o", b"w"]
    with pytest.raises(Disconnected, match="too slow"):
        reader.read(1)
