from __future__ import annotations

import base64
import http.server
import io
import json
import os
import sys
import threading
from collections.abc import Iterator

import pytest

from nv2.transport.credentials import NATIVE_HELPERS
from tests.unit.cli.command_line import CommandLine

HELPER = """#!/bin/sh
case "$1" in
store) cat > "{file}" ;;
get) cat > /dev/null; test -e "{file}" && cat "{file}" || {{ echo "credentials not found in native keychain"; exit 1; }} ;;
erase) cat > /dev/null; rm -f "{file}" ;;
esac
"""


class Door(http.server.BaseHTTPRequestHandler):
    """A registry that lets alice in."""

    page = b""
    wanted: str | None = "Basic " + base64.b64encode(b"alice:wonderland").decode()

    def do_GET(self) -> None:
        allowed = self.headers.get("Authorization") == self.wanted
        self.send_response(200 if allowed else 401)
        self.send_header("WWW-Authenticate", 'Basic realm="r"')
        self.send_header("Content-Length", str(len(self.page)))
        self.end_headers()
        self.wfile.write(self.page)

    def log_message(self, format: str, *_: object) -> None:  # noqa: A002  that is its name
        pass


@pytest.fixture
def registry() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Door) as server:
        threading.Thread(target=server.serve_forever).start()
        yield f"localhost:{server.server_port}"
        server.shutdown()


