import inspect
import re

import pytest

from nv2 import errors
from nv2.errors import Nv2Error, PolicyError, UsageError

CLASSES = {
    name: found
    for name, found in vars(errors).items()
    if inspect.isclass(found) and issubclass(found, Nv2Error) and not name.startswith("_")
}


def drawn() -> dict[str, str | None]:
    """The tree in the docstring: each class with its parent."""
    parents: dict[str, str | None] = {}
    path: list[tuple[int, str]] = []
    for line in (errors.__doc__ or "").splitlines():
        if found := re.match(r"((?:[ │]*[├└]─ )?)([A-Z]\w+)(?:  |$)", line):
            depth = len(found[1])
            path = [entry for entry in path if entry[0] < depth]
            parents[found[2]] = path[-1][1] if path else None
            path.append((depth, found[2]))
    return parents


def actual_parent(found: type[Nv2Error]) -> str | None:
    """The nearest public base."""
    return next((base.__name__ for base in found.__mro__[1:] if base.__name__ in CLASSES), None)


def test_the_docstring_draws_every_class_under_its_parent() -> None:
    assert drawn() == {name: actual_parent(found) for name, found in CLASSES.items()}


@pytest.mark.parametrize("name", CLASSES)
def test_every_class_says_what_it_means(name: str) -> None:
    assert CLASSES[name].__doc__


def test_an_error_says_where_then_what() -> None:
    error = PolicyError("unknown field", at="trustPolicies[2]", hint="did you mean 'name'?")
    assert str(error) == "trustPolicies[2]: unknown field"
    assert (error.message, error.at, error.hint) == (
        "unknown field",
        "trustPolicies[2]",
        "did you mean 'name'?",
    )


def test_an_error_without_a_place_is_its_message() -> None:
    assert str(UsageError("no reference")) == "no reference"
