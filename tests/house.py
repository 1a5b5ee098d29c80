"""Reads what the modules of a source tree import and use, without running them; `test_architecture` judges it.

Names are canonical: with `from sys import exit as leave`, a call of `leave()` is a use of `sys.exit`. What is
not seen: what goes through `getattr`, `eval` or a string, except strings that are names of our own modules.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import NamedTuple

PACKAGE = "nv2"
ROOT = "__init__"
"""The package itself, among module names that leave `nv2.` out."""


class When(Enum):
    """When an import takes effect."""

    LOADING = "when the module is loaded"
    RUNNING = "when a function is called"
    NAMED = "by a string that names the module"
    TYPES = "for type checkers only"


class Mention(NamedTuple):
    """A module, or a name out of one, that occurs in a module."""

    name: str
    line: int
    when: When


class Module(NamedTuple):
    """A module: its name without `nv2.`, the modules of ours that it imports, the names of others that it uses."""

    name: str
    ours: tuple[Mention, ...]
    others: tuple[Mention, ...]


House = dict[str, Module]


def read_house(root: Path) -> House:
    """Every module below the package folder `root`, by name."""
    paths = {_name(path.relative_to(root)): path for path in sorted(root.rglob("*.py"))}
    return {name: _read(name, path, frozenset(paths)) for name, path in paths.items()}


def _name(path: Path) -> str:
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == ROOT and len(parts) > 1 else parts)


def _read(name: str, path: Path, modules: frozenset[str]) -> Module:
    reader = _Reader(name, is_package=path.name == "__init__.py", modules=modules)
    reader.visit(ast.parse(path.read_text(), str(path)))
    return Module(name, tuple(reader.ours), tuple(reader.others))


class _Reader(ast.NodeVisitor):
    def __init__(self, name: str, *, is_package: bool, modules: frozenset[str]) -> None:
        self.package = [] if name == ROOT else name.split(".") if is_package else name.split(".")[:-1]
        self.modules = modules
        self.when = When.LOADING
        self.aliases: dict[str, str] = {}
        self.ours: list[Mention] = []
        self.others: list[Mention] = []

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self._within(When.RUNNING, list(ast.iter_child_nodes(node)))

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self.visit_FunctionDef(node)

    def visit_If(self, node: ast.If) -> None:
        if _dotted(node.test).endswith("TYPE_CHECKING"):
            self._within(When.TYPES, list(node.body))
            self._within(self.when, list(node.orelse))
        else:
            self.generic_visit(node)

    def _within(self, when: When, nodes: list[ast.AST]) -> None:
        before, self.when = self.when, self.when if self.when is When.TYPES else when
        for node in nodes:
            self.visit(node)
        self.when = before

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self.aliases[alias.asname or alias.name.partition(".")[0]] = (
                alias.name if alias.asname else alias.name.partition(".")[0]
            )
            self._mention(alias.name, node)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        source = node.module or ""
        if node.level:
            above = self.package[: len(self.package) - node.level + 1]
            source = ".".join([PACKAGE, *above, *([source] if source else [])])
        for alias in node.names:
            self.aliases[alias.asname or alias.name] = f"{source}.{alias.name}"
            self._mention(f"{source}.{alias.name}", node)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if dotted := _dotted(node):
            self._use(dotted, node)
        else:
            self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> None:
        self._use(node.id, node)

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, str) and re.fullmatch(rf"{PACKAGE}(\.\w+)+", node.value):
            self.ours.append(Mention(node.value.removeprefix(f"{PACKAGE}."), node.lineno, When.NAMED))

    def _use(self, dotted: str, node: ast.expr) -> None:
        first, dot, rest = dotted.partition(".")
        self._mention(self.aliases.get(first, first) + dot + rest, node, only_others=True)

    def _mention(self, name: str, node: ast.stmt | ast.expr, *, only_others: bool = False) -> None:
        if name.partition(".")[0] != PACKAGE:
            self.others.append(Mention(name, node.lineno, self.when))
        elif not only_others:
            self.ours.append(Mention(self._module(name), node.lineno, self.when))

    def _module(self, name: str) -> str:
        """The module that `nv2.a.b.C` means: the longest beginning that is one."""
        parts = name.split(".")[1:]
        for end in range(len(parts), 0, -1):
            if (module := ".".join(parts[:end])) in self.modules:
                return module
        return ROOT


def _dotted(node: ast.AST) -> str:
    """`a.b.c` as text; empty for anything but names joined by dots."""
    if isinstance(node, ast.Attribute):
        before = _dotted(node.value)
        return f"{before}.{node.attr}" if before else ""
    return node.id if isinstance(node, ast.Name) else ""


def cycle(house: House) -> tuple[str, ...]:
    """Modules that import each other in a ring, the first repeated at the end; empty if there are none."""
    done: set[str] = set()
    for start in house:
        if found := next(_rings(start, (), house, done), ()):
            return found
    return ()


def _rings(name: str, way: tuple[str, ...], house: House, done: set[str]) -> Iterator[tuple[str, ...]]:
    if name in way:
        yield (*way[way.index(name) :], name)
    if name in done or name in way or name not in house:
        return
    for mention in house[name].ours:
        if mention.when in (When.LOADING, When.RUNNING) and mention.name != name:
            yield from _rings(mention.name, (*way, name), house, done)
    done.add(name)
