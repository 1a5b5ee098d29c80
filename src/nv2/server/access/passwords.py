"""htpasswd files with bcrypt, and asking them at little cost.

bcrypt is slow by design. A password that was right is remembered, keyed and hashed, as long as the file is; whatever
else is asked costs one calculation, of which only `AT_ONCE` run together and each address has so many (`guesses`):
guessing keeps neither the machine nor those busy who have logged in before.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import math
import os
import re
import secrets
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from nv2.errors import ConfigurationError
from nv2.files import read_file
from nv2.server.access.guesses import Guesses, origin_of
from nv2.server.access.rights import ANONYMOUS, EVERYBODY

MAX_FILE = 1024 * 1024
"""Bytes of a htpasswd file: ten thousand users."""

MAX_COST = 14
"""The highest cost: 14 takes a second. What takes longer would let a few wrong passwords fill the time of a processor."""

MAX_PASSWORD = 72
"""Bytes of a password that bcrypt looks at. A longer one is wrong, whatever it begins with."""

AT_ONCE = max(1, (os.cpu_count() or 1) // 2)
"""Calculations at a time: half of the processors are for those who have logged in."""

PATIENCE = 5.0
"""Seconds that a login waits for its turn."""

_LINE = re.compile(
    r"(?P<user>[^:\s]{1,128}):(?P<hash>\$2[aby]\$(?P<cost>\d\d)\$[./A-Za-z0-9]{21}[.Oeu][./A-Za-z0-9]{31})",
    re.ASCII,
)
"""The last digit of a salt has two bits; bcrypt fails at any other."""


AGAIN = 2
"""Seconds after which a login may be tried again that had no turn."""


class Busy(Exception):
    """The password is not checked now; it may be again in `seconds`."""

    def __init__(self, reason: str, seconds: int) -> None:
        super().__init__(reason)
        self.seconds = seconds


def read_passwords(path: Path) -> Passwords:
    """The users of the file at `path`. Raises `ConfigurationError` with the line; what is in it is never said."""
    data = read_file(path, MAX_FILE, "a htpasswd file", error=ConfigurationError)
    found: dict[str, bytes] = {}
    for number, line in enumerate(data.decode("utf-8", "replace").splitlines(), 1):
        if line.strip() and not line.startswith("#"):
            user, hashed = _entry(line, f"{path}: line {number}")
            if user in found:
                raise ConfigurationError("the user was named before", at=f"{path}: line {number}")
            found[user] = hashed
    if not found:
        raise ConfigurationError(
            "nobody is named", at=str(path), hint=f"make it with 'htpasswd -B -c {path} USER'"
        )
    return Passwords(found)


def _entry(line: str, at: str) -> tuple[str, bytes]:
    found = _LINE.fullmatch(line.rstrip())
    if not found:
        raise ConfigurationError(
            "not a user and a bcrypt hash", at=at, hint="expected USER:$2y$..., as 'htpasswd -B' writes it"
        )
    if not 4 <= int(found["cost"]) <= MAX_COST:
        raise ConfigurationError(f"the cost is {found['cost']}", at=at, hint=f"possible: 4 to {MAX_COST}")
    if found["user"] in (ANONYMOUS, EVERYBODY):
        raise ConfigurationError("nobody can have this name: rights use it", at=at)
    return found["user"], found["hash"].encode()


class Passwords:
    """Users and the hashes of their passwords."""

    def __init__(
        self, hashes: Mapping[str, bytes], *, patience: float = PATIENCE, guesses: Guesses | None = None
    ) -> None:
        """Raises `ConfigurationError` if bcrypt is not installed."""
        self._bcrypt = _bcrypt()
        self._hashes = hashes
        self._patience = patience
        self._key = secrets.token_bytes(32)
        self._right: dict[str, bytes] = {}
        """At most one for each user."""
        self._guesses = guesses or Guesses()
        self._turns = threading.BoundedSemaphore(AT_ONCE)
        # What an unknown user is compared with: as costly as the costliest that there is.
        self._nobody: bytes = max(hashes.values(), key=lambda hashed: hashed[4:6])

    def __contains__(self, user: str) -> bool:
        return user in self._hashes

    def seal(self, user: str) -> str:
        """What changes with the password of `user`, and tells nothing of it; empty for an unknown one."""
        hashed = self._hashes.get(user)
        return hashlib.sha256(hashed).hexdigest()[:16] if hashed else ""

    def check(self, user: str, password: bytes, peer: str = "") -> bool:
        """Whether `password`, which came from `peer`, is that of `user`; for an unknown one this takes as long.

        Raises `Busy` if too many others are asked about, or if too many wrong ones came from there.
        """
        shown = hmac.digest(self._key, user.encode() + b"\0" + password, hashlib.sha256)
        if not password or len(password) > MAX_PASSWORD or b"\0" in password:
            return False
        origin = origin_of(peer)
        if self._guesses.is_wrong(origin, shown):
            return False
        if user in self._right and self._guesses.admits(origin, user, self._is_right(user, shown)):
            return True
        self._check_pause(origin)
        with self._turn():
            # While this one waited, another may have found it out, or guessed too often.
            if self._guesses.is_wrong(origin, shown):
                return False
            self._check_pause(origin)  # first: who has to wait learns nothing
            return self._is_right(user, shown) or self._calculated(user, password, shown, origin)

    def _is_right(self, user: str, shown: bytes) -> bool:
        known = self._right.get(user)
        return known is not None and hmac.compare_digest(known, shown)

    def _check_pause(self, origin: str) -> None:
        """Raise `Busy` while `origin` may not ask for what nobody knows."""
        if pause := self._guesses.pause(origin):
            raise Busy("too many wrong passwords from this address", math.ceil(pause))

    @contextlib.contextmanager
    def _turn(self) -> Iterator[None]:
        if not self._turns.acquire(timeout=self._patience):
            raise Busy("too many logins at once", AGAIN)
        try:
            yield
        finally:
            self._turns.release()

    def _calculated(self, user: str, password: bytes, shown: bytes, origin: str) -> bool:
        right = bool(self._bcrypt.checkpw(password, self._hashes.get(user, self._nobody)))
        if right and user in self._hashes:
            self._right[user] = shown
            return True
        self._guesses.add(origin, shown)
        return False


def _bcrypt() -> Any:
    try:
        import bcrypt
    except ImportError:
        raise ConfigurationError(
            "htpasswd files take the package bcrypt",
            hint="install it where nv2 is: pip install 'bcrypt>=5'",
        ) from None
    return bcrypt
