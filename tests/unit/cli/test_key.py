from __future__ import annotations

import json
import os
import stat
from datetime import UTC, datetime

import pytest

from nv2.keys import generate as generating
from tests.unit.cli.command_line import CommandLine
from tests.world.ca import self_signed

SUBJECT = "C=US,ST=WA,O=wabbit-networks.io"

HEADER = "NAME   KEY PATH   CERTIFICATE PATH   ID   PLUGIN NAME   \n"


def keys(line: CommandLine) -> dict[str, object]:
    found: dict[str, object] = json.loads((line.config / "signingkeys.json").read_bytes())
    return found


def put_list(line: CommandLine, *names: str, default: str | None = None) -> None:
    line.config.mkdir()
    document = {
        "default": default,
        "keys": [{"name": name, "keyPath": "/k", "certPath": "/c"} for name in names],
    }
    (line.config / "signingkeys.json").write_text(json.dumps(document))


def test_an_empty_list_has_a_header(line: CommandLine) -> None:
    assert line("key", "list") == (0, HEADER, "")
    assert line("key", "ls") == (0, HEADER, "")


def test_a_pair_of_files_is_added_by_absolute_paths(wabbit: CommandLine) -> None:
    ended = wabbit("key", "add", "ci", "--key-file", "wabbit.key", "--cert-file", "wabbit.crt", "--default")
    assert ended == (0, "ci: marked as default\n", "")
    paths = {
        "keyPath": str(wabbit.directory / "wabbit.key"),
        "certPath": str(wabbit.directory / "wabbit.crt"),
    }
    assert keys(wabbit) == {"default": "ci", "keys": [{"name": "ci", **paths}]}
    assert wabbit("key", "add", "ci2", "--key-file", "wabbit.key") == (0, "ci2\n", "")
    assert keys(wabbit)["default"] == "ci"


def test_an_added_key_signs(wabbit: CommandLine) -> None:
    wabbit("key", "add", "ci", "--key-file", "wabbit.key", "--cert-file", "wabbit.crt", "--default")
    assert wabbit("sign", "layout:image:v1").code == 0
    assert wabbit("verify", "-k", "ci", "layout:image:v1").code == 0


def test_the_chain_of_a_key_beside_or_with_it_is_listed(wabbit: CommandLine) -> None:
    pair = self_signed("one", key="EC-256")
    both = wabbit.directory / "both.pem"
    both.write_bytes(pair.pem_key() + pair.pem_chain())
    both.chmod(0o600)
    wabbit("key", "add", "beside", "--key-file", "wabbit.key")
    wabbit("key", "add", "both", "--key-file", "both.pem")
    (beside, one) = json.loads(wabbit("key", "list", "-o", "json").out)["keys"]
    assert beside["certPath"] == str(wabbit.directory / "wabbit.crt")
    assert one["certPath"] == one["keyPath"] == str(both)
    assert wabbit("sign", "-k", "both", "layout:image:v1").code == 0


def test_an_encrypted_key_is_added_with_its_passphrase(wabbit: CommandLine) -> None:
    pair = self_signed("one", key="EC-256")
    (wabbit.directory / "locked.pem").write_bytes(pair.pem_key(b"word") + pair.pem_chain())
    (wabbit.directory / "word").write_bytes(b"word\n")
    words = ("key", "add", "locked", "--key-file", "locked.pem", "--passphrase-file", "word")
    assert wabbit(*words).code == 0
    (wabbit.directory / "word").write_bytes(b"other")
    ended = wabbit("key", "add", "again", "--key-file", "locked.pem", "--passphrase-file", "word")
    assert ended.code == 3
    assert "the passphrase is wrong" in ended.err


