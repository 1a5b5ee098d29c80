"""nv2 under the name `notation` against what notation's main branch did, step by step (`record.py`)."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from nv2.cli.command import Command, Group, Kind
from nv2.cli.dispatch import COMMANDS, load
from tests.interop.commands.record import TRANSCRIPT
from tests.interop.commands.running import NV2, Seen, core_of, differences, run_step
from tests.interop.commands.state import new_state
from tests.interop.commands.steps import STEPS

RECORDED: dict[str, Any] = json.loads(TRANSCRIPT.read_text())
DIFFERENCES = (Path(__file__).parents[3] / "docs" / "differences.md").read_text()


def test_the_transcript_is_of_these_steps() -> None:
    assert [entry["words"] for entry in RECORDED["steps"]] == [step.words for step in STEPS]


def test_every_step_shows_and_leaves_what_notation_did_or_the_documentation_says_why(tmp_path: Path) -> None:
    wrong = []
    with new_state(tmp_path / "state", tmp_path / "no-notation") as state:
        for step, entry in zip(STEPS, RECORDED["steps"], strict=True):
            theirs = Seen(entry["exit"], entry["printed"], entry["complained"], entry["files"])
            found = differences(theirs, run_step(step, state, NV2), core_of(step, state))
            if bool(found) != bool(step.differs):
                wrong.append("\n".join([f"### {step.words}", *(found or ["does not differ any more"])]))
    assert not wrong, f"{len(wrong)} of {len(STEPS)}\n" + "\n\n".join(wrong)


@pytest.mark.parametrize("row", sorted({step.differs for step in STEPS if step.differs}))
def test_every_difference_has_a_row_in_the_documentation(row: str) -> None:
    assert f"| {row} |" in re.sub(r'<a id="[^"]*"></a>', "", DIFFERENCES)


def test_every_step_that_fails_says_what_both_say() -> None:
    silent = [
        e["words"] for step, e in zip(STEPS, RECORDED["steps"], strict=True) if e["exit"] and not step.core
    ]
    assert silent == []


@pytest.mark.parametrize("name", RECORDED["flags"])
def test_every_flag_of_notation_is_one_of_nv2_and_in_the_table(name: str) -> None:
    ours = {flag.name: flag for flag in _command(name).flags}
    for short, long, value in RECORDED["flags"][name]:
        if long == "help":
            continue
        assert ours[long].short == short or not short, long
        assert (ours[long].kind is Kind.BOOL) == (not value), long
        used = re.compile(rf"(^| )(--{long}|-{short or '-'})( |=|$)")
        assert any(step.words.startswith(f"{name} ") and used.search(step.words) for step in STEPS), long


def _command(name: str) -> Command:
    word, *rest = name.split()
    found = load(COMMANDS[word])
    if isinstance(found, Group):
        found = next(below for words, below in found.below() if words == tuple(rest))
    assert isinstance(found, Command)
    return found
