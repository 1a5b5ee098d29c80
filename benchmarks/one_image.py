"""One image, one signature, cold processes: start-up, memory, and how much of it a network hides."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from benchmarks.bench import Bench
from benchmarks.programs import Program
from benchmarks.proxy import relay
from benchmarks.registries import signed_image
from benchmarks.rows import Row, Unit, compared
from benchmarks.turns import middle, take_turns

VERSION, VERIFY = 2.0, 9.0
"""Times bare python, at most."""
MEMORY = 45.0
"""MiB, at most."""
DISTANCES = ((0.020, 0.85), (0.050, 0.70))
"""Seconds of round trip, and times notation at most."""


def measure_start(bench: Bench) -> Iterator[Row]:
    """`--version` and `verify` on loopback, against an interpreter that does nothing."""
    bare, nv2 = bench.programs.bare, bench.programs.nv2
    version = take_turns(
        bench.runs, {"nv2": lambda: nv2.run("--version").wall, "bare": lambda: bare.run().wall}
    )
    yield compared("`nv2 --version`", Unit.BARE, VERSION, version)
    places = {"Distribution": bench.distribution, "the embedded registry": bench.embedded}
    for place, address in places.items():
        if address is not None:
            reference = f"{address}/{signed_image(address, 'one/start', nv2)}"
            samples = take_turns(bench.runs, {**_verify(bench, reference), "bare": lambda: bare.run().wall})
            what = f"`nv2 verify` of one image by digest, loopback, {place}"
            yield compared(what, Unit.BARE, VERIFY, samples)


def measure_memory(bench: Bench) -> Iterator[Row]:
    """Peak memory of `verify`."""
    reference = f"{bench.registry}/{signed_image(bench.registry, 'one/memory', bench.programs.nv2)}"
    works = {name: partial(_peak, program, reference) for name, program in bench.compared.items()}
    samples = take_turns(bench.fewer(2), works)
    beside = ", ".join(f"{name} {middle(samples, name):.1f} MiB" for name in samples)
    yield Row("peak memory of `nv2 verify`", Unit.MEMORY, middle(samples, "nv2"), MEMORY, beside, samples)


def measure_network(bench: Bench) -> Iterator[Row]:
    """`verify` through a line that adds a round trip."""
    name = signed_image(bench.registry, "one/network", bench.programs.nv2)
    for seconds, target in DISTANCES if bench.programs.notation else ():
        with relay(bench.registry, seconds) as (address, _):
            samples = take_turns(bench.fewer(2), _verify(bench, f"{address}/{name}"))
        what = f"`nv2 verify` of one image by digest, {seconds * 1000:.0f} ms round trip"
        yield compared(what, Unit.NOTATION, target, samples)


def _verify(bench: Bench, reference: str) -> dict[str, Callable[[], float]]:
    return {name: partial(_wall, program, reference) for name, program in bench.compared.items()}


def _wall(program: Program, reference: str) -> float:
    return program.run("verify", reference).wall


def _peak(program: Program, reference: str) -> float:
    return program.run("verify", reference).peak
