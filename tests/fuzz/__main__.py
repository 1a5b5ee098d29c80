"""Every target in turn, led by coverage: `python -m tests.fuzz SECONDS [TARGET …]`; `make fuzz` calls it.

One line per target, with its executions. What a finding needs is kept in the folder `fuzz-findings`; the exit
code is then 1.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from tests.fuzz.targets import TARGETS

FINDINGS = Path("fuzz-findings")
ONE_INPUT = 10
"""Seconds for one input, a thousand times what a slow one takes."""
MEMORY = 2048
"""Megabytes of the process."""

_EXECUTIONS = re.compile(r"^stat::number_of_executed_units: +(\d+)$", re.MULTILINE)
_COVERAGE = re.compile(r"\bcov: (\d+)")


class Run(NamedTuple):
    """What became of a target."""

    executions: int
    coverage: int
    failed: bool
    output: str


def fuzz(name: str, seconds: int) -> Run:
    """Run one target; a finding is kept as `fuzz-findings/TARGET-crash-HASH` or `…-timeout-…`, `…-oom-…`."""
    with tempfile.TemporaryDirectory(prefix="nv2-corpus-") as corpus:
        for number, seed in enumerate(TARGETS[name].seeds()):
            Path(corpus, f"seed-{number}").write_bytes(seed)
        limits = [f"-max_total_time={seconds}", f"-timeout={ONE_INPUT}", f"-rss_limit_mb={MEMORY}"]
        place = f"-artifact_prefix={FINDINGS}/{name}-"
        command = [sys.executable, "-m", "tests.fuzz.guided", name, *limits, place, "-print_final_stats=1"]
        done = subprocess.run([*command, corpus], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    output = done.stdout.decode("utf-8", "replace")
    executions, coverage = _EXECUTIONS.findall(output), _COVERAGE.findall(output)
    return Run(int((executions or "0")[-1]), int((coverage or "0")[-1]), done.returncode != 0, output)


def main(arguments: list[str]) -> int:
    """The exit code."""
    seconds, names = int(arguments[0]), arguments[1:] or list(TARGETS)
    if unknown := sorted(set(names) - set(TARGETS)):
        print(f"no such target: {', '.join(unknown)}; there are {', '.join(TARGETS)}", file=sys.stderr)
        return 2
    FINDINGS.mkdir(exist_ok=True)
    failed = []
    for name in names:
        run = fuzz(name, seconds)
        print(f"{name:20} {run.executions:>10} executions  {run.coverage:>5} branches", flush=True)
        if run.failed:
            failed.append(name)
            log = FINDINGS / f"{name}.log"
            log.write_text(run.output)
            print(f"{name}: a finding: {log} and the inputs beside it; run one again with", file=sys.stderr)
            print(f"  {sys.executable} -m tests.fuzz.guided {name} FILE", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
