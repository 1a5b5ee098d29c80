"""Measure nv2 against notation: `python -m benchmarks.run`, see README.md beside this file."""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.bench import Bench
from benchmarks.blobs import measure_blobs
from benchmarks.copying import measure_copying
from benchmarks.envelopes import measure_envelopes
from benchmarks.fleet import measure_fleet
from benchmarks.large_crl import measure_large_crl
from benchmarks.one_image import measure_memory, measure_network, measure_start
from benchmarks.programs import prepare
from benchmarks.registries import distribution, embedded
from benchmarks.requests import measure_requests
from benchmarks.rows import Row, as_json, markdown
from benchmarks.strangers import measure_strangers
from benchmarks.withdrawal import measure_withdrawal
from tests.peers import built_peers

from nv2 import __version__

CONCERNS: Mapping[str, Callable[[Bench], Iterator[Row]]] = {
    "start": measure_start,
    "memory": measure_memory,
    "network": measure_network,
    "requests": measure_requests,
    "fleet": measure_fleet,
    "envelopes": measure_envelopes,
    "strangers": measure_strangers,
    "withdrawal": measure_withdrawal,
    "crl": measure_large_crl,
    "blob": measure_blobs,
    "copying": measure_copying,
}

NAMED = ("notation", "distribution", "oras", "crane", "regctl")
"""Peers whose versions are told along with the figures."""


def main() -> None:
    """Measure, print the table, write JSON if asked to."""
    options = _options()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="nv2-bench-") as name, ExitStack() as stack:
        folder = Path(name)
        programs = prepare(folder)
        bench = Bench(
            programs,
            stack.enter_context(embedded(folder / "embedded", programs.nv2)),
            stack.enter_context(distribution(folder / "distribution")),
            options.runs,
        )
        for concern in options.only or CONCERNS:
            rows += CONCERNS[concern](bench)
    facts = _facts(options.runs)
    print("\n".join(markdown(rows)))
    print(f"\nMeasured on {', '.join(f'{name} {value}' for name, value in facts.items())}.")
    if options.json:
        document = {"schema": "nv2.bench/v2", **facts, "rows": [as_json(row) for row in rows]}
        Path(options.json).write_text(json.dumps(document, indent=2) + "\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=30, help="turns of a figure; long ones take fewer")
    parser.add_argument("--json", metavar="FILE", help="where to write everything that was measured")
    parser.add_argument("--only", choices=CONCERNS, action="append", help="measure this; may be repeated")
    return parser.parse_args()


def _facts(runs: int) -> dict[str, Any]:
    """What was measured, when and on what."""
    peers = {peer.name: peer.version for peer in built_peers() if peer.name in NAMED}
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "nv2": __version__,
        "Python": platform.python_version(),
        **peers,
        "machine": f"{platform.system()} {platform.machine()} with {os.cpu_count()} CPUs",
        "runs": runs,
    }


if __name__ == "__main__":
    main()
