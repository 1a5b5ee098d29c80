"""A file of 10 GiB: signed and verified in little memory, at the speed of the hash, beside `openssl dgst`."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from benchmarks.bench import Bench
from benchmarks.programs import KEY, Program
from benchmarks.rows import Row, Unit
from benchmarks.turns import middle, ratio, take_turns

SIZE = 10 * 1024**3
"""Bytes, of which the disk holds none: the file is sparse."""
SPEED = 1.15
"""Of what the same OpenSSL takes for the hash alone."""
MEMORY = 60.0
"""MiB."""


def measure_blobs(bench: Bench) -> Iterator[Row]:
    """Whole processes, in turns."""
    with tempfile.TemporaryDirectory(prefix="nv2-bench-blob-") as name:
        blob = Path(name) / "blob"
        with blob.open("wb") as file:
            file.truncate(SIZE)
        nv2 = bench.programs.nv2
        signature = f"{blob}.jws.sig"
        nv2.run("blob", "sign", "-k", KEY, str(blob))
        words = {
            "sign": (nv2, ("blob", "sign", "-k", KEY, "--force", str(blob))),
            "verify": (nv2, ("blob", "verify", "-k", KEY, "-s", signature, str(blob))),
            "openssl": (_system("openssl", nv2), ("dgst", "-sha256", str(blob))),
        }
        peaks: dict[str, list[float]] = {what: [] for what in words}
        works = {what: partial(_wall, *words[what], peaks[what]) for what in words}
        samples = take_turns(bench.fewer(10), works)
    beside = ", ".join(f"{what} {middle(samples, what) / 1000:.1f} s" for what in samples)
    for what in ("sign", "verify"):
        reached = ratio(samples, what, "openssl")
        yield Row(f"`blob {what}` of 10 GiB", Unit.HASH, reached, SPEED, beside, samples)
    memory = {what: peaks[what] for what in ("sign", "verify")}
    yield Row("the same, memory", Unit.MEMORY, max(map(max, memory.values())), MEMORY, "", memory)


def _system(name: str, like: Program) -> Program:
    return Program(name, (shutil.which(name) or name,), like.environment)


def _wall(program: Program, words: tuple[str, ...], peaks: list[float]) -> float:
    run = program.run(*words)
    peaks.append(run.peak)
    return run.wall
