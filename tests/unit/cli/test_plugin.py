"""`nv2 plugin`, with small scripts as plugins."""

from __future__ import annotations

import io
import json
import stat
import sys
from pathlib import Path

import pytest

from nv2.home import plugins as home_plugins
from nv2.programs.contract import Command
from nv2.programs.plugins import calls
from tests.unit.cli.command_line import CommandLine
from tests.world.plugins import METADATA

DIGEST = "00" * 32


def script(folder: Path, body: str = "", name: str = "acme", **metadata: object) -> Path:
    """A package with a plugin that says `metadata`, or does what `body` (shell) says instead."""
    folder.mkdir(parents=True, exist_ok=True)
    said = json.dumps({**METADATA, "name": name, **metadata})
    file = folder / f"notation-{name}"
    file.write_text(f"#!/bin/sh\n{body or f'cat <<END{chr(10)}{said}{chr(10)}END'}\n")
    file.chmod(0o755)
    return folder


def plugins(line: CommandLine) -> list[str]:
    folder = line.config / "plugins"
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def left(line: CommandLine) -> list[str]:
    return [path.name for path in line.config.iterdir() if path.name.startswith(".nv2")]


def test_a_plugin_is_installed_listed_and_uninstalled(line: CommandLine) -> None:
    script(line.directory / "package")
    assert (
        line("plugin", "install", "--file", "package").out
        == "Successfully installed plugin acme, version 1.0.0\n"
    )
    assert line("plugin", "ls").out.splitlines()[1].split()[:3] == ["acme", "Signs", "1.0.0"]
    document = line("plugin", "list", "-o", "json").document
    assert document["schema"] == "nv2.plugin.list/v1"
    assert [item["name"] for item in document["plugins"]] == ["acme"]
    assert line("plugin", "uninstall", "-y", "acme").out == "Successfully uninstalled plugin acme\n"
    assert (plugins(line), left(line)) == ([], [])


def test_what_a_plugin_says_of_itself_does_not_paint_the_terminal(line: CommandLine) -> None:
    paint = "\x1b[2J\n\u202e"
    script(
        line.directory / "package",
        version=f"v1{paint}",
        description=paint,
        capabilities=[f"SIGNATURE_GENERATOR.RAW{paint}"],
    )
    installed = line("plugin", "install", "--file", "package")
    assert installed.code == 0
    shown = installed.out + installed.err + line("plugin", "list").out
    assert len(shown.splitlines()) == 4  # a warning, a success, a head, a plugin
    assert not {"\x1b", "\u202e"} & set(shown)


def test_without_plugins_there_is_the_head_of_the_table(line: CommandLine) -> None:
    assert line("plugin", "list").out.split() == ["NAME", "DESCRIPTION", "VERSION", "CAPABILITIES", "ERROR"]


def test_only_a_later_version_takes_the_place_of_another(line: CommandLine) -> None:
    for version in ("1.9.0", "1.10.0"):
        script(line.directory / version, version=version)
    line("plugin", "install", "--file", "1.9.0")
    again = line("plugin", "install", "--file", "1.9.0").err
    assert "already exists" in again and "--force" in again
    updated = line("plugin", "install", "--file", "1.10.0")
    assert updated.out == "Successfully updated plugin acme from version 1.9.0 to 1.10.0\n"
    refused = line("plugin", "install", "--file", "1.9.0")
    assert (refused.code, "1.9.0 is lower than the existing plugin version 1.10.0" in refused.err) == (
        3,
        True,
    )
    assert line("plugin", "install", "--force", "--file", "1.9.0").code == 0


def test_a_version_that_cannot_be_compared_is_installed_first_and_replaced_by_force(
    line: CommandLine,
) -> None:
    script(line.directory / "odd", version="v0.5.0-rc.1+unreleased")
    script(line.directory / "newer", version="1.0.0")
    first = line("plugin", "install", "--file", "odd")
    assert (first.code, "'v0.5.0-rc.1+unreleased' is not a semantic version" in first.err) == (0, True)
    assert "v0.5.0-rc.1+unreleased" in line("plugin", "ls").out
    for package in ("newer", "odd"):
        refused = line("plugin", "install", "--file", package)
        assert (refused.code, "is not a semantic version" in refused.err) == (3, True)
    assert line("plugin", "install", "--force", "--file", "newer").code == 0
    assert line("plugin", "install", "--file", "odd").code == 3


# fmt: off
BAD = {
    # what the candidate does                      what is said
    "name is another":      ({"name": "other"},              "must be 'notation-other' instead of 'notation-acme'"),
    "fails":                ("echo no >&2; echo way >&2; exit 1", "ended with exit code 1, and said: no way"),
    "prints nothing":       ("exit 0",                       "not JSON"),
    "floods":               ("yes",                          "printed more than"),
    "cannot be started":    ("#",                            "cannot be started"),
}
# fmt: on