def test_a_pair_that_has_expired_is_added_with_a_warning(wabbit: CommandLine) -> None:
    pair = self_signed("late", key="EC-256", not_after=datetime(2025, 1, 1, tzinfo=UTC))
    (wabbit.directory / "late.pem").write_bytes(pair.pem_key() + pair.pem_chain())
    ended = wabbit("key", "add", "late", "--key-file", "late.pem")
    assert ended.code == 0
    assert "expired at 2025-01-01T00:00:00Z; as long as that is so, nothing is signed with it" in ended.err


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("add",), 2, "either missing key name or unnecessary parameters passed"),
        (("add", "a", "b"), 2, "either missing key name or unnecessary parameters passed"),
        (("add", "a"), 2, 'required flag(s) "key-file" not set'),
        (("add", "a", "--plugin", "p", "--id", "i"), 3, "plugin executable file `notation-p` not found"),
        (("add", "a", "--plugin", "../p", "--id", "i"), 3, "cannot be the name of a plugin"),
        (("add", "a", "--plugin", "p"), 2, "missing key id"),
        (("add", "a", "--plugin", "", "--id", "i"), 2, "plugin name cannot be empty"),
        (("add", "a", "--id", "i"), 2, "--plugin names one"),
        (("add", "a", "--key-file", "nope"), 3, "nope: no such file or directory"),
        (("add", "a", "--key-file", "wabbit.crt"), 3, "is a certificate, not a private key"),
        (("add", "", "--key-file", "wabbit.key"), 2, "key name cannot be empty"),
        (("add", "a\nb", "--key-file", "wabbit.key"), 2, "cannot be shown"),
        (("generate", "a"), 2, 'required flag(s) "subject" not set'),
        (("generate", "../a", "--subject", SUBJECT), 2, "key name '../a' cannot be used"),
        (("generate", "a", "--subject", "CN=x"), 2, "has no C and no ST and no O"),
        (("generate", "a", "--subject", SUBJECT, "--key-spec", "RSA-1024"), 2, "unknown kind of key"),
        (("generate", "a", "--subject", SUBJECT, "--validity", "1y"), 2, "not a number of days or hours"),
        (("generate", "a", "--subject", SUBJECT, "--validity", "0d"), 2, "valid for some time"),
        (("update",), 2, "missing key name"),
        (("update", "--default", "nope"), 3, "signing key nope not found"),
        (("delete",), 2, "missing key names"),
        (("delete", "nope"), 3, "signing key nope not found"),
        (("list", "-o", "yaml"), 2, 'invalid format: "yaml"'),
    ],
)
def test_a_mistake_is_one_error_and_changes_nothing(
    wabbit: CommandLine, words: tuple[str, ...], code: int, message: str
) -> None:
    ended = wabbit("key", *words)
    assert (ended.code, ended.out) == (code, "")
    assert message in ended.error_lines[0]
    assert not wabbit.config.exists()


def test_a_name_that_is_taken_is_refused_before_anything_is_asked(wabbit: CommandLine) -> None:
    put_list(wabbit, "ci")
    ended = wabbit("key", "add", "ci", "--key-file", "wabbit.key")
    assert ended.code == 3
    assert 'signing key with name "ci" already exists' in ended.err


def test_a_generated_pair_lies_in_localkeys_and_is_trusted_by_nobody(line: CommandLine) -> None:
    ended = line("key", "generate", "ci", "--subject", SUBJECT, "--default")
    key, certificate = line.config / "localkeys" / "ci.key", line.config / "localkeys" / "ci.crt"
    assert ended.code == 0
    assert f"wrote key: {key}\nwrote certificate: {certificate}\n" in ended.out
    assert "subject: O=wabbit-networks.io,ST=WA,C=US\n" in ended.out
    assert ended.out.endswith("ci: added to the key list\nci: marked as default signing key\n")
    assert "Hand out ci.crt, never the key" in ended.err
    assert "no trust store" in ended.err
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE(key.parent.stat().st_mode) == 0o700
    assert keys(line) == {
        "default": "ci",
        "keys": [{"name": "ci", "keyPath": str(key), "certPath": str(certificate)}],
    }
    assert not (line.config / "truststore").exists()


def test_a_generated_pair_signs_what_its_certificate_verifies(wabbit: CommandLine) -> None:
    wabbit("key", "generate", "ci", "--subject", SUBJECT, "--key-spec", "EC-384", "--validity", "12h")
    assert wabbit("sign", "-k", "ci", "layout:image:v1").code == 0
    certificate = str(wabbit.config / "localkeys" / "ci.crt")
    assert wabbit("verify", "-k", certificate, "layout:image:v1").code == 0


def test_a_file_in_the_way_is_never_overwritten(line: CommandLine) -> None:
    certificate = line.config / "localkeys" / "ci.crt"
    certificate.parent.mkdir(parents=True)
    certificate.write_bytes(b"mine")
    ended = line("key", "generate", "ci", "--subject", SUBJECT)
    assert ended.code == 3
    assert f"{certificate}: exists already" in ended.err
    assert os.listdir(certificate.parent) == ["ci.crt"]
    assert certificate.read_bytes() == b"mine"


