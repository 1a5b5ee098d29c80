"""The rows of the table: what was measured, what was wanted, and how both are written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import Enum
from typing import Any, NamedTuple

from benchmarks.turns import Samples, middle, ratio

NO_SAMPLES: Samples = {}


class Unit(Enum):
    """How a figure is written."""

    BARE = "{:.2f} × bare"
    NOTATION = "{:.2f} × notation"
    PEER = "{:.2f} × the fastest peer"
    ORAS = "{:.2f} × oras"
    HASH = "{:.2f} × openssl dgst"
    MEMORY = "{:.1f} MiB"
    RATE = "{:,.0f} per second"
    COUNT = "{:.0f}"
    MILLISECONDS = "{:.0f} ms"


class Row(NamedTuple):
    """One figure."""

    what: str
    unit: Unit
    reached: float
    target: float | None
    """What issue or design wants at most (`RATE`: at least); None for a figure that is there to compare with."""
    beside: str
    """The absolute figures behind it."""
    samples: Samples = NO_SAMPLES
    """Everything that was measured: milliseconds, MiB or counts, by program."""

    @property
    def is_reached(self) -> bool | None:
        """Whether the target is."""
        if self.target is None:
            return None
        return self.reached >= self.target if self.unit is Unit.RATE else self.reached <= self.target


def compared(what: str, unit: Unit, target: float | None, samples: Samples) -> Row:
    """The row of milliseconds: nv2 against what `unit` names."""
    other = "bare" if unit is Unit.BARE else "notation"
    beside = ", ".join(f"{name} {_milliseconds(middle(samples, name))}" for name in samples)
    return Row(what, unit, ratio(samples, "nv2", other), target, beside, samples)


def _milliseconds(value: float) -> str:
    return f"{value:.1f} ms" if value < 1000 else f"{value / 1000:.2f} s"


_WORDS = {True: "yes", False: "**no**", None: ""}


def markdown(rows: Iterable[Row]) -> Iterator[str]:
    """The lines of the table as docs/performance.md holds it."""
    yield "| what | target | measured | reached | medians |"
    yield "|---|---|---|---|---|"
    for row in rows:
        sign = "≥" if row.unit is Unit.RATE else "≤"
        target = "" if row.target is None else f"{sign} {row.unit.value.format(row.target)}"
        measured = row.unit.value.format(row.reached)
        yield f"| {row.what} | {target} | {measured} | {_WORDS[row.is_reached]} | {row.beside} |"


def as_json(row: Row) -> dict[str, Any]:
    """The row with everything that was measured."""
    return {
        "what": row.what,
        "unit": row.unit.name.lower(),
        "measured": row.reached,
        "target": row.target,
        "reached": row.is_reached,
        "samples": dict(row.samples),
    }
