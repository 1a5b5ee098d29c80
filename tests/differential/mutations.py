"""Changes that somebody could think of, and that nobody would, to JSON-like trees and to bytes."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

ODD: tuple[Any, ...] = (
    None,
    True,
    0,
    1,
    -1,
    2**53 + 1,
    2**64,
    1.5,
    1e300,
    "",
    "x",
    " ",
    "*",
    [],
    {},
    [[]],
    ["x"],
)
"""Values of every kind, put where another kind is expected."""

Tree = Any


def mutate_tree(tree: Tree, source: random.Random, words: tuple[Any, ...] = ()) -> Tree:
    """A copy of `tree` with one member changed, taken out, added, doubled or renamed; `words` are likely values."""
    changed = _copy(tree)
    inside = [node for node in _nodes(changed) if isinstance(node, (dict, list)) and node]
    if not inside:
        return _copy(source.choice(ODD))
    node = source.choice(inside)
    values = (*ODD, *words, *words)
    if isinstance(node, list):
        _mutate_list(node, source, values)
    else:
        _mutate_map(node, source, values)
    return changed


def _copy(tree: Tree) -> Tree:
    if isinstance(tree, dict):
        return {label: _copy(item) for label, item in tree.items()}
    return [_copy(item) for item in tree] if isinstance(tree, list) else tree


def _nodes(tree: Tree) -> list[Tree]:
    below = tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ()
    return [tree, *(node for item in below for node in _nodes(item))]


def _mutate_list(node: list[Any], source: random.Random, values: tuple[Any, ...]) -> None:
    at = source.randrange(len(node))
    match source.randrange(5):
        case 0:
            node[at] = source.choice(values)
        case 1:
            del node[at]
        case 2:
            node.insert(at, source.choice(values))
        case 3:
            node.append(node[at])
        case _:
            source.shuffle(node)


def _mutate_map(node: dict[Any, Any], source: random.Random, values: tuple[Any, ...]) -> None:
    label = source.choice(list(node))
    match source.randrange(6):
        case 0 | 1:
            node[label] = source.choice(values)
        case 2:
            del node[label]
        case 3:
            node[source.choice(("x", 7, "io.cncf.notary.expiry", 99)) if 1 in node else _word(source)] = (
                source.choice(values)
            )
        case 4 if isinstance(label, str):
            node[_respell(label, source)] = node.pop(label)
        case _:
            node[label] = node[source.choice(list(node))]


def _word(source: random.Random) -> str:
    return source.choice(
        ("x", "kid", "typ", "x5c", "io.cncf.notary.expiry", "io.cncf.notary.x", "urls", "data", "platform")
    )


def _respell(label: str, source: random.Random) -> str:
    at = source.randrange(len(label)) if label else 0
    return source.choice(
        (label.upper(), label[:at] + label[at : at + 1].swapcase() + label[at + 1 :], label + " ")
    )


def _flip(data: bytearray, at: int, source: random.Random) -> None:
    data[at] ^= 1 << source.randrange(8)


def _remove(data: bytearray, at: int, source: random.Random) -> None:
    del data[at : at + source.choice((1, 1, 2, 8))]


def _insert(data: bytearray, at: int, source: random.Random) -> None:
    data[at:at] = source.choice(
        (b"\0", b" ", b"\n", b'"', b"=", b",", b"{}", b"\xff", b"\xef\xbb\xbf", b"\\u0000")
    )


def _repeat(data: bytearray, at: int, source: random.Random) -> None:
    data[at:at] = data[at : at + source.randrange(1, 40)]


def _replace(data: bytearray, at: int, source: random.Random) -> None:
    data[at] = source.randrange(256)


def _end(data: bytearray, _: int, source: random.Random) -> None:
    data += source.choice((b"\0", b" ", b"\n", b"x", b"{}", bytes(data)))


_BYTES: tuple[Callable[[bytearray, int, random.Random], None], ...] = (
    _flip,
    _remove,
    _insert,
    _repeat,
    _replace,
    _end,
)


def mutate_bytes(data: bytes, source: random.Random) -> bytes:
    """`data` with a few bytes changed at one place."""
    changed = bytearray(data or b"\0")
    source.choice(_BYTES)(changed, source.randrange(len(changed)), source)
    return bytes(changed)
