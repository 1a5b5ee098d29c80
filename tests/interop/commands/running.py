"""A step, run by a program, and what it shows and leaves: without what differs from one run to the next."""

from __future__ import annotations

import hashlib
import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tests.interop.commands.state import DATA, REPOSITORIES, State
from tests.interop.commands.steps import Step
from tests.world.images import image

NV2 = (
    sys.executable,
    "-I",
    "-c",
    "import sys; sys.argv[0] = 'notation'; from nv2.cli.__main__ import run; run()",
)
"""nv2 by the name of `notation`, as in a script that moved."""

NEW_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
UNFORESEEABLE = ("/localkeys/probe", "/ca/probe", ".sig", "/nv2/")
"""Files whose content is made of random numbers or of the time; and those that only nv2 has."""


class Seen(NamedTuple):
    """What a step shows and leaves."""

    exit: int
    printed: str
    complained: str
    files: dict[str, str | None]
    """What changed: the mode and content of each file, or None where one was removed."""

    def to_json(self) -> dict[str, Any]:
        """As a transcript keeps it."""
        return self._asdict()


def words_of(step: Step, state: State) -> list[str]:
    """The words of `step` in `state`."""
    return [word.format(**state.words) for word in shlex.split(step.words)]


def run_step(step: Step, state: State, program: Sequence[str]) -> Seen:
    """Run `step` by `program`; the files are compared with how they were before."""
    before = _files(state)
    finished = subprocess.run(
        [*program, *words_of(step, state)],
        env={"PATH": "/usr/bin:/bin", **state.home.environment(**_variables(step, state))},
        cwd=state.home.directory,
        input=step.input,
        capture_output=True,
        text=True,
        timeout=120,
    )
    after = _files(state)
    changed = {
        name: after.get(name) for name in sorted({*before, *after}) if before.get(name) != after.get(name)
    }
    printed = finished.stdout
    if step.lines is not None:
        printed = "".join(printed.splitlines(keepends=True)[: step.lines])
    if step.any_order:
        printed = "".join(sorted(printed.splitlines(keepends=True)))
    printed = _same(printed, state)
    if step.but:
        printed = re.sub(step.but, "…", printed)
    return Seen(finished.returncode, printed, _same(finished.stderr, state), changed)


def _variables(step: Step, state: State) -> dict[str, str]:
    more = {name: value.format(**state.words) for name, value in step.more.items()}
    return {"NOTATION_LIBEXEC": str(state.home.config), **more}


def differences(theirs: Seen, ours: Seen, core: str) -> list[str]:
    """What is not the same; nothing is compared of standard error but that both say `core` where they fail."""
    found = []
    if bool(theirs.exit) != bool(ours.exit):
        found.append(f"exit {theirs.exit} / {ours.exit}: {ours.complained}")
    if theirs.printed != ours.printed:
        found.append(f"printed\n{theirs.printed}\n/\n{ours.printed}")
    if theirs.files != ours.files:
        found.append(f"files\n{theirs.files}\n/\n{ours.files}")
    if theirs.exit and not (core in theirs.complained and core in ours.complained):
        found.append(f"core {core!r}\n{theirs.complained}\n/\n{ours.complained}")
    return found


def core_of(step: Step, state: State) -> str:
    """What `step` must say on standard error."""
    return _same(step.core.format(**state.words), state)


def _same(text: str, state: State) -> str:
    """`text` with names in the place of what this run alone has."""
    home = str(state.home.directory)
    if home in text:  # whose length decides how wide a column is
        text = re.sub(" {3,}", "   ", text.replace(home, "HOME"))
    text = text.replace(state.registry, "REGISTRY")
    return NEW_DIGEST.sub(lambda found: found[0] if found[0] in KEPT else "sha256:NEW", text)


def _files(state: State) -> dict[str, str]:
    found = {}
    for path in state.home.directory.rglob("*"):
        name = str(path.relative_to(state.home.directory))
        if path.is_file() and not name.startswith((".cache", ".state", "layout")):
            content = "…" if any(part in f"/{name}" for part in UNFORESEEABLE) else _text(path)
            found[name] = f"{path.stat().st_mode & 0o777:o} {_same(content, state)}"
    return found


def _text(path: Path) -> str:
    return path.read_bytes().decode("utf-8", "replace")


def _kept() -> frozenset[str]:
    """Digests that are the same in every run: of the images and of the signatures that are kept."""
    signatures = (path.read_bytes() for path in (DATA / "signatures").rglob("*") if path.is_file())
    made = {f"sha256:{hashlib.sha256(data).hexdigest()}" for data in signatures}
    images = {str(image(name).descriptor.digest) for name in (*REPOSITORIES, "layout")}
    return frozenset({*made, *images, f"sha256:{'0' * 64}"})


KEPT = _kept()
