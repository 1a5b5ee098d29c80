"""Trees as notation prints them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple


class Tree(NamedTuple):
    """A line and the trees below it."""

    text: str
    below: tuple[Tree, ...] = ()

    def lines(self) -> Iterator[str]:
        """The lines of the tree, from the root."""
        yield self.text
        yield from self._below("")

    def _below(self, indent: str) -> Iterator[str]:
        for position, tree in enumerate(self.below):
            last = position == len(self.below) - 1
            yield f"{indent}{'└── ' if last else '├── '}{tree.text}"
            yield from tree._below(indent + ("    " if last else "│   "))


def pairs(*rows: tuple[str, str]) -> tuple[Tree, ...]:
    """A leaf `name: value` for each row."""
    return tuple(Tree(f"{name}: {value}") for name, value in rows)
