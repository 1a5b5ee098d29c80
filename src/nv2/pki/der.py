"""A strict reader of DER (X.690, 10): definite, minimal lengths; one way to write a thing.

It walks what `cryptography` has no accessor for: raw names, and single extensions. Whatever reads here
raises `NotDer`. What it does not do: know any ASN.1 type beyond its tag.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple

BOOLEAN, INTEGER, BIT_STRING, OCTET_STRING, OBJECT_IDENTIFIER, ENUMERATED = 0x01, 0x02, 0x03, 0x04, 0x06, 0x0A
UTC_TIME, GENERALIZED_TIME = 0x17, 0x18
SEQUENCE, SET = 0x30, 0x31


MAX_OBJECT_IDENTIFIER = 128
"""Bytes of an OBJECT IDENTIFIER; those made of a UUID have 20. Numbers of any length take quadratic time."""


class NotDer(ValueError):
    """Bytes that are not DER, or not what was expected there."""


class Element(NamedTuple):
    """A tag, its content, and both with the length between them."""

    tag: int
    content: bytes
    raw: bytes


def span(data: bytes, start: int = 0) -> tuple[int, int, int]:
    """Tag, begin of the content, and end of the element at `start`, which is not copied. Raises `NotDer`."""
    if len(data) < start + 2:
        raise NotDer("cut short")
    tag, length, body = data[start], data[start + 1], start + 2
    if tag & 0x1F == 0x1F:
        raise NotDer("tag number above 30")
    if length > 0x7F:
        size = length & 0x7F
        length = int.from_bytes(data[body : body + size], "big")
        body += size
        if not 1 <= size <= 4 or length < 0x80 or length >> (8 * (size - 1)) == 0:
            raise NotDer("a length that is indefinite, not minimal, or above 4 GiB")
    end = body + length
    if end > len(data):
        raise NotDer("cut short")
    return tag, body, end


def read(data: bytes, start: int = 0) -> tuple[Element, int]:
    """The element at `start`, and where it ends. Raises `NotDer`."""
    tag, body, end = span(data, start)
    return Element(tag, data[body:end], data[start:end]), end


def write(tag: int, content: bytes) -> bytes:
    """The element with this tag and content."""
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + content


def children(content: bytes) -> list[Element]:
    """Every element of `content`, to its last byte."""
    found, at = [], 0
    while at < len(content):
        element, at = read(content, at)
        found.append(element)
    return found


def expect(element: Element, tag: int) -> bytes:
    """The content of `element`, which must have `tag`."""
    if element.tag != tag:
        raise NotDer(f"tag {element.tag:#04x} instead of {tag:#04x}")
    return element.content


def single(data: bytes, tag: int) -> bytes:
    """The content of the one element that `data` is."""
    element, end = read(data)
    if end != len(data):
        raise NotDer("trailing bytes")
    return expect(element, tag)


def items(element: Element, tag: int = SEQUENCE) -> list[Element]:
    """The elements of a SEQUENCE, or of whatever `tag` is."""
    return children(expect(element, tag))


def boolean(element: Element) -> bool:
    """A BOOLEAN. False is accepted where a default made it superfluous: that is common, and says nothing else."""
    content = expect(element, BOOLEAN)
    if content not in (b"\x00", b"\xff"):
        raise NotDer("a boolean that is neither 00 nor ff")
    return content == b"\xff"


def integer(element: Element) -> int:
    """An INTEGER, minimal."""
    content = expect(element, INTEGER)
    if not content or (
        len(content) > 1 and content[0] in (0x00, 0xFF) and content[0] >> 7 == content[1] >> 7
    ):
        raise NotDer("an integer that is not minimal")
    return int.from_bytes(content, "big", signed=True)


def object_identifier(element: Element) -> str:
    """An OBJECT IDENTIFIER in dotted form."""
    content = expect(element, OBJECT_IDENTIFIER)
    if not content or content[-1] & 0x80:
        raise NotDer("an object identifier that is cut short")
    if len(content) > MAX_OBJECT_IDENTIFIER:
        raise NotDer(f"an object identifier of more than {MAX_OBJECT_IDENTIFIER} bytes")
    numbers, value, fresh = [], 0, True
    for byte in content:
        if fresh and byte == 0x80:
            raise NotDer("an object identifier that is not minimal")
        value = value << 7 | byte & 0x7F
        fresh = byte < 0x80
        if fresh:
            numbers.append(value)
            value = 0
    first = min(numbers[0] // 40, 2)
    return ".".join(map(str, (first, numbers[0] - 40 * first, *numbers[1:])))


def bits(element: Element) -> frozenset[int]:
    """The positions that are set in a BIT STRING, from 0."""
    content = expect(element, BIT_STRING)
    if not content or content[0] > 7 or (len(content) == 1 and content[0]):
        raise NotDer("a bit string without its count of unused bits")
    if content[-1] & ((1 << content[0]) - 1) and len(content) > 1:
        raise NotDer("a bit string whose unused bits are set")
    return frozenset(
        8 * at + bit for at, byte in enumerate(content[1:]) for bit in range(8) if byte & 0x80 >> bit
    )


_CENTURY = 50
"""UTCTime of a year from here on is in the twentieth century (RFC 5280, 4.1.2.5.1)."""


def instant(element: Element) -> datetime:
    """A UTCTime or GeneralizedTime as RFC 5280, 4.1.2.5, allows them: to the second, in UTC."""
    text = element.content.decode("ascii", "replace")
    if element.tag == UTC_TIME and len(text) == 13:
        text = ("19" if text[:2] >= str(_CENTURY) else "20") + text
    elif element.tag != GENERALIZED_TIME:
        raise NotDer("a time of no known kind")
    if len(text) != 15 or text[14] != "Z" or not text[:14].isascii() or not text[:14].isdecimal():
        raise NotDer("a time that is not written to the second, in UTC")
    month, day, hour, minute, second = (int(text[at : at + 2]) for at in range(4, 14, 2))
    try:
        return datetime(int(text[:4]), month, day, hour, minute, second, tzinfo=UTC)
    except ValueError as e:
        raise NotDer(f"no such time: {e}") from None
