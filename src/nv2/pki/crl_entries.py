"""The entries of a CRL (RFC 5280, 5.1.2.6 and 5.3), of which there may be a million: only those asked for are read.

Entries are found by searching for bytes, which is a hundred times faster than reading all of them, and just as sure:

* However an authority writes a serial number, with superfluous zeros in front or without, the bytes of its value stand
  in the entry. Where they do not occur, it is not listed. (A search for the one INTEGER that DER allows would miss the
  entries of an authority that writes it in another way.)
* Where they occur, by chance or not, the entry around them is found by walking from the first one, and read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from nv2.pki import der
from nv2.pki.certificate_status import INVALIDITY_DATE, REASON_CODE, UNSPECIFIED
from nv2.pki.extensions import read_extensions

_PROCESSED = (REASON_CODE, INVALIDITY_DATE)

_CRITICAL = b"\x01\x01\xff\x04"
"""How a critical extension goes on after its name: TRUE, and the tag of its value."""


class Entry(NamedTuple):
    """What a CRL says about one serial number."""

    revoked_at: datetime
    reason: int
    invalid_since: datetime | None
    unknown_critical: tuple[str, ...]


_SHORT = 8
"""Bytes of a serial number below which they occur by chance in a long list."""


def _sought(value: bytes) -> tuple[bytes, ...]:
    """What stands in every entry whose serial number has the bytes `value`: one of these, or the other."""
    if len(value) >= _SHORT:
        return (value,)
    # In front of them stands their number, or a superfluous zero; zero itself has no bytes left.
    return (bytes((len(value),)) + value, b"\0" + value)


class Entries(NamedTuple):
    """Entries that were not read yet: a part of the bytes of a CRL."""

    data: bytes
    start: int
    end: int

    def about(self, serial: int) -> list[Entry]:
        """The entries about a serial number, which is not negative. Raises `ValueError` if one cannot be read."""
        value = serial.to_bytes((serial.bit_length() + 7) // 8, "big")
        found = {at: stop for sought in _sought(value) for at, stop in self._holding(sought)}
        return [_entry(self.data[at:stop]) for at, stop in found.items() if self._serial(at) == value]

    def _serial(self, at: int) -> bytes:
        """The serial number of the entry that begins at `at`, without zeros in front."""
        serial, _ = der.read(self.data, der.span(self.data, at)[1])
        return der.expect(serial, der.INTEGER).lstrip(b"\0")

    def unknown_critical(self) -> str | None:
        """A critical extension of any entry that is not processed here: with it, 5.3 forbids to use the CRL."""
        for at, stop in self._holding(_CRITICAL):
            for name in _entry(self.data[at:stop]).unknown_critical:
                return name
        return None

    def _holding(self, sought: bytes) -> Iterator[tuple[int, int]]:
        """Begin and end of the entries in which `sought` begins."""
        at = self.start
        while (hit := self.data.find(sought, at, self.end)) >= 0:
            at, stop = self._around(hit, at)
            yield at, stop
            at = stop

    def _around(self, hit: int, at: int) -> tuple[int, int]:
        """The entry around `hit`, walking from `at`, where one begins."""
        data = self.data
        if hit - at > _FAR:
            at = _skipped(data, at, hit)
        while True:
            tag, _, stop = der.span(data, at)
            if tag != der.SEQUENCE or stop > self.end:
                raise der.NotDer("entries that are no sequences, or cut short")
            if stop > hit:
                return at, stop
            at = stop


_FAR = 64 * 1024
"""Bytes to walk from which on a faster gait pays."""

_USUAL = range(17, 80)
"""Bytes of an entry without its header: serial number and date, often a reason, seldom more."""


def _skipped(data: bytes, at: int, end: int) -> int:
    """Where the entries of usual length end that follow each other from `at`, before `end`.

    The engine of regular expressions walks ten times faster than a loop: tag, length, and as many bytes.
    """
    lengths = b"|".join(re.escape(bytes((size,))) + b".{%d}" % size for size in _USUAL)
    found = re.compile(b"(?:0(?:" + lengths + b"))*+", re.DOTALL).match(data, at, end)
    return found.end() if found else at


def _entry(data: bytes) -> Entry:
    _serial, date, *rest = der.children(der.single(data, der.SEQUENCE))
    if len(rest) > 1:
        raise der.NotDer("a malformed entry")
    found = read_extensions(rest[0].raw) if rest else {}
    reason = _enumerated(found[REASON_CODE][0]) if REASON_CODE in found else UNSPECIFIED
    invalid_since = der.instant(_whole(found[INVALIDITY_DATE][0])) if INVALIDITY_DATE in found else None
    unknown = tuple(name for name, (_, critical) in found.items() if critical and name not in _PROCESSED)
    return Entry(der.instant(date), reason, invalid_since, unknown)


def _whole(data: bytes) -> der.Element:
    element, end = der.read(data)
    if end != len(data):
        raise der.NotDer("trailing bytes")
    return element


def _enumerated(data: bytes) -> int:
    content = der.expect(_whole(data), der.ENUMERATED)
    return der.integer(der.Element(der.INTEGER, content, data))
