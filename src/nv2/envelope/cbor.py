"""CBOR (RFC 8949), as much of it as COSE envelopes use, read strictly.

One way to write a thing: definite lengths, minimal integers and lengths, labels that are integers or text,
none twice, nothing after the item. Map order is not checked, since signers other than notation may choose their
own. Tags are kept, not interpreted. Why not a library: docs/adr/0003-own-cbor-reader.md.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from datetime import datetime
from math import isfinite
from typing import Any, NamedTuple

from nv2.strict_json import ErrorType

MAX_INTEGER = 2**63 - 1
"""What notation reads; CBOR itself goes to 64 bits and a sign."""

MAX_DEPTH = 16
"""Nested arrays, maps and tags. An envelope has 4: tag, array, map, array of certificates."""

MAX_ITEMS = 10_000
"""Members of all arrays and maps together. An envelope has about 20, and an empty array costs 60 times its byte."""

_UINT, _NEGATIVE, _BYTES, _TEXT, _ARRAY, _MAP, _TAG, _SIMPLE = range(8)
_CONSTANTS = {20: False, 21: True, 22: None}
_FLOATS = {25: ">e", 26: ">f", 27: ">d"}
_DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII)


class Tag(NamedTuple):
    """A tagged item: the number says what the value means."""

    number: int
    value: Any


class _Refusal(ValueError):
    pass


class _Budget:
    """How many members there may still be."""

    __slots__ = ("_left",)

    def __init__(self) -> None:
        self._left = MAX_ITEMS

    def spend(self, count: int) -> None:
        self._left -= count
        if self._left < 0:
            raise _Refusal(f"more than {MAX_ITEMS} items")


def decode(data: bytes, error: ErrorType, *, at: str | None = None) -> Any:
    """The one item that `data` is: int, bytes, str, list, dict, `Tag`, float, bool or None.

    Raises `error(message, at=at)`. The caller bounds the size of `data` when reading it.
    """
    try:
        value, end = _item(data, 0, 0, _Budget())
        if end != len(data):
            raise _Refusal(f"{len(data) - end} bytes after the end")
    except _Refusal as e:
        raise error(f"not acceptable CBOR: {e}", at=at) from None
    return value


def _item(data: bytes, at: int, depth: int, budget: _Budget) -> tuple[Any, int]:
    if depth > MAX_DEPTH:
        raise _Refusal(f"nested deeper than {MAX_DEPTH}")
    if at >= len(data):
        raise _Refusal("cut short")
    major, info = data[at] >> 5, data[at] & 0x1F
    if major == _SIMPLE:
        return _simple(data, at, info)
    argument, body = _argument(data, at, info)
    match major:
        case 0 | 1 if argument > MAX_INTEGER:
            raise _Refusal(f"an integer of more than 63 bits at byte {at}")
        case 0:
            return argument, body
        case 1:
            return -1 - argument, body
        case 2 | 3:
            return _string(data, body, argument, major == _TEXT)
        case 4:
            budget.spend(argument)
            return _array(data, body, argument, depth, budget)
        case 5:
            budget.spend(argument)
            return _map(data, body, argument, depth, budget)
        case _:
            value, end = _item(data, body, depth + 1, budget)
            return Tag(argument, value), end


def _is_date(value: Any) -> bool:
    if not isinstance(value, str) or not _DATE.fullmatch(value):
        return False
    try:
        datetime.fromisoformat(value[:19])
    except ValueError:
        return False
    return True


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and isfinite(value)


def _is_bytes(value: Any) -> bool:
    return isinstance(value, bytes)


_CONTENTS: dict[int, Callable[[Any], bool]] = {0: _is_date, 1: _is_number, 2: _is_bytes, 3: _is_bytes}
"""What tags of RFC 8949, 3.4 may hold: date, epoch time, big integers. Other tags are kept as they are."""


def misused_tag(value: Any) -> int | None:
    """The number of a tag in `value` that holds something else than it is for, or None."""
    if isinstance(value, Tag):
        if value.number in _CONTENTS and not _CONTENTS[value.number](value.value):
            return value.number
        return misused_tag(value.value)
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return next((number for item in inside if (number := misused_tag(item)) is not None), None)


def _argument(data: bytes, at: int, info: int) -> tuple[int, int]:
    """The number after the major type, and where it ends."""
    if info < 24:
        return info, at + 1
    if info > 27:
        raise _Refusal(f"an indefinite or reserved length at byte {at}")
    size = 1 << (info - 24)
    end = at + 1 + size
    if end > len(data):
        raise _Refusal("cut short")
    value = int.from_bytes(data[at + 1 : end], "big")
    if value < (24 if size == 1 else 1 << (4 * size)):
        raise _Refusal(f"a number that is not minimal at byte {at}")
    return value, end


def _simple(data: bytes, at: int, info: int) -> tuple[Any, int]:
    if info in _CONSTANTS:
        return _CONSTANTS[info], at + 1
    if info not in _FLOATS:
        raise _Refusal(f"an unknown simple value at byte {at}")
    end = at + 1 + (1 << (info - 24))
    if end > len(data):
        raise _Refusal("cut short")
    return struct.unpack(_FLOATS[info], data[at + 1 : end])[0], end


def _string(data: bytes, at: int, length: int, is_text: bool) -> tuple[Any, int]:
    end = at + length
    if end > len(data):
        raise _Refusal("cut short")
    if not is_text:
        return data[at:end], end
    try:
        return data[at:end].decode(), end
    except UnicodeDecodeError:
        raise _Refusal(f"text that is not UTF-8 at byte {at}") from None


def _array(data: bytes, at: int, count: int, depth: int, budget: _Budget) -> tuple[list[Any], int]:
    found = []
    for _ in range(count):
        value, at = _item(data, at, depth + 1, budget)
        found.append(value)
    return found, at


def _map(data: bytes, at: int, count: int, depth: int, budget: _Budget) -> tuple[dict[int | str, Any], int]:
    found: dict[int | str, Any] = {}
    for _ in range(count):
        start = at
        if start < len(data) and data[start] >> 5 not in (_UINT, _NEGATIVE, _TEXT):
            raise _Refusal(f"a label that is neither an integer nor text at byte {start}")
        label, at = _item(data, start, depth + 1, budget)
        if label in found:
            raise _Refusal(f"duplicate label {label!r:.80} at byte {start}")
        found[label], at = _item(data, at, depth + 1, budget)
    return found, at


def encode(value: Any) -> bytes:
    """The core deterministic encoding (RFC 8949, 4.2.1), labels sorted by their bytes; no floats."""
    match value:
        case bool() | None:
            return bytes((0xE0 | {False: 20, True: 21, None: 22}[value],))
        case int():
            return _head(_UINT, value) if value >= 0 else _head(_NEGATIVE, -1 - value)
        case bytes():
            return _head(_BYTES, len(value)) + value
        case str():
            return _head(_TEXT, len(text := value.encode())) + text
        case Tag():
            return _head(_TAG, value.number) + encode(value.value)
        case list() | tuple():
            return _head(_ARRAY, len(value)) + b"".join(map(encode, value))
        case dict():
            pairs = sorted((encode(label), encode(item)) for label, item in value.items())
            return _head(_MAP, len(pairs)) + b"".join(label + item for label, item in pairs)
        case _:
            raise TypeError(f"no CBOR for {type(value).__name__}")


def _head(major: int, argument: int) -> bytes:
    if argument < 24:
        return bytes((major << 5 | argument,))
    size = next((size for size in (1, 2, 4, 8) if argument < 1 << (8 * size)), None)
    if size is None:
        raise TypeError("no CBOR for integers above 64 bits")
    return bytes((major << 5 | 23 + size.bit_length(),)) + argument.to_bytes(size, "big")