@pytest.fixture
def helped(line: CommandLine, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    """With a credential helper, `docker-credential-box`, that keeps one secret in a file."""
    programs = line.directory / "programs"
    programs.mkdir()
    helper = programs / "docker-credential-box"
    helper.write_text(HELPER.format(file=line.directory / "secret"))
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    line.config.mkdir()
    (line.config / "config.json").write_text('{"credsStore": "box"}')
    return line


@pytest.fixture
def native(line: CommandLine, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    """On Linux, with `docker-credential-secretservice` on the path, and no file that names it."""
    programs = line.directory / "programs"
    programs.mkdir()
    helper = programs / "docker-credential-secretservice"
    helper.write_text(HELPER.format(file=line.directory / "secret"))
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}/bin")
    monkeypatch.setattr(
        "nv2.transport.credentials.NATIVE_HELPERS", {sys.platform: NATIVE_HELPERS["linux"][1:]}
    )
    return line


def test_where_no_file_names_a_helper_the_platform_s_own_keeps_the_credentials(
    native: CommandLine, registry: str
) -> None:
    before = {path for path in native.directory.rglob("*") if path.is_file()}
    assert native("login", "-u", "alice", "-p", "wonderland", registry).out == "Login Succeeded\n"
    secret = native.directory / "secret"
    assert json.loads(secret.read_text())["Secret"] == "wonderland"
    assert {path for path in native.directory.rglob("*") if path.is_file()} == before | {secret}
    found = native("list", "-d", f"{registry}/app:v1")
    assert f"credentials of {registry}: from docker-credential-secretservice\n" in found.err
    assert native("logout", registry).out == "Logout Succeeded\n"
    assert not secret.exists()


def test_the_platform_s_own_helper_is_left_alone_where_a_file_names_credentials(
    native: CommandLine, registry: str
) -> None:
    (native.directory / "docker").mkdir()
    (native.directory / "docker" / "config.json").write_text('{"auths": {"elsewhere.test": {}}}')
    ended = native("login", "-u", "alice", "-p", "wonderland", registry)
    assert ended.code == 3
    assert "the credential could not be saved because a credentials store is required" in ended.err
    assert not (native.directory / "secret").exists()


def test_credentials_in_notation_s_own_file_are_used_and_never_written(
    line: CommandLine, registry: str
) -> None:
    line.config.mkdir()
    entry = {"auth": base64.b64encode(b"alice:wonderland").decode()}
    (line.config / "config.json").write_text(json.dumps({"auths": {registry: entry}}))
    ended = line("login", "-u", "alice", "-p", "wonderland", registry)
    assert ended.out == "Authenticated with existing credentials\nLogin Succeeded\n"
    assert "Warning: The credentials store is not set up." in ended.err
    ended = line("logout", registry)
    assert ended.code == 3 and "which nv2 does not change" in ended.err
    assert json.loads((line.config / "config.json").read_text()) == {"auths": {registry: entry}}


def type_in(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(text))


def test_right_credentials_are_handed_to_the_helper(
    helped: CommandLine, registry: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    type_in(monkeypatch, "wonderland\r\n")
    assert helped("login", "-u", "alice", "--password-stdin", registry) == (0, "Login Succeeded\n", "")
    assert json.loads((helped.directory / "secret").read_text()) == {
        "ServerURL": registry,
        "Username": "alice",
        "Secret": "wonderland",
    }


def test_a_registry_that_asks_for_no_login_has_checked_none(
    helped: CommandLine, registry: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Door, "wanted", None)
    type_in(monkeypatch, "rabbit hole")
    ended = helped("login", "-u", "alice", "--password-stdin", registry)
    assert (ended.code, ended.out) == (0, "Login Succeeded\n")
    assert f"{registry} lets everybody in" in ended.err and "not checked" in ended.err


def test_a_page_in_place_of_the_registry_is_no_login(
    helped: CommandLine, registry: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Door, "wanted", None)
    monkeypatch.setattr(Door, "page", b"\n<!DOCTYPE html><title>Please log in</title>")
    ended = helped("login", "-u", "alice", "-p", "wonderland", registry)
    assert (ended.code, ended.out) == (3, "")
    assert "is no registry: it answered /v2/ with a page" in ended.err
    assert not (helped.directory / "secret").exists()


def test_a_helper_whose_disk_is_full_is_an_error_and_nothing_is_written(
    helped: CommandLine, registry: str
) -> None:
    box = helped.directory / "programs/docker-credential-box"
    box.write_text(
        '#!/bin/sh\ncat > /dev/null; test "$1" = store && echo "no space left on device" || echo "credentials not found in native keychain"; exit 1\n'
    )
    before = {path: path.read_bytes() for path in helped.directory.rglob("*") if path.is_file()}
    ended = helped("login", "-u", "alice", "-p", "wonderland", registry)
    assert (ended.code, ended.out) == (3, "") and "no space left on device" in ended.err
    assert {path: path.read_bytes() for path in helped.directory.rglob("*") if path.is_file()} == before


def test_debug_names_where_credentials_come_from_and_not_them(helped: CommandLine, registry: str) -> None:
    ended = helped("login", "-d", "-u", "alice", "-p", "wonderland", registry)
    assert f"credentials of {registry}: from the flags or the environment\n" in ended.err
    assert helped("list", "-d", f"{registry}/app:v1").err.count("from docker-credential-box\n") == 1
    assert "wonderland" not in ended.err


def test_wrong_credentials_are_not_kept(
    helped: CommandLine, registry: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    type_in(monkeypatch, "looking-glass")
    ended = helped("login", "-u", "alice", "--password-stdin", registry)
    assert (ended.code, ended.out) == (3, "")
    assert f"failed to log in to {registry}: " in ended.error_lines[0]
    assert ended.error_lines[1].startswith("hint: are the user name and the password right?")
    assert "looking-glass" not in ended.err
    assert not (helped.directory / "secret").exists()


def test_the_environment_may_hold_the_credentials(
    helped: CommandLine, registry: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTATION_USERNAME", "alice")
    monkeypatch.setenv("NOTATION_PASSWORD", "wonderland")
    assert helped("login", registry) == (0, "Login Succeeded\n", "")


def test_what_is_missing_is_asked_for(
    helped: CommandLine, registry: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    type_in(monkeypatch, "alice\nwonderland\n")
    assert helped("login", registry) == (0, "Username: Password: \nLogin Succeeded\n", "")


def test_a_password_on_the_command_line_is_used_with_a_warning(helped: CommandLine, registry: str) -> None:
    ended = helped("login", "-u", "alice", "-p", "wonderland", registry)
    assert (ended.code, ended.out) == (0, "Login Succeeded\n")
    assert "--password-stdin" in ended.err


@pytest.mark.parametrize(
    ("words", "typed", "message"),
    [
        ((), "", "no hostname specified"),
        (("https://localhost:1",), "", "is not a registry"),
        (("localhost:1/v2/",), "", "is not a registry"),
        (("-u", "alice", "localhost:1"), "", "password required"),
        (("localhost:1",), "\n", "token required"),
    ],
)
def test_what_is_not_given_is_said(
    line: CommandLine, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], typed: str, message: str
) -> None:
    type_in(monkeypatch, typed)
    ended = line("login", *words)
    assert ended.code == 2
    assert message in ended.error_lines[0]


def test_the_end_of_input_is_no_user_name(line: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    type_in(monkeypatch, "")
    ended = line("login", "localhost:1")
    assert ended.code == 3
    assert "error reading username" in ended.err


def test_an_endless_password_is_refused(line: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    type_in(monkeypatch, "x" * 70_000)
    assert "longer than" in line("login", "-u", "a", "--password-stdin", "localhost:1").err


def test_without_a_helper_nothing_is_kept(line: CommandLine, registry: str) -> None:
    ended = line("login", "-u", "alice", "-p", "wonderland", registry)
    assert (ended.code, ended.out) == (3, "")
    assert "credential helper" in ended.err
    assert '{"credsStore": "pass"}' in ended.err and "$NOTATION_PASSWORD" in ended.err
    assert not (line.directory / "docker").exists()


def test_known_credentials_in_dockers_file_need_no_helper(line: CommandLine, registry: str) -> None:
    auth = base64.b64encode(b"alice:wonderland").decode()
    (line.directory / "docker").mkdir()
    (line.directory / "docker" / "config.json").write_text(json.dumps({"auths": {registry: {"auth": auth}}}))
    ended = line("login", "-u", "alice", "-p", "wonderland", registry)
    assert (ended.code, ended.out) == (0, "Authenticated with existing credentials\nLogin Succeeded\n")
    assert "credentials store is not set up" in ended.err


def test_nobody_at_the_address_is_an_error(helped: CommandLine) -> None:
    ended = helped("login", "-u", "alice", "-p", "x", "localhost:1")
    assert ended.code == 3
    assert "failed to log in to localhost:1: " in ended.err


def test_logging_out_forgets(helped: CommandLine, registry: str) -> None:
    helped("login", "-u", "alice", "-p", "wonderland", registry)
    assert helped("logout", registry) == (0, "Logout Succeeded\n", "")
    assert not (helped.directory / "secret").exists()


def test_logging_out_needs_a_registry(line: CommandLine) -> None:
    assert "no hostname specified" in line("logout").err
    assert "is not a registry" in line("logout", "https://x").err


def test_credentials_in_dockers_file_are_dockers_to_remove(line: CommandLine) -> None:
    (line.directory / "docker").mkdir()
    (line.directory / "docker" / "config.json").write_text('{"auths": {"r.example": {"auth": "YTpi"}}}')
    ended = line("logout", "r.example")
    assert ended.code == 3
    assert "failed to log out of r.example: " in ended.err
