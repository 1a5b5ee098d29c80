"""A strict reader of DER (X.690, 10): definite, minimal lengths; one way to write a thing.

It walks what `cryptography` has no accessor for: raw names, and single extensions. What it does not
do: know any ASN.1 type beyond its tag.
"""

from __future__ import annotations

from typing import NamedTuple

BOOLEAN, INTEGER, BIT_STRING, OCTET_STRING, OBJECT_IDENTIFIER = 0x01, 0x02, 0x03, 0x04, 0x06
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


def read(data: bytes, start: int = 0) -> tuple[Element, int]:
    """The element at `start`, and where it ends. Raises `NotDer`."""
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
    return Element(tag, data[body:end], data[start:end]), end


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