@pytest.mark.parametrize("row", BAD)
def test_5_2_a_candidate_that_is_no_plugin_leaves_the_one_before(row: str, line: CommandLine) -> None:
    behaviour, says = BAD[row]
    script(line.directory / "good")
    line("plugin", "install", "--file", "good")
    package = script(line.directory / "bad", behaviour if isinstance(behaviour, str) else "")
    if isinstance(behaviour, dict):
        said = json.dumps({**METADATA, **behaviour})
        (package / "notation-acme").write_text(f"#!/bin/sh\ncat <<END\n{said}\nEND\n")
    if behaviour == "#":
        (package / "notation-acme").write_bytes(b"\x7fELF of another machine")
    ended = line("plugin", "install", "--force", "--file", "bad")
    assert (ended.code, says in ended.err) == (3, True), ended.err
    assert line("plugin", "ls").out.splitlines()[1].split()[:3] == ["acme", "Signs", "1.0.0"]
    assert left(line) == []


def test_5_2_what_fails_at_the_last_step_leaves_the_one_before(
    line: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    script(line.directory / "a")
    script(line.directory / "b", version="2.0.0")
    line("plugin", "install", "--file", "a")
    rename = Path.rename

    def failing(self: Path, target: Path) -> Path:
        if self.name == "plugin":
            raise OSError(28, "No space left on device")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", failing)
    assert "the disk is full" in line("plugin", "install", "--file", "b").err
    assert line("plugin", "ls").out.splitlines()[1].split()[:3] == ["acme", "Signs", "1.0.0"]


@pytest.mark.parametrize("after", [True, False])
def test_5_2_an_interruption_at_the_last_step_leaves_a_plugin(
    after: bool, line: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    script(line.directory / "a")
    script(line.directory / "b", version="2.0.0")
    line("plugin", "install", "--file", "a")
    rename = Path.rename

    def interrupted(self: Path, target: Path) -> Path:
        if self.name != "plugin":
            return rename(self, target)
        if after:
            rename(self, target)
        raise KeyboardInterrupt

    with monkeypatch.context() as patching:
        patching.setattr(Path, "rename", interrupted)
        assert line("plugin", "install", "--file", "b").code != 0
    found = line("plugin", "ls").out.splitlines()[1].split()[:3]
    assert found == ["acme", "Signs", "2.0.0" if after else "1.0.0"]
    assert left(line) == []


@pytest.mark.parametrize("name", ["../../x", "..", "a/b", "a..b", "/etc"])
def test_5_4_k_a_name_that_is_a_path_removes_nothing(name: str, line: CommandLine) -> None:
    keep = line.directory / "x"
    keep.mkdir()
    line.config.mkdir()
    ended = line("plugin", "uninstall", "-y", name)
    assert (ended.code, "cannot be the name of a plugin" in ended.err) == (2, True)
    assert keep.exists()


def test_uninstalling_is_asked_about(line: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    script(line.directory / "package")
    line("plugin", "install", "--file", "package")
    monkeypatch.setattr(sys, "stdin", io.StringIO("n\n"))
    ended = line("plugin", "uninstall", "acme")
    assert 'Are you sure you want to uninstall plugin "acme"? [y/N]' in ended.out
    assert plugins(line) == ["acme"]
    assert "unable to find plugin other" in line("plugin", "rm", "-y", "other").err


# fmt: off
MISTAKES = (
    ((),                                                       2, "missing plugin source location"),
    (("--url",),                                               2, "missing plugin URL"),
    (("x",),                                                   2, "at least one of the flags in the group [file url]"),
    (("--file", "--url", "x"),                                 2, "none of the others can be"),
    (("--file", "x", "y"),                                     2, "can only install one plugin at a time, but got [x y]"),
    (("--url", "https://example.com/x"),                       2, "requires non-empty SHA256 checksum"),
    (("--url", "http://example.com/x", "--sha256sum", DIGEST), 2, "only the HTTPS scheme is supported, but got http"),
    (("--file", "absent"),                                     3, "absent is not a valid file"),
)
# fmt: on


@pytest.mark.parametrize(("words", "code", "says"), MISTAKES)
def test_a_mistake_is_one_error(words: tuple[str, ...], code: int, says: str, line: CommandLine) -> None:
    ended = line("plugin", "install", *words)
    assert (ended.code, says in ended.err) == (code, True), ended.err


# fmt: off
FILES = {
    "absent":           (lambda file: file.unlink(),                                       "`notation-acme` not found"),
    "not executable":   (lambda file: file.chmod(0o644),                                   "is not executable"),
    "a link":           (lambda file: (file.rename(file.parent / "real"), file.symlink_to("real")), "is not a regular file"),
    "a directory":      (lambda file: (file.unlink(), file.mkdir()),                       "is not a regular file"),
    "world-writable":   (lambda file: file.chmod(0o757),                                   "is writable by everybody"),
    "in a directory that is a link": (lambda file: (file.parent.rename(file.parent.parent / "real"), file.parent.symlink_to("real")), "is not a regular file"),
    "among plugins that are": (lambda file: file.parent.parent.chmod(0o1777),              "is writable by everybody"),
    "in a directory that is": (lambda file: file.parent.chmod(0o777),                      "is writable by everybody"),
}
# fmt: on


@pytest.mark.parametrize("row", FILES)
def test_an_executable_that_anybody_could_have_put_there_is_not_run(
    row: str, line: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil, says = FILES[row]
    spoil(script(line.config / "plugins" / "acme") / "notation-acme")

    def started(*_: object, **__: object) -> None:
        raise AssertionError("a program was started")

    monkeypatch.setattr("subprocess.Popen", started)
    ended = line("sign", "--plugin", "acme", "--id", "k", "layout:image:v1")
    assert (ended.code, says in ended.err) == (3, True), ended.err
    if "link" not in row:  # which is no plugin at all in the list
        assert says in line("plugin", "ls").out


@pytest.mark.parametrize("words", [("install", "--force", "--file", "package"), ("uninstall", "-y", "acme")])
def test_a_link_in_the_place_of_a_plugin_goes_and_what_it_leads_to_stays(
    words: tuple[str, ...], line: CommandLine
) -> None:
    script(line.directory / "package")
    elsewhere = script(line.directory / "elsewhere", version="0.5.0")
    (line.config / "plugins").mkdir(parents=True)
    (line.config / "plugins" / "acme").symlink_to(elsewhere)
    assert line("plugin", *words).code == 0
    assert not (line.config / "plugins" / "acme").is_symlink()
    assert [path.name for path in elsewhere.iterdir()] == ["notation-acme"]
    assert left(line) == []


def test_a_plugin_sees_the_environment_without_our_secrets(
    line: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTATION_PASSWORD", "s3cret")
    monkeypatch.setenv("AWS_PROFILE", "build")
    said = json.dumps({**METADATA, "description": "$AWS_PROFILE/$NOTATION_PASSWORD/$HOME"})
    script(line.config / "plugins" / "acme", f"cat <<END\n{said}\nEND")
    found = line("plugin", "ls", "-o", "json").document["plugins"][0]["description"]
    assert found == f"build//{line.directory / 'home'}"


@pytest.mark.parametrize("flags", [("-d",), ("-v",), ("-d", "-o", "json")])
def test_5_3_7_no_log_shows_the_configuration_of_a_plugin(flags: tuple[str, ...], line: CommandLine) -> None:
    config = ("--plugin-config", "token=s3cret")
    shown = line("sign", *flags, "--plugin", "absent", "--id", "k", *config, "layout:image:v1")
    assert "s3cret" not in shown.out + shown.err
    assert (shown.code, "not found" in shown.err) == (3, True)
    script(line.config / "plugins" / "acme", "exit 1")
    shown = line("sign", *flags, "--plugin", "acme", "--id", "k", *config, "layout:image:v1")
    assert (shown.code, "ended with exit code 1" in shown.err) == (3, True)
    assert "s3cret" not in shown.out + shown.err


def test_a_plugin_that_hangs_is_ended(line: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(calls._TIMEOUTS, Command.METADATA, 0.2)
    script(line.config / "plugins" / "acme", "sleep 100")
    assert "did not end within 0.2 seconds" in line("plugin", "ls").out


def test_the_candidate_and_the_installed_files_are_for_their_owner_to_write(line: CommandLine) -> None:
    script(line.directory / "package")
    line("plugin", "install", "--file", "package")
    folder = line.config / "plugins" / "acme"
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (folder, folder / "notation-acme")]
    assert modes == [0o755, 0o755]


def test_a_staging_directory_that_cannot_be_made_is_one_error(
    line: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(**_: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(home_plugins.tempfile, "mkdtemp", full)
    ended = line("plugin", "install", "--file", "x")
    assert (ended.code, "the disk is full" in ended.err) == (3, True)


def test_a_word_of_the_command_line_replaces_the_listed_one(line: CommandLine) -> None:
    said = json.dumps({**METADATA})
    asked = line.directory / "asked"
    script(line.config / "plugins" / "acme", f"cat > '{asked}'\ncat <<END\n{said}\nEND")
    listed = ("--plugin-config", "region=eu", "--plugin-config", "team=a")
    assert line("key", "add", "release", "--plugin", "acme", "--id", "k", *listed).code == 0
    line("sign", "-k", "release", "--plugin-config", "team=b", "layout:absent:v1")
    assert json.loads(asked.read_text())["pluginConfig"] == {"region": "eu", "team": "b"}
