"""What every measurement needs: the programs, the registries, and how often to measure."""

from __future__ import annotations

from typing import NamedTuple

from benchmarks.programs import Program, Programs


class Bench(NamedTuple):
    """The table at which is measured."""

    programs: Programs
    embedded: str
    """`localhost:PORT` of a registry with the referrers API."""
    distribution: str | None
    """`localhost:PORT` of one without; None where it is not here."""
    runs: int
    """Turns of a figure that takes a tenth of a second; longer ones take fewer."""

    @property
    def registry(self) -> str:
        """The registry that costs both programs the same: not ours, if there is another one."""
        return self.distribution or self.embedded

    @property
    def compared(self) -> dict[str, Program]:
        """nv2 and, if it is here, notation, by name."""
        both = {"nv2": self.programs.nv2, "notation": self.programs.notation}
        return {name: program for name, program in both.items() if program}

    def fewer(self, part: int) -> int:
        """Turns of a figure that takes `part` times as long; at least three."""
        return max(3, self.runs // part)
