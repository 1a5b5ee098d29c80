"""The page "From notation scripts to nv2" does what it says: its script runs, and with the word replaced too."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from nv2.server.registry import serve
from tests.interop.home import Home, new_home
from tests.world.images import push_image

pytestmark = pytest.mark.peers

PAGE = Path(__file__).parents[2] / "docs" / "tasks" / "move-from-notation.md"
SCRIPT, REPLACE = re.findall(
    r"^```sh\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
)
ELSEWHERE = "ls .config/notation/localkeys\n(notation version && notation key ls) | cat\n"
"""What a script has beside: the directory's name, and commands that do not begin a line."""


@pytest.fixture
def home(tmp_path: Path, notation: Path) -> Iterator[tuple[Home, str]]:
    """A home that notation set up, with both programs on its path, and an image to sign."""
    with serve(tmp_path / "registry", "127.0.0.1", 0) as registry:
        made = new_home(tmp_path / "home", notation)
        made.notation("cert", "generate-test", "--default", "ci")
        statement = {
            "name": "app",
            "registryScopes": [f"{registry.address}/app"],
            "signatureVerification": {"level": "strict"},
            "trustStores": ["ca:ci"],
            "trustedIdentities": ["x509.subject:C=US,ST=WA,O=Notary"],
        }
        made.write_policy([statement])
        programs = made.directory / "bin"
        programs.mkdir()
        (programs / "notation").symlink_to(notation)
        (programs / "nv2").write_text(f'#!/bin/sh\nexec "{sys.executable}" -I -m nv2.cli "$@"\n')
        (programs / "nv2").chmod(0o755)
        yield made, f"{registry.address}/app@{push_image(registry.address, 'app')}"


def _sh(home: Home, script: str, image: str) -> str:
    finished = subprocess.run(
        ["/bin/sh", "-eu", "-c", script],
        env={"PATH": f"{home.directory}/bin:/usr/bin:/bin", **home.environment(IMAGE=image)},
        cwd=home.directory,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


def test_the_script_of_the_page_does_the_same_with_the_word_replaced(home: tuple[Home, str]) -> None:
    made, image = home
    shown = {}
    for program, script in (("notation", SCRIPT), ("nv2", SCRIPT.replace("notation ", "nv2 "))):
        shown[program] = _sh(made, script, image)
        assert "may run" in shown[program] and "must not run" in shown[program]
        assert f"Successfully verified signature for {image}" in shown[program]
        assert json.loads((made.directory / "policy.json").read_text())["version"] == "1.0"
    assert len(json.loads((made.directory / "signatures.json").read_text())["signatures"]) == 2
    first, second = (text.partition("Successfully signed")[0] for text in shown.values())
    assert first.partition("NAME")[2] == second.partition("NAME")[2], "keys and certificates"


def test_the_replacement_of_the_page_changes_commands_and_no_directories(home: tuple[Home, str]) -> None:
    made, image = home
    (made.directory / "ci.sh").write_text(SCRIPT + ELSEWHERE)
    _sh(made, REPLACE, image)
    moved = (made.directory / "ci-nv2.sh").read_text()
    assert re.findall(r".*notation.*", moved) == ["ls .config/notation/localkeys"]
    assert "(nv2 version && nv2 key ls) | cat" in moved
    assert "may run" in _sh(made, moved, image)
