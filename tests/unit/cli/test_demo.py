"""The demo runs to its end, and leaves nothing behind."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from tests.unit.cli.command_line import CommandLine


def test_every_step_ends_as_it_must_and_nothing_stays(line: CommandLine, monkeypatch) -> None:
    scratch = line.directory / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    before = dict(os.environ)
    ended = line("demo")
    assert ended.code == 0, ended.err
    for word in ("key generate", "sign", "list", "inspect", "verify", "cert add", "policy init", "copy"):
        assert f"\n$ nv2 {word} " in ended.out
    assert ended.out.count("(exit code 1)") == 2
    assert ended.out.count("(exit code 3)") == 1
    assert "What to try next" in ended.out
    assert "\n\nSuccessfully verified" not in ended.out.partition("copy ")[0]
    assert list(scratch.iterdir()) == []
    assert dict(os.environ) == before
    assert Path.cwd() == line.directory
    assert not line.config.exists()
