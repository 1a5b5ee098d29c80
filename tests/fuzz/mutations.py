"""Small changes to structured bytes: JSON, CBOR, DER, and each inside the strings of another.

A change of bytes alone seldom gets past lengths, quotes and base64. Here the structure is read, a value in it
changed (one inside a string likewise), and all of it written again.
"""

from __future__ import annotations

import binascii
import json
from base64 import b64decode, b64encode, urlsafe_b64encode
from collections.abc import Callable
from random import Random
from typing import Any

from nv2.envelope import cbor
from nv2.errors import MalformedEnvelope
from nv2.pki import der

MAX_NESTED = 4
"""Structures in strings of structures: the certificate in base64 in JSON has 2."""

_SURPRISES: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    2**31,
    2**63,
    -(2**63) - 1,
    0.5,
    1e308,
    float("nan"),
    "",
    " ",
    "*",
    "\0",
    "\n",
    "é",
    "\ud800",
    "\u2028",
    "x" * 300,
    ":",
    "/",
    "null",
    [],
    {},
    [[]],
    {"": None},
)
_BYTES = (
    b"",
    b"\0",
    b"\xff",
    b"\x80",
    b"\x30\x80",
    b"\x1f",
    b'"',
    b"{",
    b"\\u0000",
    b"\xed\xa0\x80",
    b"\x7f" * 20,
)


def mutate(data: bytes, random: Random, depth: int = 0) -> bytes:
    """`data` with one change, somewhere."""
    if depth < MAX_NESTED and random.random() < 0.8:
        for change in random.sample(_STRUCTURES, len(_STRUCTURES)):
            changed = change(data, random, depth)
            if changed is not None:
                return changed
    return _mutate_bytes(data, random)


def _mutate_bytes(data: bytes, random: Random) -> bytes:
    start = random.randint(0, len(data))
    end = random.choice((start, min(len(data), start + random.randint(1, 8)), len(data)))
    middle = data[start:end]
    if middle and random.random() < 0.5:
        middle = bytes((middle[0] ^ 1 << random.randrange(8),)) + middle[1:]
    else:
        middle = random.choice((*_BYTES, middle * 2, b"", random.randbytes(random.randint(1, 4))))
    return data[:start] + middle + data[end:]


# --- JSON and CBOR: trees of lists, mappings and leaves ---------------------------------------------------


def _mutate_json(data: bytes, random: Random, depth: int) -> bytes | None:
    try:
        tree = json.loads(data)
    except (ValueError, RecursionError):
        return None
    if not isinstance(tree, list | dict):
        return None
    changed = _mutate_tree(tree, random, depth)
    return json.dumps(changed, ensure_ascii=random.random() < 0.5).encode("utf-8", "surrogatepass")


def _mutate_cbor(data: bytes, random: Random, depth: int) -> bytes | None:
    try:
        tree = cbor.decode(data, MalformedEnvelope)
    except MalformedEnvelope:
        return None
    if not isinstance(tree, list | dict | cbor.Tag):
        return None
    try:
        return cbor.encode(_mutate_tree(tree, random, depth))
    except (TypeError, ValueError):
        return None


def _mutate_tree(tree: Any, random: Random, depth: int) -> Any:
    inside = bool(tree) and random.random() < 0.9
    match tree:
        case cbor.Tag() if inside:
            return cbor.Tag(tree.number, _mutate_tree(tree.value, random, depth))
        case dict() if inside:
            return _mutate_mapping(tree, random, depth)
        case list() if inside:
            return _mutate_list(tree, random, depth)
        case str() if inside:
            return _mutate_text(tree, random, depth)
        case bytes() if inside:
            return mutate(tree, random, depth + 1)
        case int() if random.random() < 0.5:
            return tree + random.choice((-1, 1, 2**16, -(2**32)))
        case _:
            return random.choice(_SURPRISES)


def _mutate_mapping(tree: dict[Any, Any], random: Random, depth: int) -> dict[Any, Any]:
    key = random.choice(list(tree))
    match random.randrange(8):
        case 0:
            return {k: v for k, v in tree.items() if k != key}
        case 1:
            other = key + 1 if isinstance(key, int) else random.choice((key.upper(), key[:-1], key + "x", ""))
            return {other if k == key else k: v for k, v in tree.items()}
        case 2:
            return {**tree, key: tree[random.choice(list(tree))]}
        case _:
            return {**tree, key: _mutate_tree(tree[key], random, depth)}


def _mutate_list(tree: list[Any], random: Random, depth: int) -> list[Any]:
    at = random.randrange(len(tree))
    match random.randrange(8):
        case 0:
            return tree[:at] + tree[at + 1 :]
        case 1:
            return tree[:at] + tree
        case 2:
            return random.sample(tree, len(tree))
        case _:
            return [*tree[:at], _mutate_tree(tree[at], random, depth), *tree[at + 1 :]]


def _mutate_text(text: str, random: Random, depth: int) -> str:
    """A text, or what is written in it as base64."""
    if len(text) > 16:
        for read, write in _BASE64:
            try:
                return write(mutate(read(text), random, depth + 1))
            except (ValueError, binascii.Error):
                continue
    return mutate(text.encode("utf-8", "surrogatepass"), random, MAX_NESTED).decode("utf-8", "replace")


def _read_url(text: str) -> bytes:
    return b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


_BASE64: tuple[tuple[Callable[[str], bytes], Callable[[bytes], str]], ...] = (
    (lambda text: b64decode(text, validate=True), lambda data: b64encode(data).decode()),
    (_read_url, lambda data: urlsafe_b64encode(data).rstrip(b"=").decode()),
)


# --- DER: elements in elements ----------------------------------------------------------------------------


def _mutate_der(data: bytes, random: Random, depth: int) -> bytes | None:
    try:
        elements = der.children(data)
    except der.NotDer:
        return None
    return _mutate_elements(elements, random) if elements else None


def _mutate_elements(elements: list[der.Element], random: Random) -> bytes:
    raw = [element.raw for element in elements]
    at = random.randrange(len(raw))
    match random.randrange(16):
        case 0:
            raw[at] = b""
        case 1:
            raw[at] *= 2
        case 2:
            random.shuffle(raw)
        case 3:
            raw[at] = _element(elements[at].tag ^ 1 << random.randrange(8), elements[at].content)
        case _:
            raw[at] = _element(elements[at].tag, _mutate_content(elements[at], random))
    return b"".join(raw)


def _mutate_content(element: der.Element, random: Random) -> bytes:
    """Of a constructed element, and of a string that holds elements, those; of any other the bytes."""
    if element.tag & 0x20 or element.tag == der.OCTET_STRING:
        try:
            return _mutate_elements(der.children(element.content), random)
        except (der.NotDer, ValueError):
            pass
    return _mutate_bytes(element.content, random)


def _element(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + content


_STRUCTURES = (_mutate_json, _mutate_cbor, _mutate_der)
