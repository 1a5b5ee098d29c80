"""Plugins that misbehave while something is signed or installed: nothing is pushed, nothing is installed, one error.

Each lie about a signature stands in `tests/unit/keys/test_plugin.py`; here some of each kind meet a whole command.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from nv2.notary import plugins as notary_plugins
from nv2.programs.contract import Command
from nv2.programs.plugins import calls
from tests.hostile.machine import BUILD, STRANGER, Attack, Machine, check, check_ended
from tests.hostile.test_plugins import said
from tests.unit.cli.command_line import CommandLine, Ended
from tests.world.plugins import METADATA, encoded
from tests.world.sockets import Received, Server, http, make_identity

DESCRIBED = {"keyId": "k1", "keySpec": "EC-256"}
JUNK = encoded(b"x" * 64)
SIGNED = {
    "keyId": "k1",
    "signature": JUNK,
    "signingAlgorithm": "ECDSA-SHA-256",
    "certificateChain": [base64.b64encode(der).decode() for der in BUILD.chain],
}
WORDS = "sign --plugin acme --id k1 --plugin-config pin=hunter2 IMAGE"


def plugin(machine: Machine, metadata: str, describe: str, sign: str) -> None:
    """Install a plugin that does these (shell) when it is asked."""
    folder = machine.config / "plugins" / "acme"
    folder.mkdir(parents=True)
    file = folder / "notation-acme"
    file.write_text(
        f'#!/bin/sh\ncase "$1" in\nget-plugin-metadata)\n{metadata}\n;;\ndescribe-key)\n{describe}\n;;\n*)\n{sign}\n;;\nesac\n'
    )
    file.chmod(0o755)


def doing(
    sign: str = said(SIGNED), describe: str = said(DESCRIBED), metadata: str = said(METADATA)
) -> Callable[[Machine], None]:
    return lambda machine: plugin(machine, metadata, describe, sign)


# fmt: off
ATTACKS = (
    Attack("signing: output flood",          doing("yes"),                                          "printed more than", words=WORDS),
    Attack("signing: flood of errors",       doing("yes >&2"),                                      "acme", words=WORDS),
    Attack("signing: hang",                  doing("sleep 100"),                                    "did not end within", words=WORDS),
    Attack("signing: wrong keyId",           doing(said({**SIGNED, "keyId": "k2"})),                "about key 'k2', not 'k1'", words=WORDS),
    Attack("signing: wrong algorithm",       doing(said({**SIGNED, "signingAlgorithm": "none"})),   "'none', where the key", words=WORDS),
    Attack("signing: wrong keySpec",         doing(describe=said({**DESCRIBED, "keySpec": "RSA-1"})), "'RSA-1' is no key that can sign", words=WORDS),
    Attack("signing: signature that is none", doing(),                                              "does not fit the signed content", words=WORDS),
    Attack("signing: chain not matching",    doing(said({**SIGNED, "certificateChain": [encoded(STRANGER.leaf), encoded(BUILD.root)]})), "acme", words=WORDS),
    Attack("signing: metadata name lies",    doing(metadata=said({**METADATA, "name": "other"})),   "notation-other", words=WORDS),
    Attack("signing: stdout after exit",     doing(f"{said(SIGNED)}\n(sleep 0.1; echo more) &"),    "not JSON", words=WORDS),
    Attack("signing: missing error JSON",    doing("echo oh >&2; exit 1"),                          "ended with exit code 1, and said: oh", words=WORDS),
)
# fmt: on


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_with_a_plugin_that_misbehaves_nothing_is_pushed(
    machine: Machine, attack: Attack, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "hang" in attack.name or "errors" in attack.name:
        monkeypatch.setitem(calls._TIMEOUTS, Command.GENERATE_SIGNATURE, 0.5)
    before = len(machine.repository.manifests)
    ended = check(machine, attack)
    assert len(machine.repository.manifests) == before
    assert all(request.method not in ("PUT", "PATCH") for request in machine.network.requests)
    assert "hunter2" not in ended.err


@pytest.mark.parametrize("name", ["../../../../bin/true", "/bin/true", "a/b", "..", "a..b"])
def test_a_plugin_whose_name_is_a_path_is_not_looked_for(
    machine: Machine, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def started(*_: object, **__: object) -> None:
        raise AssertionError("a program was started")

    monkeypatch.setattr("subprocess.Popen", started)
    ended = machine.run(f"sign --plugin {name} --id k1 IMAGE")
    check_ended(ended, ended.code, "cannot be the name of a plugin")


def test_a_debug_log_shows_nothing_of_the_configuration_of_a_plugin(machine: Machine) -> None:
    doing()(machine)
    ended = machine.run(WORDS.replace("sign", "sign -d", 1))
    assert ended.code != 0
    assert "hunter2" not in ended.err + ended.out


# --- packages at an address -------------------------------------------------------------------------------

PACKAGE = f"#!/bin/sh\n{said(METADATA)}\n".encode()


def to(place: str) -> Callable[[Received], bytes]:
    return lambda _: http(302, Location=place)


def flood(_: Received) -> bytes:
    return http(200, bytes(100_000))


def other(_: Received) -> bytes:
    return http(200, b"#!/bin/sh\nrm -rf /\n")


# fmt: off
DOWNLOADS: dict[str, tuple[Callable[[Received], bytes], str]] = {
    "redirect to http":                  (to("http://127.0.0.1:1/notation-acme"),      "sends from https to http"),
    "redirect to a link-local address":  (to("https://169.254.169.254/notation-acme"), "link-local"),
    "redirect to a file":                (to("file:///bin/true"),                      "not an http or https address"),
    "redirect without end":              (lambda received: http(302, Location=received.target + "x"), "more than 5 redirects"),
    "more than the limit":               (flood,                                       "size limit"),
    "another package than was promised": (other,                                       "checksum does not match"),
    "an error":                          (lambda _: http(500, PACKAGE),                "bad status: 500"),
}
# fmt: on


@pytest.mark.parametrize("row", DOWNLOADS)
def test_5_2_a_package_that_is_not_the_promised_one_is_not_installed(
    row: str, line: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script, says = DOWNLOADS[row]
    monkeypatch.setattr(notary_plugins, "MAX_PACKAGE", 64 * 1024)
    ended = installed(line, tmp_path, script)
    check_ended(ended, 3, says)
    assert not (line.config / "plugins").exists() or not list((line.config / "plugins").iterdir())


def test_5_2_the_promised_package_is_installed(line: CommandLine, tmp_path: Path) -> None:
    ended = installed(line, tmp_path, lambda _: http(200, PACKAGE))
    assert ended.code == 0, ended.err
    assert json.loads(line("plugin", "ls", "-o", "json").out)["plugins"][0]["name"] == "acme"


def installed(line: CommandLine, tmp_path: Path, script: Callable[[Received], bytes]) -> Ended:
    identity = make_identity(tmp_path, "127.0.0.1")
    server = Server(script, identity.server_context())
    digest = hashlib.sha256(PACKAGE).hexdigest()
    try:
        url = f"{server.url}/notation-acme"
        return line(
            "plugin", "install", "--url", url, "--sha256sum", digest, "--ca-file", str(identity.certificate)
        )
    finally:
        server.close()
