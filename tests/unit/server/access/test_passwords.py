"""Passwords: what they cost, and when they are right."""

from __future__ import annotations

import bcrypt
import pytest

from nv2.server.access.passwords import MAX_PASSWORD, Busy, Passwords


class CountingBcrypt:
    """bcrypt that counts what it is asked."""

    def __init__(self) -> None:
        self.hashes: list[bytes] = []

    def checkpw(self, password: bytes, hashed: bytes) -> bool:
        self.hashes.append(hashed)
        return bcrypt.checkpw(password, hashed)


@pytest.fixture
def counted() -> tuple[Passwords, CountingBcrypt]:
    hashes = {
        "alice": bcrypt.hashpw(b"wonderland", bcrypt.gensalt(4)),
        "bob": bcrypt.hashpw(b"builder", bcrypt.gensalt(5)),
        "long": bcrypt.hashpw(b"x" * MAX_PASSWORD, bcrypt.gensalt(4)),
    }
    passwords, counting = Passwords(hashes, patience=0.01), CountingBcrypt()
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
    assert [
        passwords.check(*pair) for pair in [("alice", b"w"), ("alice", b"w"), ("bob", b"wonderland")]
    ] == [False] * 3
    assert len(counting.hashes) == 4


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
