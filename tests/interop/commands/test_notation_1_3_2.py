"""nv2 under the name `notation` beside notation 1.3.2, step by step, each in a state of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.interop.commands.running import NV2, Seen, differences, run_step
from tests.interop.commands.state import new_state
from tests.interop.commands.steps import EVERYTHING, NOT_THERE, STEPS, Step

pytestmark = pytest.mark.peers


def _compared(step: Step, seen: Seen) -> Seen:
    """Of `seen` what both versions of notation do in the same way."""
    return seen if step.old == EVERYTHING else seen._replace(printed="")


def test_every_step_that_both_versions_of_notation_have_looks_the_same(
    notation: Path, tmp_path: Path
) -> None:
    wrong = []
    with new_state(tmp_path / "theirs", notation) as theirs, new_state(tmp_path / "ours", notation) as ours:
        for step in STEPS:
            if step.old == NOT_THERE:
                continue
            seen = [
                _compared(step, run_step(step, state, program))
                for state, program in ((theirs, [str(notation)]), (ours, NV2))
            ]
            found = differences(seen[0], seen[1], "")
            if found and not step.differs:
                wrong.append("\n".join([f"### {step.words}", *found]))
    assert not wrong, f"{len(wrong)} of {len(STEPS)}\n" + "\n\n".join(wrong)
