"""How often the registry is asked, and how often an answer must be waited for, counted between the two."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from benchmarks.bench import Bench
from benchmarks.programs import KEY, Program
from benchmarks.proxy import Tally, relay
from benchmarks.registries import image, signed_image
from benchmarks.rows import Row, Unit

ROUND_TRIP = 0.2
"""Seconds: so long that what is sent without waiting for an answer is sent before there can be one."""

VERIFY, SIGN = (5, 3), (8, 6)
"""Requests, and round trips in a row, at most; of signing, those until the signature is in place, where the repository
has the empty config blob: to push it takes two more of each."""

SIGNED = (
    # The empty config blob is in the registry from the second on.
    ("first signature of a repository", "one"),
    ("first signature of another image", "two"),
    ("second signature of an image", "two"),
)
"""What is signed: what to call it, and what makes the image another one."""

CONNECTED = "round trips in a row, after the connection"


def measure_requests(bench: Bench) -> Iterator[Row]:
    """`verify` and `sign` by digest on a registry without the referrers API."""
    signed = signed_image(bench.registry, "requests/verify", bench.programs.nv2)
    found = {name: _verify(bench, program, signed) for name, program in bench.compared.items()}
    yield _row("requests to verify by digest", VERIFY[0], found, lambda tally: len(tally.requests))
    yield _row(f"{CONNECTED}, to verify", VERIFY[1], found, lambda tally: tally.rounds)
    signings = {name: _sign(bench, name, program) for name, program in bench.compared.items()}
    for number, (what, _) in enumerate(SIGNED):
        requests, rounds = SIGN if number else (None, None)
        found = {name: tallies[number] for name, tallies in signings.items()}
        yield _row(f"requests to sign by digest, {what}", requests, found, lambda tally: len(tally.requests))
        yield _row(f"{CONNECTED}, until it is in place, {what}", rounds, found, _in_place)


def _verify(bench: Bench, program: Program, name: str) -> Tally:
    with relay(bench.registry, ROUND_TRIP) as (address, line):
        program.run("verify", f"{address}/{name}")
        return line.tally


def _sign(bench: Bench, name: str, program: Program) -> list[Tally]:
    """One relay for all of `SIGNED`: nv2 remembers by the registry's address what it signed."""
    tallies = []
    with relay(bench.registry, ROUND_TRIP) as (address, line):
        for _, text in SIGNED:
            fresh = image(bench.registry, f"requests/sign-{name}", text)
            line.tally = Tally()
            program.run("sign", "--key", KEY, f"{address}/{fresh}")
            tallies.append(line.tally)
    return tallies


def _in_place(tally: Tally) -> int:
    """The round of the last manifest that is put: the list of the image's signatures."""
    return max(
        asked.round for asked in tally.requests if asked.method == "PUT" and "/manifests/" in asked.path
    )


def _row(what: str, target: int | None, found: dict[str, Tally], count: Callable[[Tally], int]) -> Row:
    samples = {name: [float(count(tally))] for name, tally in found.items()}
    beside = ", ".join(f"{name} {counts[0]:.0f}" for name, counts in samples.items())
    return Row(what, Unit.COUNT, samples["nv2"][0], target, beside, samples)
