"""Signatures of a file that notation's main branch made, one for each key and format, and what it shows of them.

Main cannot be built in CI. `data/blobs` was made by hand, with notation built from notaryproject/notation
2a558558ae29505a54c67621ae5aef3f1764367a: `notation blob sign -k KEY --signature-format FORMAT --media-type text/plain -m key=KEY
blob.bin`, then `notation blob inspect` of each (`inspected.json`, with TZ=UTC). The other way round, that notation verified
the signatures of nv2 with the same twelve combinations, and refused each with another file.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.unit.cli.command_line import CommandLine

DATA = Path(__file__).with_name("data") / "blobs"
SHOWN = json.loads((DATA / "inspected.json").read_text(encoding="utf-8"))
NAMES = sorted(SHOWN)


@pytest.fixture
def line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    found = CommandLine(tmp_path, monkeypatch)
    for path in DATA.iterdir():
        shutil.copy(path, tmp_path)
    return found


def test_there_is_a_signature_for_every_key_and_format() -> None:
    keys = ("rsa-2048", "rsa-3072", "rsa-4096", "ec-256", "ec-384", "ec-521")
    assert sorted(f"{key}.{word}.sig" for key in keys for word in ("jws", "cose")) == NAMES
    assert sorted(path.name for path in DATA.glob("*.sig")) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_what_main_signed_is_verified(line: CommandLine, name: str) -> None:
    key = name.partition(".")[0]
    words = ("blob", "verify", "-k", "root.crt", "-s", name, "--media-type", "text/plain", "-m", f"key={key}")
    ended = line(*words, "blob.bin")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out == (
        "Successfully verified signature for blob.bin\n\n"
        "The artifact was signed with the following user metadata.\n\n"
        f"KEY   {'VALUE':{len(key)}}   \nkey   {key}   \n"
    )
    (line.directory / "blob.bin").write_bytes(b"signed bytes\n" * 99 + b"signed bytez\n")
    assert line(*words, "blob.bin").code == 1


@pytest.mark.parametrize("name", NAMES)
def test_what_main_shows_of_a_signature_is_shown_byte_for_byte(line: CommandLine, name: str) -> None:
    assert line("blob", "inspect", name).out == SHOWN[name]["tree"]
    assert line("blob", "inspect", "-o", "json", name).out == SHOWN[name]["json"]
