from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from tests.unit.cli.command_line import CommandLine

SCOPE = "registry.example.com/net-monitor"
INIT = (
    "policy", "init", "--name", "production", "--registry-scope", SCOPE,
    "--trust-store", "ca:acme", "--trusted-identity", "x509.subject: C=US, ST=WA, O=acme-rockets.io",
)  # fmt: skip
QUESTION = "The OCI trust policy configuration already exists, do you want to overwrite it? [y/N] "
WRITTEN = """{
  "version": "1.0",
  "trustPolicies": [
    {
      "name": "production",
      "signatureVerification": {
        "level": "strict"
      },
      "trustStores": [
        "ca:acme"
      ],
      "trustedIdentities": [
        "x509.subject: C=US, ST=WA, O=acme-rockets.io"
      ],
      "registryScopes": [
        "registry.example.com/net-monitor"
      ]
    }
  ]
}"""


def path_of(line: CommandLine, name: str = "trustpolicy.oci.json") -> Path:
    return line.config / name


def put(line: CommandLine, text: str, name: str = "trustpolicy.oci.json") -> None:
    line.config.mkdir(exist_ok=True)
    path_of(line, name).write_text(text)


def answer(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(text))


def test_a_first_policy_is_strict(line: CommandLine) -> None:
    ended = line(*INIT)
    assert (ended.code, ended.out) == (
        0,
        f"Successfully initialized OCI trust policy file to {path_of(line)}.\n",
    )
    assert path_of(line).read_text() == WRITTEN


def test_a_store_that_is_not_there_yet_is_a_warning(line: CommandLine) -> None:
    ended = line(*INIT)
    assert 'Warning: the trust store "acme" of type "ca" does not exist' in ended.err
    assert "nv2 cert add --type ca --store acme" in ended.err


def test_every_flag_of_a_statement_may_repeat(line: CommandLine) -> None:
    other = "registry.example.com/other"
    assert line(*INIT, "--registry-scope", other, "--trust-store", "tsa:t").code == 0
    (statement,) = json.loads(path_of(line).read_text())["trustPolicies"]
    assert statement["registryScopes"] == [SCOPE, other]
    assert statement["trustStores"] == ["ca:acme", "tsa:t"]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--registry-scope", "*"), "invalid OCI policy: "),
        (("--trust-store", "acme"), "trustPolicies[0].trustStores[1]"),
        (("--trusted-identity", "*"), "invalid OCI policy: "),
        (("--trusted-identity", "x509.subject: CN=x"), "trustPolicies[0].trustedIdentities[1]"),
        (("extra",), "accepts 0 arg(s), received 1"),
    ],
)
def test_an_invalid_policy_is_not_written(line: CommandLine, more: tuple[str, ...], message: str) -> None:
    ended = line(*INIT, *more)
    assert ended.code == 2
    assert message in ended.err
    assert not line.config.exists()


def test_a_policy_needs_all_its_parts(line: CommandLine) -> None:
    ended = line("policy", "init", "--name", "p")
    assert ended.code == 2
    assert 'required flag(s) "registry-scope", "trust-store", "trusted-identity" not set' in ended.err


def test_a_policy_is_overwritten_only_after_a_yes(line: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    put(line, "broken, and still somebody's work")
    answer(monkeypatch, "n\n")
    assert line(*INIT) == (0, f"{QUESTION}Operation cancelled.\n", "")
    answer(monkeypatch, "")
    ended = line(*INIT)
    assert (ended.code, ended.out) == (2, f"{QUESTION}\n")
    assert ended.err == "Error: nobody answered, and nothing was changed\nhint: --force needs no answer\n"
    assert path_of(line).read_text().startswith("broken")
    answer(monkeypatch, "y\n")
    assert line(*INIT).code == 0
    assert path_of(line).read_text() == WRITTEN


def test_force_overwrites_with_a_warning(line: CommandLine) -> None:
    put(line, WRITTEN)
    ended = line(*INIT, "--force")
    assert ended.code == 0
    assert "Warning: existing OCI trust policy configuration will be overwritten\n" in ended.err


def test_an_imported_policy_keeps_its_bytes_and_replaces_the_older_file(line: CommandLine) -> None:
    put(line, "{}", "trustpolicy.json")
    mine = line.directory / "mine.json"
    mine.write_text(json.dumps(json.loads(WRITTEN)) + "\n\n")
    ended = line("policy", "import", "--force", "mine.json")
    assert ended.code == 0
    assert ended.out == (
        "Deleted old trust policy configuration trustpolicy.json.\n"
        f"Successfully imported OCI trust policy configuration to {path_of(line)}.\n"
    )
    assert path_of(line).read_bytes() == mine.read_bytes()
    assert not path_of(line, "trustpolicy.json").exists()
    assert "Warning: notation 1.x reads trustpolicy.json alone" in ended.err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "mine.json: not JSON"),
        ('{"version": "2.0", "trustPolicies": []}', "mine.json: version: unknown version '2.0'"),
        (
            WRITTEN.replace("trustStores", "trustStore"),
            "mine.json: trustPolicies[0]: unknown field 'trustStore'",
        ),
    ],
)
def test_a_policy_that_cannot_be_read_is_not_imported(line: CommandLine, text: str, message: str) -> None:
    (line.directory / "mine.json").write_text(text)
    ended = line("policy", "import", "mine.json")
    assert ended.code == 3
    assert message in ended.error_lines[0]
    assert not line.config.exists()


def test_importing_takes_one_file_that_is_there(line: CommandLine) -> None:
    assert "requires 1 argument but received 0" in line("policy", "import").err
    ended = line("policy", "import", "nope.json")
    assert ended.code == 3
    assert "nope.json: no such file or directory" in ended.err
    assert "is a directory" in line("policy", "import", ".").err


def test_a_policy_is_shown_as_it_lies_there(line: CommandLine) -> None:
    put(line, WRITTEN)
    assert line("policy", "show") == (0, WRITTEN, "")


def test_a_policy_as_json_is_one_document(line: CommandLine) -> None:
    put(line, WRITTEN)
    assert line("policy", "show", "-o", "json").document == {
        "schema": "nv2.policy.show/v1",
        "path": str(path_of(line)),
        "policy": json.loads(WRITTEN),
    }


def test_an_older_file_is_shown_with_a_warning(line: CommandLine) -> None:
    put(line, WRITTEN, "trustpolicy.json")
    ended = line("policy", "show", program="notation")
    assert (ended.code, ended.out) == (0, WRITTEN)
    assert "Warning: old trust policy `trustpolicy.json` is deprecated" in ended.err
    assert "`notation policy import`" in ended.err


def test_two_policies_that_differ_are_a_warning(line: CommandLine) -> None:
    put(line, WRITTEN)
    put(line, WRITTEN + "\n", "trustpolicy.json")
    assert "differs from trustpolicy.oci.json" in line("policy", "show").err


def test_an_invalid_policy_is_shown_and_explained(line: CommandLine) -> None:
    put(line, '{"version": "9"}')
    ended = line("policy", "show")
    assert (ended.code, ended.out) == (3, '{"version": "9"}')
    assert "Existing OCI trust policy configuration is invalid" in ended.err
    assert "version: unknown version '9'" in ended.err
    document = line("policy", "show", "-o", "json").document
    assert document["error"]["at"] == f"{path_of(line)}: version"


def test_without_a_policy_there_is_nothing_to_show(line: CommandLine) -> None:
    ended = line("policy", "show")
    assert (ended.code, ended.out) == (3, "")
    assert "failed to show OCI trust policy as it does not exist" in ended.err
    assert "nv2 policy import" in ended.err
