"""The open connections of a listener."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from nv2.server.connections import Connections


@pytest.fixture
def pairs() -> Iterator[list[tuple[socket.socket, socket.socket]]]:
    pairs = [socket.socketpair() for _ in range(2)]
    for end in (end for pair in pairs for end in pair):
        end.settimeout(20)
    yield pairs
    for ours, theirs in pairs:
        ours.close()
        theirs.close()


def test_there_are_only_so_many_places(pairs: list[tuple[socket.socket, socket.socket]]) -> None:
    connections = Connections(most=1, admission=0.01)
    (first, _), (second, _) = pairs
    assert connections.admit(first)
    assert not connections.admit(second)
    connections.leave(second)
    assert not connections.admit(second), "leaving without having been admitted frees no place"
    connections.leave(first)
    assert connections.admit(second)


def test_where_no_place_is_free_the_connection_that_rests_longest_ends(
    pairs: list[tuple[socket.socket, socket.socket]],
) -> None:
    connections = Connections(most=2, admission=0.01)
    (first, theirs), (second, _) = pairs
    assert connections.admit(first)
    assert connections.admit(second)
    for connection in (first, second, first):
        connections.rest(connection)
    with socket.socket() as third, socket.socket() as fourth:
        assert not connections.admit(third), "nobody has left yet"
        assert second.recv(1) == b"", "the first has rested since a shorter time"
        first.setblocking(False)
        with pytest.raises(BlockingIOError):
            first.recv(1)
        connections.leave(second)
        assert connections.admit(third)
        connections.work(first)
        assert not connections.admit(fourth), "all are busy"
        theirs.sendall(b"x")
        assert first.recv(1) == b"x"


def test_each_that_comes_ends_another_one_that_rests(
    pairs: list[tuple[socket.socket, socket.socket]],
) -> None:
    connections = Connections(most=2, admission=0.01)
    for ours, _ in pairs:
        connections.admit(ours)
        connections.rest(ours)
    with socket.socket() as third, socket.socket() as fourth:
        assert not connections.admit(third)
        assert not connections.admit(fourth)
    assert [ours.recv(1) for ours, _ in pairs] == [b"", b""]


def test_a_resting_connection_ends_at_once(pairs: list[tuple[socket.socket, socket.socket]]) -> None:
    connections = Connections()
    ours = pairs[0][0]
    connections.admit(ours)
    assert connections.rest(ours)
    connections.end(grace=0.01)
    assert ours.recv(1) == b""
    assert not connections.rest(ours)


def test_a_busy_connection_may_still_answer_and_ends_when_its_time_is_up(
    pairs: list[tuple[socket.socket, socket.socket]],
) -> None:
    connections = Connections()
    ours, theirs = pairs[0]
    connections.admit(ours)
    connections.rest(ours)
    connections.work(ours)
    connections.end(grace=0.01)
    assert theirs.recv(1) == b"", "it was shut down, but only after the time given"


def test_resting_connections_do_not_wait_for_busy_ones(
    pairs: list[tuple[socket.socket, socket.socket]],
) -> None:
    connections = Connections()
    (resting, _), (busy, _) = pairs
    connections.admit(resting)
    connections.admit(busy)
    connections.rest(resting)
    ending = threading.Thread(target=connections.end, args=(60.0,))
    ending.start()
    assert resting.recv(1) == b""
    connections.leave(resting)
    connections.leave(busy)
    ending.join()
