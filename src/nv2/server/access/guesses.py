"""Wrong passwords of late: the same one is not calculated again, and an address that brings many must wait.

Whoever shares an address with somebody who guesses (behind NAT, say) works on: a password that is known to be right
is taken though the address has to wait. That may tell guesses apart only so often (`admits`).
"""

from __future__ import annotations

import ipaddress
import threading
import time
from collections.abc import Callable
from typing import TypeVar

Key = TypeVar("Key")

FREE = 10
"""Wrong passwords that an address may bring at once: people mistype, and several may share the address."""

FREE_OF_KNOWN = 100
"""Wrong passwords that an address may bring at once for one user who has logged in before the right one has to wait,
too. They cost no calculation, so nothing else bounds how fast they come."""

PAUSE = 6.0
"""Seconds that each of them is held against the address: ten a minute go on for ever, which no guessing lives on."""

REMEMBERED = 60.0
"""Seconds for which a wrong password is known as wrong: a machine whose password is out of date asks all the time."""

MOST = 10_000
"""Passwords, addresses, and users at addresses that are remembered: some megabytes. The oldest are forgotten first."""


def origin_of(peer: str) -> str:
    """Whom to hold guesses at `peer` against: the address, of IPv6 its network (/64, which one machine has to itself).

    Nobody (empty) for this machine: a proxy that stands here brings everybody's.
    """
    try:
        address = ipaddress.ip_address(peer.partition("%")[0])
    except ValueError:
        return ""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is None:
            return "" if address.is_loopback else str(ipaddress.ip_network((int(address) >> 64 << 64, 64)))
        address = address.ipv4_mapped
    return "" if address.is_loopback else str(address)


class Guesses:
    """Wrong passwords, each by a keyed hash, and what the addresses that brought them owe. Safe for threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._wrong: dict[tuple[str, bytes], float] = {}
        """When each was found wrong."""
        self._owed: dict[str, float] = {}
        """Until when each origin pays."""
        self._tried: dict[tuple[str, str], float] = {}
        """The same of each origin and user who has logged in."""

    def is_wrong(self, origin: str, shown: bytes) -> bool:
        """Whether `origin` brought what hashes to `shown` of late. By origin, so that it tells nothing about others."""
        found = self._wrong.get((origin, shown))
        return found is not None and self._clock() < found + REMEMBERED

    def pause(self, origin: str) -> float:
        """Seconds that `origin` has to wait before another guess; 0 for none."""
        return max(0.0, self._owed.get(origin, 0.0) - self._clock() - (FREE - 1) * PAUSE)

    def admits(self, origin: str, user: str, right: bool) -> bool:
        """Whether what `origin` showed for `user` is `right`, and whether it is one may be told it without a wait.

        What is not right counts, or else 200 and 429 would tell a guesser at any speed which guess was right.
        """
        with self._lock:
            now, key = self._clock(), (origin, user)
            owed = max(now, self._tried.get(key, now))
            if origin and owed - now > (FREE_OF_KNOWN - 1) * PAUSE:
                return False
            if origin and not right:
                _put(self._tried, key, owed + PAUSE)
            return right

    def add(self, origin: str, shown: bytes) -> None:
        """A wrong one came from `origin`."""
        with self._lock:
            now = self._clock()
            _put(self._wrong, (origin, shown), now)
            if origin:
                _put(self._owed, origin, max(now, self._owed.get(origin, now)) + PAUSE)


def _put(found: dict[Key, float], key: Key, value: float) -> None:
    """Write it behind all others, and let the first of them go where there are too many."""
    found.pop(key, None)
    found[key] = value
    if len(found) > MOST:
        del found[next(iter(found))]
