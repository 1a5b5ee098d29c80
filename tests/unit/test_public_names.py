"""What `import nv2` offers: one table, and every name in it is there."""

from __future__ import annotations

import ast
import pydoc
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import nv2


def _named_for_type_checkers() -> set[str]:
    """The names that `__init__` imports for type checkers alone."""
    tree = ast.parse(Path(nv2.__file__).read_text())
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    return {
        alias.asname or alias.name
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def test_all_is_the_lazy_table_and_the_version() -> None:
    assert set(nv2.__all__) == {*nv2._PUBLIC, "__version__"}
    assert list(nv2.__all__) == sorted(nv2.__all__)


def test_type_checkers_know_every_lazy_name_and_no_other() -> None:
    assert set(nv2._PUBLIC) == _named_for_type_checkers()


def test_every_public_name_is_listed_and_completed() -> None:
    assert set(nv2.__all__) <= set(dir(nv2))


def test_help_describes_every_public_function_and_class() -> None:
    shown = pydoc.plain(pydoc.render_doc(nv2))
    for name in nv2.__all__:
        if callable(getattr(nv2, name)):
            assert re.search(rf"^    (class )?{name}(\(| = )", shown, re.MULTILINE), name


@pytest.mark.parametrize("name", nv2.__all__)
def test_a_public_name_is_documented(name: str) -> None:
    found = getattr(nv2, name)
    assert not callable(found) or (found.__doc__ and not found.__doc__.startswith(f"{name}("))


@pytest.mark.parametrize("name", nv2.__all__)
def test_a_public_name_is_there(name: str) -> None:
    assert getattr(nv2, name) is not None


@pytest.mark.parametrize(("name", "home"), sorted(nv2._PUBLIC.items()))
def test_a_lazy_name_is_what_its_module_calls_so(name: str, home: tuple[str, str]) -> None:
    module, attribute = home
    assert getattr(nv2, name) is getattr(import_module(module), attribute)


def test_a_fresh_interpreter_finds_the_errors_without_importing_them() -> None:
    script = "import nv2; print(nv2.errors.NotFound.__mro__[2] is nv2.Nv2Error)"
    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "True"


def test_another_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'verfy'"):
        _ = nv2.verfy  # type: ignore[attr-defined]
