"""A thousand signatures on one image, one of which counts: the last one."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from benchmarks.bench import Bench
from benchmarks.programs import KEY, Program, Run
from benchmarks.registries import image
from benchmarks.rows import Row, Unit, compared
from benchmarks.turns import take_turns
from tests.interop.signatures import MALLORY, Made, attach_all

from nv2.notary.registry_access import Settings
from nv2.notary.session import Session
from nv2.oci.reference import parse

COUNT = 1000
RATIO = 0.3
"""Times notation, at most."""


def measure_strangers(bench: Bench) -> Iterator[Row]:
    """As text, where the thumbprints in the listing say whom to look at first, and as JSON, which judges all."""
    nv2, notation = bench.programs.nv2, bench.programs.notation
    reference = f"{bench.registry}/{image(bench.registry, 'strangers')}"
    _attach(nv2, reference)
    nv2.run("sign", "--key", KEY, reference)
    ways = {
        "nv2": partial(nv2.run, "verify", reference),
        "nv2, every one judged": partial(nv2.run, "verify", "--output", "json", reference),
    }
    if notation:
        ways["notation"] = partial(notation.run, "verify", "--max-signatures", str(COUNT + 1), reference)
    peaks: dict[str, list[float]] = {name: [] for name in ways}
    works = {name: partial(_wall, way, peaks[name]) for name, way in ways.items()}
    samples = take_turns(bench.fewer(5), works)
    memory = "; ".join(f"{name} {max(found):.0f} MiB" for name, found in peaks.items())
    what = f"{COUNT:,} signatures on one image, the last one good"
    if notation:
        yield compared(f"{what} ({memory})", Unit.NOTATION, RATIO, samples)
        every = {"nv2": samples["nv2, every one judged"], "notation": samples["notation"]}
        yield compared("the same, every one judged (`--output json`)", Unit.NOTATION, RATIO, every)


def _wall(way: partial[Run], peaks: list[float]) -> float:
    run = way()
    peaks.append(run.peak)
    return run.wall


def _attach(nv2: Program, reference: str) -> None:
    """The signatures of strangers, each with a key of its own."""
    made = [Made(MALLORY.issue(f"CN=stranger {i},O=x,ST=y,C=US", "EC-256")) for i in range(COUNT - 1)]
    with Session.from_environment(Settings(), nv2.environment) as session:
        artifact = session.resolve(parse(reference), push=True)
        attach_all(artifact.store, artifact.subject, made)
