"""`--quirk` and `--profile` of `nv2 registry serve`."""

from __future__ import annotations

import http.client
import re
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

import nv2
from nv2.server.quirks import PROFILES, QUIRKS
from tests.unit.cli.command_line import CommandLine

PAGE = Path(__file__).parents[3] / "docs" / "quirks.md"
SOURCE = str(Path(nv2.__file__).parent.parent)


@pytest.mark.parametrize(("flag", "table"), [("--quirk", QUIRKS), ("--profile", PROFILES)])
def test_help_lists_every_name_with_what_it_means_and_serves_nothing(
    line: CommandLine, flag: str, table: dict[str, object]
) -> None:
    ended = line("registry", "serve", flag, "help")
    assert (ended.code, ended.err) == (0, "")
    assert [row.split()[0] for row in ended.out.splitlines()] == list(table)
    assert list(line.directory.iterdir()) == []


def test_what_is_known_of_registries_names_switches_that_there_are() -> None:
    _, _, origins = PAGE.read_text().partition("## Where they come from")
    named = re.findall(r"`([a-z0-9-]+)`", origins)
    assert set(named) - set(QUIRKS) <= {"from", "null"} and len(set(named) & set(QUIRKS)) > 35


def test_every_quirk_of_a_profile_is_known_of_its_registry() -> None:
    _, _, origins = PAGE.read_text().partition("## Where they come from")
    for profile in PROFILES.values():
        for quirk in profile.quirks:
            assert f"`{quirk}`" in origins, quirk


@pytest.mark.parametrize("flag", ["--quirk", "--profile"])
def test_an_unknown_name_is_refused_before_a_directory_is_made(line: CommandLine, flag: str) -> None:
    ended = line("registry", "serve", "--listen", "127.0.0.1:0", flag, "nonsense")
    assert ended.code == 2
    assert "'nonsense'" in ended.err and f"{flag} help" in ended.err
    assert list(line.directory.iterdir()) == []


def test_a_registry_is_served_with_its_quirks(tmp_path: Path) -> None:
    words = ["registry", "serve", "--listen", "127.0.0.1:0", "--profile", "ghcr", "--quirk", "piece-201"]
    with subprocess.Popen(
        [sys.executable, "-c", "from nv2.cli.__main__ import run; run()", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=tmp_path,
        env={"PYTHONPATH": SOURCE},
    ) as process:
        assert process.stdout is not None
        with closing(http.client.HTTPConnection(process.stdout.readline().strip(), timeout=30)) as connection:
            connection.request("GET", f"/v2/app/referrers/sha256:{'0' * 64}")
            answer = connection.getresponse()
            assert (answer.status, b"MANIFEST_UNKNOWN" in answer.read()) == (404, True)
            connection.request("POST", "/v2/app/blobs/uploads/")
            place = connection.getresponse()
            place.read()
            connection.request("PATCH", place.headers["Location"], b"x")
            assert connection.getresponse().status == 201
        process.terminate()
