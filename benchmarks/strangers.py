"""Many signatures on one image, one of which counts: the one that the registry lists last."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

from benchmarks.bench import Bench
from benchmarks.programs import KEY, Program, Run
from benchmarks.proxy import relay
from benchmarks.registries import image
from benchmarks.rows import Row, Unit, compared
from benchmarks.turns import take_turns
from tests.interop.signatures import MALLORY, Made, attach_all

from nv2.notary.registry_access import Settings
from nv2.notary.session import Session
from nv2.oci import media_types as mt
from nv2.oci.reference import parse


class Crowd(NamedTuple):
    """How many signatures there are, and how long nv2 may take."""

    count: int
    distances: dict[float, int]
    """Seconds of round trip, and how much longer than other figures that takes."""
    target: float
    """Times notation, at most."""


CROWDS = (Crowd(100, {0.0: 3, 0.020: 10}, 0.5), Crowd(1000, {0.0: 5}, 0.3))
LAST, EVERY = "nv2", "nv2, every one judged"


def measure_strangers(bench: Bench) -> Iterator[Row]:
    """As text, where the thumbprints in the listing say whom to look at first, and as JSON, which judges all."""
    if bench.programs.notation is None:
        return
    for crowd in CROWDS:
        name = image(bench.registry, f"strangers-{crowd.count}")
        _attach(bench.programs.nv2, f"{bench.registry}/{name}", crowd.count)
        for seconds in crowd.distances:
            with relay(bench.registry, seconds) as (address, _):
                reference = f"{address if seconds else bench.registry}/{name}"
                yield from _compare(bench, bench.programs.notation, crowd, seconds, reference)


def _compare(bench: Bench, notation: Program, crowd: Crowd, seconds: float, reference: str) -> Iterator[Row]:
    nv2, limit = bench.programs.nv2, ("--max-signatures", str(crowd.count + 1))
    ways = {
        LAST: partial(nv2.run, "verify", reference),
        EVERY: partial(nv2.run, "verify", "--output", "json", reference),
        "notation": partial(notation.run, "verify", *limit, reference),
    }
    peaks: dict[str, list[float]] = {name: [] for name in ways}
    works = {name: partial(_wall, way, peaks[name]) for name, way in ways.items()}
    samples = take_turns(bench.fewer(crowd.distances[seconds]), works)
    memory = "; ".join(f"{name} {max(found):.0f} MiB" for name, found in peaks.items())
    place = f"{seconds * 1000:.0f} ms round trip" if seconds else "loopback"
    what = f"{crowd.count:,} signatures on one image, the last one good, {place}"
    yield compared(f"{what} ({memory})", Unit.NOTATION, crowd.target, samples)
    every = {"nv2": samples[EVERY], "notation": samples["notation"]}
    yield compared("the same, every one judged (`--output json`)", Unit.NOTATION, None, every)


def _wall(way: partial[Run], peaks: list[float]) -> float:
    run = way()
    peaks.append(run.peak)
    return run.wall


def _attach(nv2: Program, reference: str, count: int) -> None:
    """The signatures of strangers, each with a key of its own; then the good one, which must be listed last."""
    made = [Made(MALLORY.issue(f"CN=stranger {i},O=x,ST=y,C=US", "EC-256")) for i in range(count - 1)]
    with Session.from_environment(Settings(), nv2.environment) as session:
        artifact = session.resolve(parse(reference), push=True)
        attach_all(artifact.store, artifact.subject, made)
        before = {listed.digest for listed in artifact.store.referrers(artifact.subject, mt.SIGNATURE)[0]}
        nv2.run("sign", "--key", KEY, reference)
        listed = artifact.store.referrers(artifact.subject, mt.SIGNATURE)[0]
    if len(listed) != count or listed[-1].digest in before:
        sys.exit(f"{reference}: the registry does not list the last signature last")
