from __future__ import annotations

import io
import json
import os

import pytest

from tests.unit.cli.command_line import CommandLine
from tests.world.ca import CA, pem

STORE = ("-t", "ca", "-s", "wabbit")
DETAILS = """Certificate details
--------------------------------------------------------------------------------
Issuer: CN=Wabbit CA,O=wabbit-networks.io,ST=WA,C=US
Subject: CN=Wabbit CA,O=wabbit-networks.io,ST=WA,C=US
Valid from: 2025-01-01 00:00:00 +0000 UTC
Valid to: 2045-01-01 00:00:00 +0000 UTC
IsCA: true
SHA256 Thumbprint: """


@pytest.fixture
def stored(wabbit: CommandLine) -> CommandLine:
    """With `root.crt` in the store `ca:wabbit`."""
    assert wabbit("cert", "add", *STORE, "root.crt").code == 0
    return wabbit


def answer(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(text))


def test_added_files_are_listed(wabbit: CommandLine) -> None:
    ended = wabbit("cert", "add", *STORE, "root.crt", "wabbit.crt")
    assert ended.code == 0
    assert ended.out == (
        "Successfully added following certificates to named store wabbit of type ca:\nroot.crt\nwabbit.crt\n"
    )
    assert sorted(os.listdir(wabbit.config / "truststore/x509/ca/wabbit")) == ["root.crt", "wabbit.crt"]


def test_a_certificate_that_spoils_the_store_is_a_warning(wabbit: CommandLine) -> None:
    ended = wabbit("cert", "add", *STORE, "leaf.crt")
    assert ended.code == 0
    assert "neither a CA certificate nor self-signed" in ended.err
    assert "the whole store is refused" in ended.err


def test_what_cannot_be_added_does_not_keep_back_the_rest(wabbit: CommandLine) -> None:
    ended = wabbit("cert", "add", *STORE, "nope.crt", "root.crt", "wabbit.key")
    assert ended.code == 4
    assert ended.out.endswith("of type ca:\nroot.crt\n")
    assert "Error: Failed to add following certificates to named store wabbit of type ca:\n" in ended.err
    assert 'nope.crt, with error "no such file or directory"' in ended.err
    assert "wabbit.key, with error " in ended.err


def test_a_file_is_added_once(stored: CommandLine) -> None:
    ended = stored("cert", "add", *STORE, "root.crt")
    assert (ended.code, ended.out) == (3, "")
    assert "certificate already exists in the Trust Store" in ended.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("add", *STORE), "missing certificate path"),
        (("add", "root.crt"), 'required flag(s) "type", "store" not set'),
        (("add", "-t", "cas", "-s", "w", "root.crt"), "unsupported store type: cas"),
        (("add", "-t", "", "-s", "w", "root.crt"), "store type cannot be empty"),
        (
            ("add", "-t", "ca", "-s", "../w", "root.crt"),
            "named store name needs to follow [a-zA-Z0-9_.-]+ format",
        ),
        (("show", *STORE), "missing certificate file name"),
        (("show", *STORE, "a", "b"), "show only supports single certificate file"),
        (("show", *STORE, ""), "certificate fileName cannot be empty"),
        (("show", *STORE, "../x"), "cannot be used"),
        (("delete", *STORE), "delete requires either the certificate file name"),
        (("delete", *STORE, "--all", "x"), "cannot delete a single certificate file when --all flag is set"),
        (("delete", "-y", *STORE, "../../../signingkeys.json"), "cannot be used"),
        (("generate-test",), "missing certificate common_name"),
        (("generate-test", "a/b"), "must follow [a-zA-Z0-9_.-]+ format"),
        (("generate-test", "-b", "1024", "a"), "a key of 1024 bits cannot sign"),
        (("cleanup-test",), "missing certificate common name"),
        (("cleanup-test", "-y", ".."), "must follow [a-zA-Z0-9_.-]+ format"),
    ],
)
def test_a_wrong_word_is_one_error_and_changes_nothing(
    wabbit: CommandLine, words: tuple[str, ...], message: str
) -> None:
    ended = wabbit("cert", *words)
    assert (ended.code, ended.out) == (2, "")
    assert message in ended.error_lines[0]
    assert not wabbit.config.exists()


def test_nothing_is_listed_as_nothing(line: CommandLine) -> None:
    assert line("cert", "list") == (0, "", "")
    assert line("cert", "ls", "-t", "nope", program="notation") == (0, "", "")


def test_the_list_is_a_table(stored: CommandLine) -> None:
    shown = (
        "STORE TYPE   STORE NAME   CERTIFICATE   \n"
        "ca           wabbit       root.crt      \n"
    )  # fmt: skip
    for words in ((), ("-t", "ca"), ("-s", "wabbit"), STORE):
        assert stored("certificate", "list", *words) == (0, shown, "")
    assert stored("cert", "list", "-t", "tsa").out == ""


def test_a_file_that_is_no_certificate_is_an_error_after_the_list(stored: CommandLine) -> None:
    bad = stored.config / "truststore/x509/ca/wabbit/bad.crt"
    bad.write_bytes(b"junk")
    ended = stored("cert", "list")
    assert ended.code == 3
    assert "root.crt" in ended.out
    assert "bad.crt" not in ended.out
    assert str(bad) in ended.error_lines[0]


def test_the_list_as_json_says_what_is_in_each_file(stored: CommandLine) -> None:
    (stored.config / "truststore/x509/ca/wabbit/bad.crt").write_bytes(b"junk")
    ended = stored("cert", "list", "-o", "json")
    assert ended.code == 3
    bad, good = ended.document["files"]
    assert (good["type"], good["store"], good["file"]) == ("ca", "wabbit", "root.crt")
    assert good["certificates"][0]["notAfter"] == "2045-01-01T00:00:00Z"
    assert bad["error"]["kind"] == "TrustStoreError"


