"""How long a client is waited for."""

from __future__ import annotations

import contextlib
import errno
import io
import itertools
import os
import random
import selectors
import socket
import tempfile
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from nv2.server.messages import BadMessage, Disconnected, FileSlice
from nv2.server.patience import MAX_HEAD, SEND_GRACE, SLOWEST, TRY, PatientReader, PatientWriter


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
    told = SimpleNamespace(monotonic=lambda: float(next(clock)))  # each look takes a second
    monkeypatch.setattr("nv2.server.patience.time", told)
    ours, theirs = ends
    reader = PatientReader(ours, grace=2.5)
    theirs.sendall(b"slowly")
    assert [reader.read(1) for _ in range(4)] == [b"s", b"l", b"o", b"w"]
    with pytest.raises(Disconnected, match="too slow"):
        reader.read(1)


# --- answers ---------------------------------------------------------------------------------------------------

MIB = 1024 * 1024


class Reader:
    """A client that takes `rate` bytes a second, of a time that passes only where we wait for it."""

    def __init__(self, end: socket.socket, rate: int) -> None:
        self.now = 0.0
        self.taken = bytearray()
        self.rate = rate
        self._end = end
        end.setblocking(False)

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *_: object) -> None:
        """It can be waited for again."""

    def register(self, _connection: socket.socket, event: int) -> None:
        """What is waited for is always that it takes something."""
        assert event == selectors.EVENT_WRITE

    def select(self, seconds: float) -> None:
        """A second goes by."""
        assert 0 < seconds <= TRY
        self.now += 1
        with contextlib.suppress(BlockingIOError):
            if self.rate:
                self.taken += self._end.recv(self.rate)

    def take_rest(self) -> bytes:
        """All that it was sent."""
        with contextlib.suppress(BlockingIOError):
            while data := self._end.recv(MIB):
                self.taken += data
        return bytes(self.taken)


@pytest.fixture
def reader(ends: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch) -> Reader:
    found = Reader(ends[1], 0)
    monkeypatch.setattr("nv2.server.patience.time", SimpleNamespace(monotonic=lambda: found.now))
    monkeypatch.setattr("nv2.server.patience._Selector", lambda: found)
    return found


Send = Callable[[PatientWriter, bytes], int]


def written(writer: PatientWriter, data: bytes) -> int:
    """As small answers are sent."""
    sent = 0
    while sent < len(data):
        sent += writer.write(data[sent:])
    return sent


def from_file(writer: PatientWriter, data: bytes) -> int:
    """As files are sent."""
    with tempfile.TemporaryFile() as file:
        file.write(b"before" + data + b"after")
        file.flush()
        return writer.send_file(FileSlice(file, len(b"before"), len(data)))


def from_memory(writer: PatientWriter, data: bytes) -> int:
    """As a file that has no descriptor is sent."""
    return writer.send_file(FileSlice(io.BytesIO(b"before" + data + b"after"), len(b"before"), len(data)))


@pytest.mark.parametrize("send", [written, from_file, from_memory])
def test_an_answer_arrives_whole_at_an_honest_slow_line(
    ends: tuple[socket.socket, socket.socket], reader: Reader, send: Send
) -> None:
    data, reader.rate = random.Random(1).randbytes(MIB), 2 * SLOWEST
    assert send(PatientWriter(ends[0]), data) == len(data)
    assert reader.take_rest() == data
    assert reader.now > 5 * SEND_GRACE


@pytest.mark.parametrize("send", [written, from_file])
@pytest.mark.parametrize("rate", [0, 1, SLOWEST // 2])
def test_whoever_reads_too_slowly_is_given_up(
    ends: tuple[socket.socket, socket.socket], reader: Reader, send: Send, rate: int
) -> None:
    reader.rate = rate
    with pytest.raises(Disconnected, match="too slowly"):
        send(PatientWriter(ends[0]), bytes(MIB))
    assert SEND_GRACE <= reader.now <= 3 * SEND_GRACE


@pytest.mark.parametrize("send", [written, from_file])
def test_whoever_was_fast_has_no_more_time_than_others(
    ends: tuple[socket.socket, socket.socket], reader: Reader, send: Send
) -> None:
    writer, reader.rate = PatientWriter(ends[0]), 2 * MIB
    send(writer, bytes(4 * MIB))
    reader.rate, before = 0, reader.now
    with pytest.raises(Disconnected):
        send(writer, bytes(MIB))
    assert SEND_GRACE <= reader.now - before <= 2 * SEND_GRACE


def _refused(*_: object) -> int:
    raise OSError(errno.EINVAL, "not such a file")


@pytest.mark.parametrize("sendfile", [None, _refused], ids=["the system", "the file system"])
def test_a_file_is_read_where_the_kernel_cannot_send_it(
    ends: tuple[socket.socket, socket.socket],
    reader: Reader,
    monkeypatch: pytest.MonkeyPatch,
    sendfile: Callable[..., int] | None,
) -> None:
    if sendfile:
        monkeypatch.setattr(os, "sendfile", sendfile)
    else:
        monkeypatch.delattr(os, "sendfile")
    data, reader.rate = random.Random(1).randbytes(MIB), MIB
    assert from_file(PatientWriter(ends[0]), data) == MIB
    assert reader.take_rest() == data


def test_a_connection_that_breaks_is_no_reason_to_try_another_way(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    ends[1].close()
    with pytest.raises(BrokenPipeError):
        from_file(PatientWriter(ends[0]), bytes(MIB))


def test_a_file_that_became_shorter_is_said_to_be(
    ends: tuple[socket.socket, socket.socket], reader: Reader
) -> None:
    reader.rate = MIB
    with tempfile.TemporaryFile() as file:
        file.write(bytes(1000))
        file.flush()
        assert PatientWriter(ends[0]).send_file(FileSlice(file, 0, 2000)) == 1000


def test_no_more_is_handed_over_than_can_go_in_time_because_encrypted_it_counts_when_all_went(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    sizes: list[int] = []

    class Line(socket.socket):
        def send(self, data: Any, flags: int = 0) -> int:
            sizes.append(len(data))
            return len(data)

    with Line(fileno=ends[0].detach()) as line:
        assert written(PatientWriter(line), bytes(MIB)) == MIB
    assert max(sizes) / SLOWEST < SEND_GRACE


def test_who_was_given_up_stays_so(ends: tuple[socket.socket, socket.socket], reader: Reader) -> None:
    writer = PatientWriter(ends[0])
    with pytest.raises(Disconnected):
        written(writer, bytes(MIB))
    reader.take_rest()
    with pytest.raises(Disconnected):
        writer.write(b"there would be room now")


def test_another_answer_has_a_time_of_its_own(
    ends: tuple[socket.socket, socket.socket], reader: Reader
) -> None:
    writer = PatientWriter(ends[0])
    for _ in range(2):
        before = reader.now
        with pytest.raises(Disconnected):
            from_file(writer, bytes(MIB))
        assert reader.now - before >= SEND_GRACE
        writer.renew()
