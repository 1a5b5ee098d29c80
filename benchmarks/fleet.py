"""A hundred images: one process of nv2 against one of notation for each, which is all that notation can."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.bench import Bench
from benchmarks.proxy import relay
from benchmarks.registries import signed_image
from benchmarks.rows import Row, Unit, compared
from benchmarks.turns import take_turns

IMAGES = 100
DISTANCES = ((0.0, 0.35), (0.020, 0.10))
"""Seconds of round trip, and times notation at most."""


def measure_fleet(bench: Bench) -> Iterator[Row]:
    """On loopback, and through a line that adds a round trip."""
    nv2, notation = bench.programs.nv2, bench.programs.notation
    if notation is None:
        return
    names = [signed_image(bench.registry, f"fleet/app-{i}", nv2) for i in range(IMAGES)]
    for seconds, target in DISTANCES:
        with relay(bench.registry, seconds) as (address, _):
            references = [f"{address if seconds else bench.registry}/{name}" for name in names]
            works = {
                "nv2": lambda all_=references: nv2.run("verify", *all_).wall,
                "notation": lambda all_=references: sum(notation.run("verify", one).wall for one in all_),
            }
            samples = take_turns(bench.fewer(15 if seconds else 6), works)
        place = f"{seconds * 1000:.0f} ms round trip" if seconds else "loopback"
        yield compared(
            f"`nv2 verify` of {IMAGES} images in one process, {place}", Unit.NOTATION, target, samples
        )
