"""Passwords: what they cost, and when they are right."""

from __future__ import annotations

import itertools
import threading
from concurrent.futures import ThreadPoolExecutor

import bcrypt
import pytest

from nv2.server.access.guesses import FREE, FREE_OF_KNOWN, PAUSE, REMEMBERED, Guesses
from nv2.server.access.passwords import MAX_PASSWORD, Busy, Passwords

STRANGER = "203.0.113.9"

NUMBERS = itertools.count()


class Clock:
    """Says the time that it is told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


class CountingBcrypt:
    """bcrypt that counts what it is asked."""

    def __init__(self) -> None:
        self.hashes: list[bytes] = []

    def checkpw(self, password: bytes, hashed: bytes) -> bool:
        self.hashes.append(hashed)
        return bcrypt.checkpw(password, hashed)


@pytest.fixture
def counted(clock: Clock) -> tuple[Passwords, CountingBcrypt]:
    hashes = {
        "alice": bcrypt.hashpw(b"wonderland", bcrypt.gensalt(4)),
        "bob": bcrypt.hashpw(b"builder", bcrypt.gensalt(5)),
        "long": bcrypt.hashpw(b"x" * MAX_PASSWORD, bcrypt.gensalt(4)),
    }
    passwords, counting = Passwords(hashes, patience=0.01, guesses=Guesses(clock)), CountingBcrypt()
    passwords._bcrypt = counting
    return passwords, counting


def test_a_right_password_is_calculated_once(counted: tuple[Passwords, CountingBcrypt]) -> None:
    passwords, counting = counted
    assert [passwords.check("alice", b"wonderland") for _ in range(10)] == [True] * 10
    assert len(counting.hashes) == 1


def test_another_password_is_calculated_each_time_and_never_right(
    counted: tuple[Passwords, CountingBcrypt],
) -> None:
    passwords, counting = counted
    assert passwords.check("alice", b"wonderland")
    wrong = [("alice", b"w"), ("alice", b"v"), ("bob", b"wonderland")]
    assert [passwords.check(*pair) for pair in wrong] == [False] * 3
    assert len(counting.hashes) == 4


def test_the_same_wrong_password_is_calculated_once_a_minute(
    counted: tuple[Passwords, CountingBcrypt], clock: Clock
) -> None:
    passwords, counting = counted
    for user in ("alice", "mallory"):
        assert [passwords.check(user, b"old", STRANGER) for _ in range(50)] == [False] * 50
    assert len(counting.hashes) == 2
    clock.now += REMEMBERED
    assert not passwords.check("alice", b"old", STRANGER)
    assert len(counting.hashes) == 3


def test_that_somebody_elsewhere_brought_the_same_wrong_password_is_not_to_be_felt(
    counted: tuple[Passwords, CountingBcrypt],
) -> None:
    passwords, counting = counted
    assert not passwords.check("alice", b"wonderlant", "192.0.2.1")
    assert not passwords.check("alice", b"wonderlant", "192.0.2.2")
    assert len(counting.hashes) == 2


def guess(passwords: Passwords, peer: str, count: int) -> list[bool | int]:
    """What comes of different wrong passwords: False, or the seconds to wait."""
    found: list[bool | int] = []
    for _ in range(count):
        try:
            found.append(passwords.check("alice", f"{next(NUMBERS)}".encode(), peer))
        except Busy as e:
            found.append(e.seconds)
    return found


def test_whoever_guesses_must_wait_and_costs_nothing_meanwhile(
    counted: tuple[Passwords, CountingBcrypt], clock: Clock
) -> None:
    passwords, counting = counted
    assert guess(passwords, STRANGER, 50) == [False] * FREE + [PAUSE] * (50 - FREE)
    assert len(counting.hashes) == FREE
    clock.now += PAUSE
    assert guess(passwords, STRANGER, 3) == [False, PAUSE, PAUSE]
    clock.now += FREE * PAUSE
    assert guess(passwords, STRANGER, FREE + 1) == [False] * FREE + [PAUSE]


def test_a_pause_keeps_nobody_out_who_is_known_or_comes_from_elsewhere(
    counted: tuple[Passwords, CountingBcrypt],
) -> None:
    passwords, _ = counted
    assert passwords.check("alice", b"wonderland", "192.0.2.77")
    guess(passwords, STRANGER, FREE + 1)
    with pytest.raises(Busy, match="too many wrong passwords from this address"):
        passwords.check("bob", b"builder", STRANGER)
    assert passwords.check("alice", b"wonderland", STRANGER)
    assert passwords.check("bob", b"builder", "192.0.2.77")
    assert passwords.check("bob", b"builder", STRANGER)


def test_whoever_has_to_wait_finds_no_known_password_faster(
    counted: tuple[Passwords, CountingBcrypt], clock: Clock
) -> None:
    passwords, counting = counted
    assert passwords.check("alice", b"wonderland", "192.0.2.77")
    assert passwords.check("bob", b"builder", "192.0.2.77")
    guess(passwords, STRANGER, FREE_OF_KNOWN)
    with pytest.raises(Busy):
        passwords.check("alice", b"wonderland", STRANGER)
    assert len(counting.hashes) == 2 + FREE
    assert passwords.check("alice", b"wonderland", "192.0.2.77"), "nobody guessed there"
    assert passwords.check("bob", b"builder", STRANGER), "nobody guessed his"
    clock.now += PAUSE
    assert guess(passwords, STRANGER, 2) == [False, PAUSE], "one in each pause, as ever"
    with pytest.raises(Busy):
        passwords.check("alice", b"wonderland", STRANGER)
    clock.now += 2 * PAUSE
    assert passwords.check("alice", b"wonderland", STRANGER)


def test_known_passwords_are_never_kept_waiting_behind_a_proxy_on_this_machine(
    counted: tuple[Passwords, CountingBcrypt],
) -> None:
    passwords, _ = counted
    assert passwords.check("alice", b"wonderland", "127.0.0.1")
    guess(passwords, "127.0.0.1", FREE_OF_KNOWN + 1)
    while passwords._turns.acquire(blocking=False):
        pass
    assert passwords.check("alice", b"wonderland", "127.0.0.1")


def test_right_passwords_are_no_guesses(counted: tuple[Passwords, CountingBcrypt], clock: Clock) -> None:
    passwords, _ = counted
    for _ in range(3 * FREE):
        passwords._right.clear()
        assert passwords.check("alice", b"wonderland", STRANGER)


class Queue(threading.BoundedSemaphore):
    """One turn at a time, the first when `length` have come for it."""

    def __init__(self, length: int) -> None:
        super().__init__(1)
        self._coming = threading.Barrier(length)

    def acquire(self, blocking: bool = True, timeout: float | None = None) -> bool:
        self._coming.wait(60)
        return super().acquire(blocking, timeout)


@pytest.mark.parametrize(("password", "right"), [(b"wonderland", True), (b"wrong", False)])
def test_many_who_come_at_once_with_one_password_cost_one_calculation(
    counted: tuple[Passwords, CountingBcrypt], password: bytes, right: bool
) -> None:
    passwords, counting = counted
    passwords._patience, passwords._turns = 60.0, Queue(8)
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda _: passwords.check("alice", password, STRANGER), range(8)))
    assert (found, len(counting.hashes)) == ([right] * 8, 1)


def test_many_guesses_at_once_are_no_more_than_one_after_the_other(
    counted: tuple[Passwords, CountingBcrypt],
) -> None:
    passwords, counting = counted
    passwords._patience, passwords._turns = 60.0, Queue(2 * FREE)
    with ThreadPoolExecutor(2 * FREE) as threads:
        list(threads.map(lambda _: guess(passwords, STRANGER, 1), range(2 * FREE)))
    assert len(counting.hashes) == FREE


def test_somebody_unknown_costs_as_much_as_the_costliest(counted: tuple[Passwords, CountingBcrypt]) -> None:
    passwords, counting = counted
    assert not passwords.check("mallory", b"builder"), "though it is the password of the hash that is asked"
    assert [hashed[4:6] for hashed in counting.hashes] == [b"05"]


@pytest.mark.parametrize("password", [b"", b"a\0b", b"x" * (MAX_PASSWORD + 1)])
def test_what_no_password_can_be_is_wrong(counted: tuple[Passwords, CountingBcrypt], password: bytes) -> None:
    passwords, counting = counted
    assert not passwords.check("long", password)
    assert counting.hashes == []
    assert passwords.check("long", b"x" * MAX_PASSWORD)


def test_only_so_many_are_calculated_at_once_and_those_known_do_not_wait(
    counted: tuple[Passwords, CountingBcrypt],
) -> None:
    passwords, _ = counted
    assert passwords.check("alice", b"wonderland")
    while passwords._turns.acquire(blocking=False):
        pass
    with pytest.raises(Busy):
        passwords.check("alice", b"wrong")
    assert passwords.check("alice", b"wonderland")
