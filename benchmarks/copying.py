"""Copies from registry to registry, beside oras, regctl, crane and skopeo: all of them in turn, in one run."""

from __future__ import annotations

import statistics
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from itertools import count
from pathlib import Path

from benchmarks.bench import Bench
from benchmarks.copiers import Copier, copiers
from benchmarks.made_images import listed_signatures, push_layers, push_signatures
from benchmarks.proxy import Line, Tally, relay
from benchmarks.registries import distribution
from benchmarks.rows import Row, Unit
from benchmarks.turns import Samples, middle, ratio, take_turns

MIB = 1024 * 1024
LARGE = (8, 128 * MIB)
SMALL = (60, 64 * 1024)
"""Layers, and bytes of each."""
HEAVY = (8, 1280 * MIB)
"""10 GiB."""
DISTANCE = 0.05
"""Seconds of round trip."""
SIGNATURES = 500
WRITERS, EACH = 4, 20
"""Programs at a time, and signatures that each of them brings."""
MEMORY = 120.0
"""MiB."""
RESYNC = 10
"""Requests, source and destination together."""


class _Hall:
    """Two registries without referrers API, and names of repositories that nobody has used."""

    def __init__(self, bench: Bench, source: str, destination: str) -> None:
        self.bench = bench
        self.source = source
        self.destination = destination
        self._numbers = count()

    def fresh(self, name: str) -> str:
        return f"copying/{name}-{next(self._numbers)}"

    def everybody(self, *hosts: str) -> dict[str, Copier]:
        return copiers(self.bench.programs.nv2, *hosts)


def measure_copying(bench: Bench) -> Iterator[Row]:
    """Without CNCF Distribution there is nothing to compare on."""
    if bench.distribution is None:
        return
    with (
        tempfile.TemporaryDirectory(prefix="nv2-bench-copy-") as name,
        distribution(Path(name) / "destination") as destination,
    ):
        hall = _Hall(bench, bench.distribution, destination or "")
        yield from _large(hall)
        yield from _small(hall)
        yield from _signatures(hall)
        yield from _writers(hall)
        yield _heavy(hall)


def _large(hall: _Hall) -> Iterator[Row]:
    push_layers(hall.source, "copying/large", *LARGE)
    samples = take_turns(hall.bench.fewer(10), _works(hall, "copying/large"))
    yield _against_fastest("copying 1 GiB in 8 layers", 1.1, samples)


def _small(hall: _Hall) -> Iterator[Row]:
    push_layers(hall.source, "copying/small", *SMALL)
    samples = take_turns(hall.bench.fewer(5), _works(hall, "copying/small"))
    yield _against_fastest("copying 60 layers of 64 KiB", 1.0, samples)
    far = _works(hall, "copying/small", DISTANCE)
    samples = take_turns(hall.bench.fewer(10), {who: far[who] for who in _followers(hall)})
    yield _against_oras("the same, 50 ms round trip", 0.6, samples)


def _works(hall: _Hall, name: str, round_trip: float = 0.0) -> dict[str, Callable[[], float]]:
    return {who: partial(_wall, hall, who, name, round_trip) for who in hall.everybody()}


def _signatures(hall: _Hall) -> Iterator[Row]:
    name = "copying/signed"
    push_signatures(hall.source, name, push_layers(hall.source, name, 1, 1024), SIGNATURES)
    works = {who: partial(_wall, hall, who, name) for who in _followers(hall)}
    samples = take_turns(hall.bench.fewer(10), works)
    first: dict[str, Tally] = {}
    again: dict[str, list[Tally]] = {}
    with _far(hall, 0.0) as (source, destination, lines):
        for who, copier in _followers(hall, source, destination).items():
            target = hall.fresh(who)
            _copy_image(hall, name, target)
            first[who] = _counted(lines, copier, source, destination, name, target)[1]
            again[who] = _counted(lines, copier, source, destination, name, target)
    what = f"requests to the destination for {SIGNATURES} signatures of an image that is there"
    yield _requests(what, 3 * SIGNATURES + 10, {who: len(tally.requests) for who, tally in first.items()})
    yield _against_oras(f"copying {SIGNATURES} signatures of an image", 0.6, samples)
    both = {who: sum(len(tally.requests) for tally in tallies) for who, tallies in again.items()}
    yield _requests("requests to source and destination to copy them again, unchanged", RESYNC, both)


def _writers(hall: _Hall) -> Iterator[Row]:
    sources = [f"copying/writer-{i}" for i in range(WRITERS)]
    image = push_layers(hall.source, sources[0], 1, 1024)
    for name in sources:
        _make_alike(hall, sources[0], name)
        push_signatures(hall.source, name, image, EACH)
    left: dict[str, float] = {}
    for who, copier in _followers(hall, hall.source, hall.destination).items():
        target = hall.fresh(f"written-{who}")
        _at_once(copier, [f"{hall.source}/{name}:v1" for name in sources], f"{hall.destination}/{target}:v1")
        left[who] = listed_signatures(hall.destination, target, image)
    beside = ", ".join(f"{who} {number:.0f}" for who, number in left.items())
    lost = WRITERS * EACH - left["nv2"]
    what = f"signatures lost of {WRITERS} programs that bring {EACH} each, at the same time"
    yield Row(what, Unit.COUNT, lost, 0, f"listed: {beside}", {who: [n] for who, n in left.items()})


