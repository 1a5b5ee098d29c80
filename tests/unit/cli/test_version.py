from __future__ import annotations

from nv2 import __version__
from tests.unit.cli.command_line import CommandLine


def test_the_version_is_the_packages_own(line: CommandLine) -> None:
    for words in (("version",), ("--version",)):
        ended = line(*words)
        assert ended.code == 0
        assert ended.out.startswith("nv2 - a tool to sign and verify artifacts.\n\n")
        assert f"Version:     {__version__}\n" in ended.out
        assert "OS/Arch:     " in ended.out


def test_the_version_as_json_is_one_document(line: CommandLine) -> None:
    document = line("version", "-o", "json").document
    assert document["schema"] == "nv2.version/v1"
    assert document["version"] == __version__
    assert set(document) == {"schema", "version", "python", "os", "arch"}


def test_the_version_takes_no_argument(line: CommandLine) -> None:
    assert line("version", "x").code == 2


def test_under_the_name_notation_the_first_line_is_notations(line: CommandLine) -> None:
    assert line("version", program="notation").out.startswith(
        "Notation - a tool to sign and verify artifacts.\n\n"
    )
