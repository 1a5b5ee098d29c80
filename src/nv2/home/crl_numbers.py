"""The highest CRL numbers that were seen, so that nobody can go back to an older CRL that has not expired yet.

RFC 5280, 5.2.3: of one authority and one scope, the numbers only grow. Whoever asks calls, in this order,
`Crl.check_origin(issuer)`, so that nobody but the authority makes up a number, and
`CrlNumbers.refusal(crl.series(issuer), crl.number)`; a reason that is given back makes the status *unknown*, or, for a
CRL from the cache, sends for a new one. A delta is asked about in the same way.
"""

from __future__ import annotations

import os
from pathlib import Path

from nv2.content.interface import Lock
from nv2.errors import EnvironmentFailure, Nv2Error
from nv2.files import read_file, write_atomically

_MAX_FILE = 64
"""Bytes of a number: it has 20 bytes, and so 49 digits, at most."""


def _is_older(number: int | None, seen: int) -> str:
    shown = "has no number" if number is None else f"is number {number}"
    return f"the CRL {shown}, and number {seen} was seen before: it is an older one"


class CrlNumbers:
    """The numbers in `directory`, a file for each series. Nothing here is fatal: what went wrong is in `warnings`.

    Who does not `learn` remembers nothing, and writes nothing.
    """

    def __init__(self, directory: Path, lock: Lock, *, learn: bool = True) -> None:
        self._directory = directory
        self._lock = lock
        self._learn = learn
        self.warnings: list[Nv2Error] = []

    def refusal(self, series: str, number: int | None) -> str | None:
        """Why a CRL of `series` with this `number` is refused; None, and the number is remembered, if it is not."""
        try:
            seen = self._seen(series)
            if seen is not None and (number is None or number < seen):
                return _is_older(number, seen)
            if self._learn and number is not None and number != seen:
                self._remember(series, number)
        except EnvironmentFailure as e:
            self.warnings.append(e)
        return None

    def older(self, series: str, number: int | None) -> str | None:
        """Why a CRL of `series` with this `number` is refused; None if it is not. Nothing is remembered."""
        try:
            seen = self._seen(series)
        except EnvironmentFailure as e:
            self.warnings.append(e)
            return None
        return _is_older(number, seen) if seen is not None and (number is None or number < seen) else None

    def _seen(self, series: str) -> int | None:
        path = self._directory / series
        if not os.path.lexists(path):
            return None
        text = read_file(path, _MAX_FILE, "a CRL number", regular=True).strip()
        if not text.isdigit():
            self.warnings.append(EnvironmentFailure("is not a CRL number; it begins anew", at=str(path)))
            return None
        return int(text)

    def _remember(self, series: str, number: int) -> None:
        path = self._directory / series
        with self._lock(str(path)):
            if number > (self._seen(series) or -1):
                write_atomically(path, b"%d\n" % number)
