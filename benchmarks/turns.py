"""Two programs in turn, so that whatever else the machine does hurts both; and what comes of it."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping

WARM_UP = 1
"""Turns before counting begins: file caches."""

Samples = Mapping[str, list[float]]
"""What was measured, by name, in the order of the turns."""


def take_turns(runs: int, works: Mapping[str, Callable[[], float]]) -> dict[str, list[float]]:
    """What every one of `works` gives, `runs` times; the order changes with each turn."""
    found: dict[str, list[float]] = {name: [] for name in works}
    order = list(works.items())
    for turn in range(WARM_UP + runs):
        for name, work in order if turn % 2 else order[::-1]:
            measured = work()
            if turn >= WARM_UP:
                found[name].append(measured)
    return found


def ratio(samples: Samples, one: str, other: str) -> float:
    """The median of the ratios of `one` to `other` in the same turn."""
    return statistics.median(a / b for a, b in zip(samples[one], samples[other], strict=True))


def middle(samples: Samples, name: str) -> float:
    """The median of what `name` took."""
    return statistics.median(samples[name])


def difference(samples: Samples, one: str, other: str) -> float:
    """The median of what `one` took more than `other` in the same turn."""
    return statistics.median(a - b for a, b in zip(samples[one], samples[other], strict=True))