@pytest.mark.parametrize("failing", ["write_atomically", "change_signing_keys"])
def test_a_generation_that_is_interrupted_leaves_nothing(
    line: CommandLine, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    from nv2.notary import keyring

    real, calls = getattr(keyring, failing), []

    def interrupted(*arguments: object, **more: object) -> object:
        calls.append(arguments)
        if failing == "change_signing_keys" or len(calls) > 1:
            raise KeyboardInterrupt
        return real(*arguments, **more)

    monkeypatch.setattr(keyring, failing, interrupted)
    assert line("key", "generate", "ci", "--subject", SUBJECT).code == 130
    assert [path for path in line.config.rglob("*") if path.is_file()] == []


def test_nothing_is_generated_for_a_name_that_is_taken(
    line: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_list(line, "ci")
    monkeypatch.setattr(generating, "generate", lambda *_, **__: pytest.fail("generated"))
    assert line("key", "generate", "ci", "--subject", SUBJECT).code == 3


def test_the_default_is_marked_in_the_table(line: CommandLine) -> None:
    put_list(line, "a", "b", default="b")
    assert line("key", "list").out == (
        "NAME   KEY PATH   CERTIFICATE PATH   ID   PLUGIN NAME   \n"
        "a      /k         /c                                    \n"
        "* b    /k         /c                                    \n"
    )


def test_the_list_as_json_is_one_document(line: CommandLine) -> None:
    put_list(line, "a", default="a")
    assert line("key", "list", "--output", "json").document == {
        "schema": "nv2.key.list/v1",
        "default": "a",
        "keys": [{"name": "a", "default": True, "keyPath": "/k", "certPath": "/c"}],
    }


def test_a_key_of_a_plugin_is_listed_without_its_configuration(line: CommandLine) -> None:
    line.config.mkdir()
    key = {"name": "p", "id": "i", "pluginName": "kv", "pluginConfig": {"secret": "s3cret"}}
    (line.config / "signingkeys.json").write_text(json.dumps({"keys": [key]}))
    assert line("key", "list").out.splitlines()[1].split() == ["p", "i", "kv"]
    assert "s3cret" not in line("key", "list", "-o", "json").out
    assert "`notation-kv` not found" in line("sign", "-k", "p", "layout:image:v1").err


def test_a_malformed_list_is_an_error_and_as_json_a_document(line: CommandLine) -> None:
    line.config.mkdir()
    (line.config / "signingkeys.json").write_text('{"keys": [{}]}')
    ended = line("key", "list", "-o", "json")
    assert ended.code == 3
    assert ended.document["schema"] == "nv2.key.list/v1"
    assert ended.document["error"]["at"].endswith("signingkeys.json: keys[0].name")


def test_the_default_moves(line: CommandLine) -> None:
    put_list(line, "a", "b", default="b")
    assert line("key", "set", "--default", "a") == (0, "a: marked as default\n", "")
    assert keys(line)["default"] == "a"


def test_an_update_without_default_changes_nothing_and_says_so(line: CommandLine) -> None:
    put_list(line, "a")
    ended = line("key", "update", "a")
    assert (ended.code, ended.out) == (0, "")
    assert "--default flag is not set" in ended.err


@pytest.mark.parametrize(
    ("names", "shown"),
    [
        (("a",), "Removed a from Notation signing key list. The source key still exists.\n"),
        (("b",), "Removed default key b from Notation signing key list. The source key still exists.\n"),
        (
            ("a", "b"),
            "Removed the following keys from Notation signing key list. The source keys still exist.\na\nb (default)\n",
        ),
    ],
)
def test_deleted_keys_are_named(line: CommandLine, names: tuple[str, ...], shown: str) -> None:
    put_list(line, "a", "b", default="b")
    assert line("key", "delete", *names) == (0, shown, "")


def test_deleting_is_all_or_nothing(line: CommandLine) -> None:
    put_list(line, "a", "b")
    ended = line("key", "delete", "a", "nope")
    assert ended.code == 3
    assert len(json.loads(line("key", "list", "-o", "json").out)["keys"]) == 2
