"""Plugins that misbehave while a signature is judged: notation.md §5.3 item 6 and §5.4 a and b, one row each.

What a signing plugin can lie about is in `tests/unit/keys/test_plugin.py`, packages of plugins in
`tests/unit/home/test_plugin_packages.py`, candidates for installation in `tests/unit/cli/test_plugin.py`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from nv2.envelope.envelope import VERIFICATION_PLUGIN, ExtendedAttribute
from nv2.programs import run
from nv2.programs.contract import Command
from nv2.programs.plugins import calls
from tests.hostile.machine import NOT_TRUSTED, STRANGER, UNDECIDED, Attack, Machine, check, trusts
from tests.world.plugins import IDENTITY, METADATA, REVOCATION

GOOD = {"verificationResults": {name: {"success": True} for name in (IDENTITY, REVOCATION)}}


def said(document: object) -> str:
    """Shell that prints `document`."""
    return f"cat <<'END'\n{json.dumps(document)}\nEND"


def installed(machine: Machine, verify: str = said(GOOD), metadata: str = said(METADATA)) -> Path:
    """A plugin `acme` that does `verify` or `metadata` (shell), and leaves `asked` behind when it is run."""
    folder = machine.config / "plugins" / "acme"
    folder.mkdir(parents=True)
    file = folder / "notation-acme"
    file.write_text(
        f'#!/bin/sh\ntouch "$0.asked"\nif [ "$1" = get-plugin-metadata ]; then\n{metadata}\nelse\n{verify}\nfi\n'
    )
    file.chmod(0o755)
    return file


def demanded(machine: Machine, **how: object) -> None:
    """A signature that demands the plugin."""
    machine.sign(extended=[ExtendedAttribute(VERIFICATION_PLUGIN, "acme", True)], **how)


def doing(verify: str = said(GOOD), metadata: str = said(METADATA)) -> Callable[[Machine], None]:
    def strike(machine: Machine) -> None:
        installed(machine, verify, metadata)
        demanded(machine)

    return strike


def not_executable(machine: Machine) -> None:
    doing()(machine)
    (machine.config / "plugins" / "acme" / "notation-acme").chmod(0o644)


def not_allowed(machine: Machine) -> None:
    doing()(machine)
    (machine.config / "nv2").mkdir(parents=True, exist_ok=True)
    (machine.config / "nv2" / "settings.json").write_text('{"verificationPlugins": ["other"]}')


def settings_misspelled(machine: Machine) -> None:
    doing()(machine)
    (machine.config / "nv2").mkdir(parents=True, exist_ok=True)
    (machine.config / "nv2" / "settings.json").write_text('{"verificationPlugin": ["acme"]}')


REFUSED = {
    "verificationResults": {
        **GOOD["verificationResults"],
        IDENTITY: {"success": False, "reason": "\x1b[2Jno"},
    }
}
TWICE = json.dumps(GOOD).replace('"success": true', '"success": false, "success": true')
# fmt: off
ATTACKS = (
    Attack("output flood",               doing("yes"),                                         "printed more than"),
    Attack("output flood on stderr",     doing("yes >&2"),                                     "printed more than"),
    Attack("output flood of metadata",   doing(metadata="yes"),                                "printed more than"),
    Attack("hang",                       doing("sleep 100"),                                   "did not end within"),
    Attack("hang in metadata",           doing(metadata="sleep 100"),                          "did not end within"),
    Attack("hang behind a closed output", doing("exec >&- 2>&-; sleep 100"),                   "did not end within"),
    Attack("metadata name lies",         doing(metadata=said({**METADATA, "name": "other"})),  "notation-other"),
    Attack("metadata version lies",      doing(metadata=said({**METADATA, "version": "1"})),   "not a semantic version"),
    Attack("stdout after exit",          doing(f"{said(GOOD)}\n(sleep 0.1; echo more) &"),     "not JSON"),
    Attack("stdout held after exit",     doing("(sleep 3) & exit 0"),                        "not JSON"),
    Attack("missing error JSON",         doing("echo oh >&2; exit 1"),                         "ended with exit code 1, and said: oh"),
    Attack("nothing at all",             doing("exit 0"),                                      "not JSON"),
    Attack("no results",                 doing(said({"verificationResults": {}})),             "gave no result"),
    Attack("deep nesting",               doing(f"echo '{'[' * 5000}'"),                        "verify-signature"),
    Attack("duplicate keys",             doing(f"echo '{TWICE}'"),                             "verify-signature"),
    Attack("keys in another case",       doing(f"echo '{json.dumps(GOOD).replace('success', 'Success')}'"), "verify-signature"),
    Attack("a number that is none",      doing("echo '{\"verificationResults\": NaN}'"),       "not JSON"),
    Attack("a yes before an error",      doing(f"{said(GOOD)}\nexit 2"),                       "ended with exit code 2"),
    Attack("a yes that is cut",          doing(f"printf '%s' '{json.dumps(GOOD)[:-1]}'"),      "not JSON"),
    Attack("killed by itself",           doing(f"{said(GOOD)}\nkill -9 $$"),                   "was ended by signal 9"),
    Attack("a refusal that paints",      doing(said(REFUSED)),                                 "failed with reason", NOT_TRUSTED),
    Attack("non-executable",             not_executable,                                       "is not executable"),
    Attack("a plugin that is not allowed", not_allowed,                                        "is not among those that are allowed"),
    Attack("settings that are misspelled", settings_misspelled,                                "unknown field"),
)
# fmt: on


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_5_3_6_a_plugin_that_misbehaves_gets_no_yes(
    machine: Machine, attack: Attack, monkeypatch: pytest.MonkeyPatch
) -> None:
    for command in (Command.METADATA, Command.VERIFY_SIGNATURE) if "hang" in attack.name else ():
        monkeypatch.setitem(calls._TIMEOUTS, command, 0.5)
    if "held" in attack.name:
        monkeypatch.setattr(run, "_END", 0.5)
    assert attack.code in (UNDECIDED, NOT_TRUSTED)
    check(machine, attack)


def test_an_honest_plugin_is_believed(machine: Machine) -> None:
    doing()(machine)
    trusts(machine)


@pytest.mark.parametrize("level", ["strict", "audit"])
def test_5_4_a_a_stranger_starts_no_plugin(machine: Machine, level: str) -> None:
    machine.policy(signatureVerification={"level": level})
    file = installed(machine)
    demanded(machine, pair=STRANGER)
    ended = machine.run("verify IMAGE")
    assert ended.code in (NOT_TRUSTED, UNDECIDED)
    assert not file.with_name("notation-acme.asked").exists()


def test_5_4_b_a_plugin_that_is_allowed_may_decide(machine: Machine) -> None:
    not_allowed(machine)
    (machine.config / "nv2" / "settings.json").write_text('{"verificationPlugins": ["acme"]}')
    trusts(machine)
