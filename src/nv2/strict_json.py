"""Strict reading of JSON: UTF-8 only, no duplicate keys, no NaN, bounded size and depth.

Go's `encoding/json` matches keys without regard to case, takes the last of two equal keys and stops
at the first value; each of these lets two readers of one document disagree. Here such documents are
refused. What this module does not do: say what a document must contain; `Fields` only helps to.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeVar

from nv2.errors import Nv2Error
from nv2.plain_text import quoted

MAX_DEPTH = 32
"""Nested arrays and objects. The deepest document of the field (an index with annotations) has 5."""

MAX_DIGITS = 19
"""Digits of an integer: enough for 64 bits, and no quadratic conversion."""

MAX_COMPARED = 100
"""Characters of a foreign key that are compared with known names, to tell which was meant."""

_INFINITY = float("inf")

T = TypeVar("T")

ErrorType = Callable[..., Nv2Error]


class _Refusal(ValueError):
    pass


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _Refusal(f"duplicate key {quoted(_first_twice(pairs))}")
    return found


def _first_twice(pairs: list[tuple[str, Any]]) -> str:
    # One pass: there may be a million of them.
    left = {key for key, _ in pairs}
    for key, _ in pairs:
        if key not in left:
            return key
        left.remove(key)
    raise LookupError("no key occurs twice")


def _constant(text: str) -> Any:
    raise _Refusal(f"{text} is not JSON")


def _integer(text: str) -> int:
    if len(text.lstrip("-")) > MAX_DIGITS:
        raise _Refusal(f"an integer has more than {MAX_DIGITS} digits")
    return int(text)


def _float(text: str) -> float:
    value = float(text)
    if value in (_INFINITY, -_INFINITY):
        raise _Refusal("a number is too large")
    return value


_DECODER = json.JSONDecoder(
    object_pairs_hook=_pairs, parse_constant=_constant, parse_int=_integer, parse_float=_float
)


def _depth(value: Any) -> int:
    """Depth of nesting, without recursion."""
    deepest, level = 0, [value]
    while level := [item for item in level if isinstance(item, (dict, list))]:
        deepest += 1
        level = [child for item in level for child in (item.values() if isinstance(item, dict) else item)]
    return deepest


def loads(data: bytes, error: ErrorType, *, at: str | None = None) -> Any:
    """Read one JSON document from `data`.

    Raises `error(message, at=at)` for anything but exactly one well-formed document in UTF-8 (RFC 8259)
    without a byte order mark, duplicate keys, NaN, overlong integers or unpaired surrogates.
    The caller bounds the size of `data` when reading it.
    """
    try:
        text = data.decode("utf-8")
        value = _DECODER.decode(text)
        if "\\u" in text:
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeDecodeError as e:
        raise error(f"not UTF-8 at byte {e.start}", at=at) from None
    except UnicodeEncodeError:
        raise error("not JSON: an unpaired surrogate", at=at) from None
    except _Refusal as e:
        raise error(f"not acceptable JSON: {e}", at=at) from None
    except json.JSONDecodeError as e:
        raise error(f"not JSON: {e.msg.lower()} at line {e.lineno} column {e.colno}", at=at) from None
    except RecursionError:
        raise error("not acceptable JSON: nested too deeply", at=at) from None
    # Few brackets cannot be nested deeply; that is quicker to see.
    if text.count("[") + text.count("{") > MAX_DEPTH and _depth(value) > MAX_DEPTH:
        raise error(f"not acceptable JSON: nested deeper than {MAX_DEPTH}", at=at)
    return value


_NAMES = {str: "a string", int: "an integer", bool: "true or false", dict: "an object", list: "an array"}


class Fields(NamedTuple):
    """A JSON object and its place; every getter raises `error` with the place of the field."""

    value: dict[str, Any]
    at: str
    error: ErrorType

    @classmethod
    def of(cls, value: Any, at: str, error: ErrorType) -> Fields:
        """The fields of `value`, which must be an object."""
        return cls(_typed(value, dict, at, error), at, error)

    def place(self, key: str) -> str:
        """Where `key` stands, for messages."""
        return f"{self.at}.{key}" if self.at else key

    def get(self, key: str, kind: type[T]) -> T | None:
        """The value of `key` as `kind`, or None when it is absent. `null` is not absent."""
        if key not in self.value:
            return None
        value = self.value[key]
        # The place is spelled out only for those who need it: this is asked 25 times an envelope.
        return value if type(value) is kind else _typed(value, kind, self.place(key), self.error)

    def require(self, key: str, kind: type[T]) -> T:
        """The value of `key` as `kind`."""
        found = self.get(key, kind)
        if found is None:
            raise self.error(f"{_NAMES[kind]} is missing", at=self.place(key))
        return found

    def strings(self, key: str) -> tuple[str, ...] | None:
        """The array of strings at `key`, or None when it is absent."""
        found = self.get(key, list)
        if found is None:
            return None
        return tuple(_typed(item, str, f"{self.place(key)}[{i}]", self.error) for i, item in enumerate(found))

    def string_map(self, key: str) -> dict[str, str] | None:
        """The object of strings at `key`, or None when it is absent."""
        found = self.get(key, dict)
        if found is None:
            return None
        for name, item in found.items():
            _typed(item, str, f"{self.place(key)}[{quoted(name)}]", self.error)
        return found

    def objects(self, key: str) -> Iterator[Fields]:
        """The objects of the array at `key`, which must be present."""
        for i, item in enumerate(self.require(key, list)):
            yield Fields.of(item, f"{self.place(key)}[{i}]", self.error)

    def object(self, key: str) -> Fields | None:
        """The object at `key`, or None when it is absent."""
        found = self.get(key, dict)
        return None if found is None else Fields(found, self.place(key), self.error)

    def only(self, *known: str) -> None:
        """Refuse any field that is not `known`, naming the one that was probably meant."""
        for key in self.value:
            if key not in known:
                raise self.error(f"unknown field {quoted(key)}", at=self.at or None, hint=_meant(key, known))


def _typed(value: Any, kind: type[T], at: str, error: ErrorType) -> T:
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise error(f"expected {_NAMES[kind]}", at=at or None)
    return value


def _meant(key: str, known: tuple[str, ...]) -> str:
    import difflib

    near = difflib.get_close_matches(key[:MAX_COMPARED], known, 1, 0.6)
    return f"did you mean {near[0]!r}?" if near else f"known fields: {', '.join(known)}"