def _heavy(hall: _Hall) -> Row:
    """In one copy, for the disk; flat is what has the same peak as a tenth of it."""
    nv2 = hall.everybody(hall.source, hall.destination)["nv2"]
    push_layers(hall.source, "copying/heavy", *HEAVY)
    peaks = {}
    for name in ("large", "heavy"):
        target = f"{hall.destination}/{hall.fresh(name)}:v1"
        program, words = nv2.copy(f"{hall.source}/copying/{name}:v1", target)
        peaks[name] = program.run(*words).peak
    beside = f"1 GiB {peaks['large']:.1f} MiB"
    samples = {name: [peak] for name, peak in peaks.items()}
    return Row("peak memory of `nv2 copy` of 10 GiB", Unit.MEMORY, peaks["heavy"], MEMORY, beside, samples)


def _followers(hall: _Hall, *hosts: str) -> dict[str, Copier]:
    """Those that copy signatures along."""
    return {name: copier for name, copier in hall.everybody(*hosts).items() if name in ("nv2", "oras")}


@contextmanager
def _far(hall: _Hall, round_trip: float) -> Iterator[tuple[str, str, tuple[Line, Line]]]:
    with relay(hall.source, round_trip) as (source, one), relay(hall.destination, round_trip) as (there, two):
        yield source, there, (one, two)


def _wall(hall: _Hall, who: str, name: str, round_trip: float = 0.0) -> float:
    """To a registry that nobody has written to: skopeo remembers where it has sent a layer, and mounts it."""
    with (
        tempfile.TemporaryDirectory(prefix="nv2-bench-fresh-") as folder,
        distribution(Path(folder) / "registry") as fresh,
        relay(hall.source, round_trip) as (far_source, _),
        relay(fresh or "", round_trip) as (far_destination, _),
    ):
        source, destination = (far_source, far_destination) if round_trip else (hall.source, fresh or "")
        copier = hall.everybody(source, destination)[who]
        program, words = copier.copy(f"{source}/{name}:v1", f"{destination}/copied:v1")
        return program.run(*words).wall


def _counted(
    lines: tuple[Line, Line], copier: Copier, source: str, destination: str, name: str, target: str
) -> list[Tally]:
    for line in lines:
        line.tally = Tally()
    program, words = copier.copy(f"{source}/{name}:v1", f"{destination}/{target}:v1")
    program.run(*words)
    return [line.tally for line in lines]


def _copy_image(hall: _Hall, name: str, target: str) -> None:
    """The image alone, to the destination."""
    _copy_alone(hall, f"{hall.source}/{name}:v1", f"{hall.destination}/{target}:v1")


def _make_alike(hall: _Hall, name: str, other: str) -> None:
    """The same image in another repository of the source."""
    if name != other:
        _copy_alone(hall, f"{hall.source}/{name}:v1", f"{hall.source}/{other}:v1")


def _copy_alone(hall: _Hall, source: str, target: str) -> None:
    program, words = hall.everybody()["nv2"].copy(source, target)
    program.run(*words, "--no-referrers")


def _at_once(copier: Copier, sources: list[str], destination: str) -> None:
    """Each with a home of its own, as on different machines: no lock of a host helps."""
    with tempfile.TemporaryDirectory(prefix="nv2-bench-homes-") as homes:
        running = []
        for number, source in enumerate(sources):
            program, words = copier.copy(source, destination)
            state = str(Path(homes) / str(number))
            environment = {**program.environment, "XDG_STATE_HOME": state}
            running.append(
                subprocess.Popen([*program.command, *words], env=environment, stdout=subprocess.DEVNULL)
            )
        codes = [process.wait() for process in running]
    if any(codes):
        raise RuntimeError(f"{copier.program.name}: exit codes {codes}")


def _against_fastest(what: str, target: float, samples: Samples) -> Row:
    peers = [name for name in samples if name != "nv2"]
    fastest = min(peers, key=lambda name: middle(samples, name))
    return Row(what, Unit.PEER, ratio(samples, "nv2", fastest), target, _seconds(samples), samples)


def _against_oras(what: str, target: float, samples: Samples) -> Row:
    reached = ratio(samples, "nv2", "oras")
    return Row(what, Unit.ORAS, reached, target, _seconds(samples), samples)


def _seconds(samples: Samples) -> str:
    return ", ".join(f"{name} {statistics.median(samples[name]) / 1000:.2f} s" for name in samples)


def _requests(what: str, target: int, found: Mapping[str, int]) -> Row:
    beside = ", ".join(f"{name} {number:,}" for name, number in found.items())
    samples = {name: [float(number)] for name, number in found.items()}
    return Row(what, Unit.COUNT, float(found["nv2"]), target, beside, samples)
