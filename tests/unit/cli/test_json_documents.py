"""`--output json`: one versioned document on standard output, on success and on failure alike."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nv2.cli import dispatch
from nv2.cli.command import Command, Group
from tests.unit.cli.command_line import CommandLine
from tests.unit.cli.conftest import IMAGE

DOCS = Path(__file__).parents[3] / "docs" / "commands"

ABSENT = "layout:absent:v1"
# fmt: off
FAILURES = (
    # words                                                     schema               code
    (("list", ABSENT),                                          "nv2.list/v1",       3),
    (("inspect", ABSENT),                                       "nv2.inspect/v1",    3),
    (("tree", ABSENT),                                          "nv2.tree/v1",       3),
    (("copy", ABSENT, "layout:there:v1"),                       "nv2.copy/v1",       3),
    (("delete", "--yes", ABSENT),                               "nv2.delete/v1",     3),
    (("bundle", "create", "localhost:1/x:v1", "--file", "b.tar"),           "nv2.bundle.create/v1", 3),
    (("bundle", "check", "absent.tar", "--fresh-for", "1d"),    "nv2.bundle.check/v1", 3),
    (("bundle", "inspect", "absent.tar"),                       "nv2.bundle.inspect/v1", 3),
    (("bundle", "verify", "absent.tar"),                        "nv2.bundle.verify/v1", 3),
    (("bundle", "import", "absent.tar", "localhost:1/x"),       "nv2.bundle.import/v1", 3),
    (("bundle", "install-policy", "-k", "absent.crt", "absent.tar"),                "nv2.bundle.install-policy/v1", 3),
    (("registry", "doctor", "localhost:1/x:v1"),                "nv2.registry.doctor/v1", 3),
    (("verify", "-k", "absent.crt", IMAGE),                     "nv2.verify/v1",     3),
    (("verify", "--scope", "a.example/b", IMAGE),               "nv2.verify/v1",     3),
    (("sign", "-k", "absent.key", IMAGE),                       "nv2.sign/v1",       3),
    (("key", "list"),                                           "nv2.key.list/v1",   3),
    (("cert", "show", "-t", "ca", "-s", "wabbit", "absent.crt"), "nv2.cert.show/v1", 3),
    (("policy", "show"),                                        "nv2.policy.show/v1", 3),
    (("attach", "absent.sig", IMAGE),                           "nv2.attach/v1",     3),
    (("blob", "sign", "-k", "absent.key", "wabbit.crt"),        "nv2.blob.sign/v1",  3),
    (("blob", "verify", "-s", "absent.jws.sig", "wabbit.crt"),  "nv2.blob.verify/v1", 3),
    (("blob", "inspect", "absent.jws.sig"),                     "nv2.blob.inspect/v1", 3),
    (("blob", "policy", "show"),                                "nv2.blob.policy.show/v1", 3),
    (("trust", "denials"),                                      "nv2.trust.denials/v1", 3),
    (("trust", "deny", "--reason", "x", "--artifact", ABSENT),                   "nv2.trust.deny/v1", 3),
)
IN_RESULTS = (
    (("verify", "-k", "leaf.crt", ABSENT),                      "nv2.verify/v1",     3),
    (("sign", "-k", "wabbit.key", ABSENT),                      "nv2.sign/v1",       3),
)
# fmt: on


@pytest.fixture
def spoilt(wabbit: CommandLine) -> CommandLine:
    wabbit.config.mkdir()
    (wabbit.config / "signingkeys.json").write_text("{")
    (wabbit.config / "nv2").mkdir()
    (wabbit.config / "nv2" / "denials.json").write_text("{")
    return wabbit


@pytest.mark.parametrize(
    ("words", "schema", "code"),
    FAILURES,
    ids=lambda value: " ".join(value[:2]) if isinstance(value, tuple) else "",
)
def test_a_failure_is_a_document(spoilt: CommandLine, words: tuple[str, ...], schema: str, code: int) -> None:
    ended = spoilt(*words, "-o", "json")
    assert ended.code == code, ended.err
    assert ended.document["schema"] == schema
    assert {"kind", "message"} <= set(ended.document["error"])
    assert ended.document["error"]["message"] in ended.err


@pytest.mark.parametrize(
    ("words", "schema", "code"),
    IN_RESULTS,
    ids=lambda value: " ".join(value[:2]) if isinstance(value, tuple) else "",
)
def test_a_failure_of_one_reference_stands_in_its_result(
    wabbit: CommandLine, words: tuple[str, ...], schema: str, code: int
) -> None:
    ended = wabbit(*words, "-o", "json")
    assert ended.code == code, ended.err
    assert ended.document["schema"] == schema
    [result] = ended.document["results"]
    assert result["reference"] == ABSENT
    assert {"kind", "message"} <= set(result["error"])


def test_a_mistake_in_the_words_is_no_document(wabbit: CommandLine) -> None:
    ended = wabbit("list", "-o", "json", "--nonsense", IMAGE)
    assert (ended.code, ended.out) == (2, "")


def _commands() -> list[tuple[str, Command]]:
    found: list[tuple[str, Command]] = []
    for name, entry in dispatch.COMMANDS.items():
        loaded = dispatch.load(entry)
        if isinstance(loaded, Group):
            found += [
                (f"{name} {' '.join(words)}", below)
                for words, below in loaded.below()
                if isinstance(below, Command)
            ]
        else:
            found.append((name, loaded))
    return found


@pytest.mark.parametrize(
    ("name", "command"), _commands(), ids=lambda value: value if isinstance(value, str) else ""
)
def test_every_document_has_a_schema_that_its_page_names(name: str, command: Command) -> None:
    has_output = any(flag.name == "output" for flag in command.flags)
    assert has_output == (command.schema is not None)
    if command.schema:
        assert command.schema.endswith("/v1")
        page = (DOCS / f"{name.split()[0]}.md").read_text()
        # The document of `inspect` is notation's own, but for failures.
        assert json.dumps(command.schema) in page or command.schema in page


READING = {"verify", "list", "inspect", "key list", "cert list", "cert show", "policy show", "version"} | {
    *("blob verify", "blob inspect", "blob policy show", "plugin list", "trust denials", "tree"),
    *(
        "registry history",
        "registry check",
        "registry doctor",
        "bundle check",
        "bundle inspect",
        "bundle verify",
    ),
}
CHANGING = {"sign", "attach", "copy", "delete", "blob sign", "trust deny", "registry collect"} | {
    *("bundle create", "bundle import", "bundle install-policy"),
}


def test_every_reading_command_can_say_it_in_json_and_some_that_change_things_too() -> None:
    assert {name for name, command in _commands() if command.schema} == READING | CHANGING