def test_a_certificate_is_shown_as_notation_shows_it(stored: CommandLine) -> None:
    ended = stored("cert", "show", *STORE, "root.crt")
    assert ended.code == 0
    assert ended.out.startswith(DETAILS)
    assert ended.out.count("\n") == 8


def test_several_certificates_stand_between_rules(stored: CommandLine) -> None:
    (stored.directory / "two.pem").write_bytes(pem([CA("Wabbit").certificate, CA("Other").certificate]))
    stored("cert", "add", *STORE, "two.pem")
    assert stored("cert", "show", *STORE, "two.pem").out.count("-" * 80) == 2


def test_a_certificate_as_json_is_one_document(stored: CommandLine) -> None:
    document = stored("cert", "show", *STORE, "-o", "json", "root.crt").document
    (certificate,) = document.pop("certificates")
    assert document == {"schema": "nv2.cert.show/v1", "type": "ca", "store": "wabbit", "file": "root.crt"}
    assert certificate["subject"] == "CN=Wabbit CA,O=wabbit-networks.io,ST=WA,C=US"
    assert len(certificate["SHA256Thumbprint"]) == 64


def test_a_missing_certificate_is_named(stored: CommandLine) -> None:
    ended = stored("cert", "show", *STORE, "nope.crt")
    assert ended.code == 3
    assert "failed to show details of certificate nope.crt, with error: " in ended.err


def test_deleting_asks_first(stored: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    question = 'Are you sure you want to delete "root.crt" in "wabbit" of type "ca"? [y/N] '
    answer(monkeypatch, "n\n")
    assert stored("cert", "delete", *STORE, "root.crt") == (0, f"{question}Operation cancelled.\n", "")
    answer(monkeypatch, "")
    assert "hint: --yes needs no answer" in stored("cert", "delete", *STORE, "root.crt").err
    assert "root.crt" in stored("cert", "list").out
    answer(monkeypatch, "YES\n")
    done = f"{question}Successfully deleted root.crt from trust store wabbit of type ca\n"
    assert stored("cert", "delete", *STORE, "root.crt") == (0, done, "")
    assert not (stored.config / "truststore/x509/ca/wabbit").exists()


def test_a_whole_store_is_deleted(stored: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = stored.config / "truststore/x509/ca/wabbit"
    answer(monkeypatch, "y\n")
    assert stored("cert", "delete", *STORE, "--all").out == (
        'Are you sure you want to delete all certificates in "wabbit" of type "ca"? [y/N] '
        f"Successfully deleted {directory}\n"
    )
    ended = stored("cert", "delete", *STORE, "-a", "-y")
    assert ended.code == 3
    assert "failed to delete the named trust store: " in ended.err


def test_deleting_what_is_not_there_is_an_error(stored: CommandLine) -> None:
    ended = stored("cert", "delete", "-y", *STORE, "nope.crt")
    assert ended.code == 3
    assert "failed to delete the certificate file: " in ended.err


def test_a_test_pair_signs_and_is_trusted(wabbit: CommandLine) -> None:
    ended = wabbit("cert", "generate-test", "--default", "trial")
    keys, stores = wabbit.config / "localkeys", wabbit.config / "truststore/x509/ca"
    lines = ended.out.splitlines()
    assert (ended.code, ended.err) == (0, "")
    assert lines[0] == "generating RSA Key with 2048 bits"
    assert lines[1].startswith("generated certificate expiring on 20")
    assert lines[2:] == [
        f"wrote key: {keys / 'trial.key'}",
        f"wrote certificate: {keys / 'trial.crt'}",
        "Successfully added trial.crt to named store trial of type ca",
        "trial: added to the key list",
        "trial: marked as default signing key",
    ]
    assert (stores / "trial" / "trial.crt").read_bytes() == (keys / "trial.crt").read_bytes()
    wabbit(
        "policy",
        "init",
        "-n",
        "p",
        "--registry-scope",
        "*",
        "--trust-store",
        "ca:trial",
        "--trusted-identity",
        "*",
    )
    assert wabbit("sign", "layout:image:v1").code == 0
    assert wabbit("verify", "--oci-layout", "--scope", "local/image", "image:v1").code == 0


def test_a_test_pair_that_cannot_be_stored_leaves_nothing(line: CommandLine) -> None:
    (line.config / "truststore/x509/ca").mkdir(parents=True)
    (line.config / "truststore/x509/ca/trial").write_bytes(b"in the way")
    ended = line("cert", "generate-test", "trial")
    assert ended.code == 3
    assert os.listdir(line.config / "localkeys") == []
    assert json.loads((line.config / "signingkeys.json").read_bytes()) == {"keys": []}


def test_cleaning_up_takes_everything_away_again(line: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    line("cert", "generate-test", "trial")
    key, certificate = line.config / "localkeys/trial.key", line.config / "localkeys/trial.crt"
    answer(monkeypatch, "y\n")
    ended = line("cert", "cleanup-test", "trial")
    assert ended.code == 0
    assert ended.out.endswith(
        "\n\nAre you sure you want to continue? [y/N] "
        "Successfully deleted trial.crt from trust store trial of type ca\n"
        "Successfully removed key trial from the key list\n"
        f"Successfully deleted key file: {key}\n"
        f"Successfully deleted certificate file: {certificate}\n"
        "Cleanup completed successfully\n"
    )
    assert line("cert", "cleanup-test", "-y", "trial").out == (
        "Certificate trial.crt does not exist in trust store trial of type ca\n"
        "Key trial does not exist in the key list\n"
        f"Key file {key} does not exist\n"
        f"Certificate file {certificate} does not exist\n"
        "Cleanup completed successfully\n"
    )
