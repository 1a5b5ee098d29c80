"""One target, led by coverage: `python -m tests.fuzz.guided TARGET [options of libFuzzer] [files or corpus]`.

With a file instead of a folder, the target runs once on what is in it.
"""

from __future__ import annotations

import sys
from random import Random

import atheris  # type: ignore[import-untyped]  # not in the environment of mypy

with atheris.instrument_imports(include=["nv2"]):
    from tests.fuzz.mutations import mutate
    from tests.fuzz.targets import TARGETS

STRUCTURED = 0.75
"""Share of changes that know the structure; the rest is libFuzzer's, led by what the code compares with."""


def _change(data: bytes, most: int, seed: int) -> bytes:
    random = Random(seed)
    if random.random() < STRUCTURED:
        return mutate(bytes(data), random)[:most]
    return bytes(atheris.Mutate(data, most))


def main() -> None:
    """Does not return: libFuzzer ends the process."""
    target = TARGETS[sys.argv.pop(1)]
    target(b"")
    options = [sys.argv[0], f"-max_len={target.limit}", *sys.argv[1:]]
    atheris.Setup(options, lambda data: target(data) and None, custom_mutator=_change)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
