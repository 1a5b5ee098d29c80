"""Wrong passwords: whom they are held against, and how many are remembered."""

from __future__ import annotations

import pytest

from nv2.server.access import guesses
from nv2.server.access.guesses import FREE, Guesses, origin_of


@pytest.mark.parametrize(
    ("peer", "origin"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("127.0.0.1", ""),
        ("::ffff:127.0.0.1", ""),
        ("::1", ""),
        ("", ""),
    ],
)
def test_guesses_are_held_against_an_address_or_a_network_and_never_this_machine(
    peer: str, origin: str
) -> None:
    assert origin_of(peer) == origin


def test_this_machine_never_waits_for_a_proxy_brings_everybodys() -> None:
    found = Guesses(lambda: 0.0)
    for number in range(3 * FREE):
        found.add("", b"%d" % number)
    assert found.pause("") == 0
    assert found.is_wrong("", b"0")


def test_of_many_the_oldest_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guesses, "MOST", 3)
    monkeypatch.setattr(guesses, "FREE", 1)
    found = Guesses(lambda: 0.0)
    for origin in "aabacd":
        found.add(origin, origin.encode())
    assert [found.pause(origin) > 0 for origin in "abcd"] == [True, False, True, True]
    assert [found.is_wrong(origin, origin.encode()) for origin in "abcd"] == [True, False, True, True]
