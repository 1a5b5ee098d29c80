"""nv2 and the real notation judge the same mutated envelopes and policies, side by side.

    python -m tests.differential.run 5000            # or: make differential COUNT=5000
    python -m tests.differential.run 1 --first 4711  # the case of one seed again

nv2 may not say yes where notation says no, nor no where notation says yes, unless a row of docs/differences.md says so.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from tests.differential.cases import STORES, make
from tests.differential.explained import row_of
from tests.interop.home import Home, new_home
from tests.interop.layouts import notation_says
from tests.peers import find
from tests.world.judged import Answer, judged, write_stores

YES = {"trusted", "notChecked"}


class Result(NamedTuple):
    """What came of one seed."""

    seed: int
    story: str
    answer: Answer
    theirs: bool
    row: str
    """The row of docs/differences.md, where nv2 alone says no."""

    @property
    def ours(self) -> bool:
        """Whether nv2 says yes."""
        return self.answer.verdict in YES

    @property
    def kind(self) -> str:
        """What is counted."""
        if self.ours == self.theirs:
            return "both yes" if self.ours else "both no"
        if self.ours:
            return "ONLY NV2 SAYS YES"
        return f"only nv2 says no, by row {self.row}" if self.row else "ONLY NV2 SAYS NO, UNEXPLAINED"

    @property
    def fails(self) -> bool:
        """Whether nothing explains it."""
        return self.kind.isupper()


def results(seeds: range, directory: Path, program: Path) -> Iterator[Result]:
    """Judge the cases of `seeds`; `directory` is an empty one to work in."""
    home = new_home(directory, program)
    write_stores(home.config, STORES)
    for seed in seeds:
        yield _result(seed, home)


def _result(seed: int, home: Home) -> Result:
    made = make(seed)
    answer = judged(made.case, datetime.now(UTC), home.directory)
    theirs, _ = notation_says(home, made.case)
    row = (
        row_of(answer.reason, of_policy=answer.verdict == "policyError")
        if theirs and answer.verdict not in YES
        else ""
    )
    return Result(seed, made.story, answer, theirs, row)


def main(arguments: list[str]) -> int:
    """Print the counts, and every case that nothing explains; 1 if there is one."""
    parser = argparse.ArgumentParser(description=re.sub(r"\n.*", "", __doc__ or ""))
    parser.add_argument("count", type=int, nargs="?", default=5000)
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument("--show", action="store_true", help="print every case")
    options = parser.parse_args(arguments)
    program = find("notation")
    if program is None:
        sys.exit("differential: notation is not here: run `make peers`")
    counts: Counter[str] = Counter()
    bad = 0
    seeds = range(options.first, options.first + options.count)
    with tempfile.TemporaryDirectory() as folder:
        for result in results(seeds, Path(folder), program):
            counts[result.kind] += 1
            bad += result.fails
            if result.fails or options.show:
                print(
                    f"seed {result.seed}: {result.kind}: {result.story}: {result.answer.reason}", flush=True
                )
    print(f"seeds {seeds.start} to {seeds.stop - 1}")
    for kind, count in sorted(counts.items()):
        print(f"{count:6} {kind}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
