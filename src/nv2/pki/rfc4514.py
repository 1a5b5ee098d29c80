"""Distinguished names as people write them: `C=US, ST=WA, O=example.com` (RFC 4514), read.

A subset: one value for each attribute, none in hexadecimal, and `MANDATORY` ones
(trust-store-trust-policy, "Trusted Identities Constraints").
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from nv2.plain_text import one_line

if TYPE_CHECKING:
    from nv2.strict_json import ErrorType

MANDATORY = ("C", "ST", "O")
HINT = "C, ST and O are needed, and one value for each attribute: C=US,ST=WA,O=example.com"


def parse_name(text: str, at: str, error: ErrorType) -> dict[str, str]:
    """The attributes of a name, by short name. Raises `error(message, at=at, hint=…)`.

    Short names are in upper case, and `S` is read as `ST`; attributes of types that nobody knows are read too.
    """
    found: dict[str, str] = {}
    try:
        if "=#" in text:
            raise _Refusal('values in hexadecimal ("=#") are not supported')
        for kind, value in _attributes(text):
            short = "ST" if kind == "S" else kind
            if short in found:
                raise _Refusal(f"{short} occurs twice")
            if not value:
                raise _Refusal(f"{short} has no value")
            found[short] = value
    except (_Refusal, UnicodeDecodeError) as e:
        why = one_line(str(e))
        raise error(f"{one_line(text)!r} is not a distinguished name: {why}", at=at, hint=HINT) from None
    if missing := [short for short in MANDATORY if short not in found]:
        raise error(f"{one_line(text)!r} has no {' and no '.join(missing)}", at=at, hint=HINT)
    return found


class _Refusal(ValueError):
    pass


def _attributes(text: str) -> Iterator[tuple[str, str]]:
    for part in _split(text.encode()):
        kind, equals, value = _partition(part)
        if not equals or not (name := _unescape(kind)):
            raise _Refusal(f"{part.decode(errors='replace')!r} is not TYPE=VALUE")
        yield name, _unescape(value)


_SPECIAL = b' "#+,;<=>\\'


def _split(data: bytes) -> Iterator[bytes]:
    """The parts between commas and semicolons that are not escaped."""
    start = at = 0
    while at < len(data):
        if data[at] == 0x2B:  # "+", which would join several values to one part
            raise _Refusal("several values in one part (+) are not supported")
        if data[at] in b",;":
            yield data[start:at]
            start = at + 1
        at += 2 if data[at] == 0x5C else 1  # a backslash takes the next byte along
    yield data[start:]


def _partition(part: bytes) -> tuple[bytes, bool, bytes]:
    at = 0
    while at < len(part) and part[at] != 0x3D:
        at += 2 if part[at] == 0x5C else 1
    return part[:at], at < len(part), part[at + 1 :]


def _unescape(data: bytes) -> str:
    """Without spaces around it, and with `\\,` and `\\C3` resolved."""
    stripped = data.strip(b" ")
    if stripped.endswith(b"\\") and data.endswith(b" "):
        stripped += b" "
    found, at = bytearray(), 0
    while at < len(stripped):
        if stripped[at] != 0x5C:
            found.append(stripped[at])
            at += 1
        elif stripped[at + 1 : at + 2] and stripped[at + 1] in _SPECIAL:
            found.append(stripped[at + 1])
            at += 2
        else:
            found.append(_hexadecimal(stripped[at + 1 : at + 3]))
            at += 3
    return found.decode()


def _hexadecimal(digits: bytes) -> int:
    if len(digits) != 2 or not all(digit in b"0123456789abcdefABCDEF" for digit in digits):
        raise _Refusal("a backslash escapes a special character or two hexadecimal digits")
    return int(digits, 16)
