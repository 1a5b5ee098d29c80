"""What `import nv2` offers: one table, and every name in it is there."""

from __future__ import annotations

import ast
from importlib import import_module
from pathlib import Path

import pytest

import nv2


def _named_for_type_checkers() -> set[str]:
    """The names that `__init__` imports for type checkers alone."""
    tree = ast.parse(Path(nv2.__file__).read_text())
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    imported = {
        alias.asname or alias.name
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assigned = {
        node.targets[0].id
        for node in block.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    return imported | assigned


def test_all_is_the_lazy_table_and_the_version() -> None:
    assert set(nv2.__all__) == {*nv2._PUBLIC, "__version__"}
    assert list(nv2.__all__) == sorted(nv2.__all__)


def test_type_checkers_know_every_lazy_name() -> None:
    assert set(nv2._PUBLIC) <= _named_for_type_checkers()


@pytest.mark.parametrize("name", nv2.__all__)
def test_a_public_name_is_there(name: str) -> None:
    assert getattr(nv2, name) is not None


@pytest.mark.parametrize(("name", "home"), sorted(nv2._PUBLIC.items()))
def test_a_lazy_name_is_what_its_module_calls_so(name: str, home: tuple[str, str]) -> None:
    module, attribute = home
    assert getattr(nv2, name) is getattr(import_module(module), attribute)


def test_another_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'verfy'"):
        _ = nv2.verfy  # type: ignore[attr-defined]
