from __future__ import annotations

import hashlib
import io
import json
import os
import sys
from pathlib import Path

import pytest

from nv2.content.blob_files import Blob
from tests.unit.cli.command_line import CommandLine, Ended
from tests.world.ca import pem
from tests.world.tsa import TSA, serving

SIGNATURE = "tool.tgz.jws.sig"
SIGN = ("blob", "sign", "-k", "wabbit.key", "tool.tgz")
VERIFY = ("blob", "verify", "-k", "leaf.crt", "-s", SIGNATURE, "tool.tgz")


@pytest.fixture
def blob(wabbit: CommandLine) -> CommandLine:
    """A home with a key, and `tool.tgz`."""
    (wabbit.directory / "tool.tgz").write_bytes(b"tool")
    return wabbit


@pytest.fixture
def signed(blob: CommandLine) -> CommandLine:
    """The same with its signature."""
    assert blob(*SIGN).code == 0
    return blob


def feed(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))


def put_policy(line: CommandLine, *statements: dict[str, object]) -> None:
    line.config.mkdir(exist_ok=True)
    text = json.dumps({"version": "1.0", "trustPolicies": list(statements)})
    (line.config / "trustpolicy.blob.json").write_text(text)


def test_a_signature_is_written_beside_the_blob_for_the_owner_alone(blob: CommandLine) -> None:
    ended = blob(*SIGN)
    assert (ended.code, ended.out) == (
        0,
        f"Successfully signed tool.tgz\nSignature file written to {SIGNATURE}\n",
    )
    assert (blob.directory / SIGNATURE).stat().st_mode & 0o777 == 0o600
    assert blob("blob", "verify", *VERIFY[2:]).out == "Successfully verified signature for tool.tgz\n"


def test_as_notation_the_second_line_begins_with_its_space(blob: CommandLine) -> None:
    assert f"\n Signature file written to {SIGNATURE}\n" in blob(*SIGN, program="notation").out


def test_a_signature_goes_where_it_is_wanted(blob: CommandLine) -> None:
    assert blob(*SIGN, "--signature-directory", "new/place", "--signature-format", "cose").code == 0
    assert (blob.directory / "new/place/tool.tgz.cose.sig").exists()
    assert (blob.directory / "new").stat().st_mode & 0o777 == 0o700
    assert blob(*SIGN, "--signature-file", "other.jws.sig").code == 0
    assert blob("blob", "verify", "-k", "leaf.crt", "-s", "other.jws.sig", "tool.tgz").code == 0


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("x.cose.sig", "x.cose.sig says another format than the signature has"),
        ("x.sig", "A valid signature file name must contain signature format"),
        ("x.jws", "The file extension must be .sig"),
        ("x.foo.sig", 'signature format "foo" not supported'),
    ],
)
def test_a_file_that_nobody_could_verify_by_is_not_written(blob: CommandLine, name: str, reason: str) -> None:
    ended = blob(*SIGN, "--signature-file", name)
    assert ended.code == 2 and reason in ended.err
    assert not (blob.directory / name).exists()


def test_another_signature_is_replaced_only_by_whoever_says_so(
    signed: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (signed.directory / SIGNATURE).read_bytes()
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    ended = signed(*SIGN)
    assert ended.code == 0 and ended.out == (
        "The signature file already exists, do you want to overwrite it? [y/N] Operation cancelled.\n"
    )
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert signed(*SIGN).code == 2
    assert (signed.directory / SIGNATURE).read_bytes() == before
    ended = signed(*SIGN, "--force")
    assert ended.err == "Warning: existing signature file will be overwritten\n"
    assert (signed.directory / SIGNATURE).read_bytes() != before


def test_a_blob_that_changes_before_its_signature_is_written_gets_none(
    blob: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    describe = Blob.describe

    def then_changed(self: Blob, *arguments: object) -> object:
        found = describe(self, *arguments)  # type: ignore[arg-type]
        (blob.directory / "tool.tgz").write_bytes(b"evil")
        return found

    monkeypatch.setattr(Blob, "describe", then_changed)
    ended = blob(*SIGN)
    assert ended.code == 3 and "tool.tgz: the file changed while it was read" in ended.err
    assert sorted(path.name for path in blob.directory.glob("*.sig")) == []


def test_standard_input_is_signed_and_verified(blob: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    feed(monkeypatch, b"tool")
    ended = blob("blob", "sign", "-k", "wabbit.key", "--signature-file", SIGNATURE, "-")
    assert ended.code == 0
    assert blob(*VERIFY).code == 0
    feed(monkeypatch, b"tool")
    assert blob(*VERIFY[:-1], "-").code == 0
    feed(monkeypatch, b"toot")
    assert blob(*VERIFY[:-1], "-").code == 1
    feed(monkeypatch, b"tool and more")
    assert "longer than the 4 bytes that are signed" in blob(*VERIFY[:-1], "-").err


def test_standard_input_needs_a_place_for_the_signature(blob: CommandLine) -> None:
    ended = blob("blob", "sign", "-k", "wabbit.key", "-")
    assert ended.code == 2 and "--signature-file" in ended.err


@pytest.mark.parametrize(
    ("flags", "code", "reason"),
    [
        (("-m", "a=b", "--media-type", "text/plain"), 0, ""),
        (("-m", "a=c"), 1, "user metadata 'a' must be 'c'"),
        (("--media-type", "text/html"), 1, "it is signed as 'text/plain', not as 'text/html'"),
        (("--media-type", ""), 2, "--media-type is set but with empty value"),
        (("--policy-name", "x"), 2, "were all set"),
    ],
)
def test_what_must_be_signed_is_compared(
    blob: CommandLine, flags: tuple[str, ...], code: int, reason: str
) -> None:
    assert blob(*SIGN, "--media-type", "text/plain", "-m", "a=b").code == 0
    ended = blob(*VERIFY, *flags)
    assert ended.code == code and reason in ended.err
    if code == 0:
        assert ended.out.endswith("KEY   VALUE   \na     b       \n")


def test_another_blob_is_not_trusted_and_the_reason_names_both_digests(signed: CommandLine) -> None:
    (signed.directory / "tool.tgz").write_bytes(b"evil")
    ended = signed(*VERIFY)
    assert ended.code == 1 and ended.out == ""
    assert ended.err.startswith(
        "Error: signature verification failed: integrity: signature does not match the given blob: its digest is sha256:"
    )


def test_a_file_of_another_length_is_refused_without_being_read(signed: CommandLine) -> None:
    with (signed.directory / "tool.tgz").open("wb") as file:
        file.truncate(2**40)  # a tebibyte of nothing
    ended = signed(*VERIFY)
    assert ended.code == 1 and f"it has {2**40} bytes, and 4 are signed" in ended.err


def verified_by_policy(signed: CommandLine, *flags: str) -> Ended:
    return signed("blob", "verify", "-s", SIGNATURE, *flags, "tool.tgz")


def test_the_blob_policy_decides_by_name_or_globally(signed: CommandLine) -> None:
    assert signed("cert", "add", "-t", "ca", "-s", "wabbit", "root.crt").code == 0
    good = ("--trust-store", "ca:wabbit", "--trusted-identity", "*")
    ended = signed("blob", "policy", "init", "-n", "one", "--global", *good)
    path = signed.config / "trustpolicy.blob.json"
    assert ended.out == f"Successfully initialized blob trust policy file to {path}.\n"
    assert verified_by_policy(signed).code == 0
    assert verified_by_policy(signed, "--policy-name", "one").code == 0
    ended = verified_by_policy(signed, "--policy-name", "two")
    assert ended.code == 3 and 'no applicable blob trust policy with name "two"' in ended.err
    assert signed("blob", "policy", "init", "-n", "one", *good, "--force").code == 0
    assert "no global blob trust policy" in verified_by_policy(signed).err
    assert signed("blob", "policy", "show").out == path.read_text()


def test_without_a_blob_policy_nothing_is_trusted(signed: CommandLine) -> None:
    ended = verified_by_policy(signed)
    assert ended.code == 3 and "nv2 blob policy init" in ended.err


def test_a_statement_that_skips_is_said_to(signed: CommandLine) -> None:
    put_policy(signed, {"name": "drafts", "signatureVerification": {"level": "skip"}})
    ended = verified_by_policy(signed, "--policy-name", "drafts")
    assert ended.out == "Trust policy is configured to skip signature verification for tool.tgz\n"


def test_showing_no_blob_policy_has_notations_words(line: CommandLine) -> None:
    ended = line("blob", "policy", "show")
    assert ended.code == 3
    assert ended.err.startswith(
        "Error: failed to show blob trust policy as the configuration does not exist\n"
    )


def test_an_imported_blob_policy_is_checked_and_kept_byte_by_byte(line: CommandLine) -> None:
    good = '{"version":"1.0", "trustPolicies":[{"name":"d","signatureVerification":{"level":"skip"}}]}'
    (line.directory / "p.json").write_text(good)
    ended = line("blob", "policy", "import", "p.json")
    assert ended.out.startswith("Successfully imported blob trust policy configuration to ")
    assert (line.config / "trustpolicy.blob.json").read_text() == good
    (line.directory / "p.json").write_text(good.replace('"name"', '"globalPolicy":true,"name"'))
    assert line("blob", "policy", "import", "--force", "p.json").code == 3
    assert (line.config / "trustpolicy.blob.json").read_text() == good


def test_a_verdict_is_a_document(signed: CommandLine) -> None:
    (result,) = signed(*VERIFY, "-o", "json").document["results"]
    assert (result["blob"], result["signature"], result["verdict"]) == ("tool.tgz", SIGNATURE, "trusted")
    (signed.directory / "tool.tgz").write_bytes(b"evil")
    ended = signed(*VERIFY, "-o", "json")
    assert ended.code == 1 and ended.document["results"][0]["verdict"] == "notTrusted"


def test_a_signature_that_was_made_is_a_document(blob: CommandLine) -> None:
    ended = blob(*SIGN, "-o", "json")
    (result,) = ended.document["results"]
    assert result["signature"]["path"] == SIGNATURE
    assert result["signature"]["size"] == (blob.directory / SIGNATURE).stat().st_size
    assert result["artifact"]["size"] == 4


def test_inspecting_shows_the_signature_under_its_path(signed: CommandLine) -> None:
    ended = signed("blob", "inspect", SIGNATURE)
    assert ended.code == 0 and ended.out.splitlines()[0] == SIGNATURE
    document = signed("blob", "inspect", "-o", "json", SIGNATURE).document
    assert next(iter(document)) == "signatureAlgorithm" and document["userDefinedAttributes"] is None


def test_a_denied_blob_is_not_trusted_by_any_of_its_digests(signed: CommandLine) -> None:
    put_policy(signed, {"name": "drafts", "signatureVerification": {"level": "skip"}})
    for algorithm in ("sha256", "sha512"):
        digest = f"{algorithm}:{hashlib.new(algorithm, b'tool').hexdigest()}"
        assert signed("trust", "deny", "--artifact", digest, "--reason", "withdrawn").code == 0
        assert signed(*VERIFY).code == 1
        assert verified_by_policy(signed, "--policy-name", "drafts").code == 1
        (signed.config / "nv2" / "denials.json").unlink()
    assert signed(*VERIFY).code == 0


def test_a_signature_replaces_a_link_and_not_what_it_leads_to(signed: CommandLine) -> None:
    path, victim = signed.directory / SIGNATURE, signed.directory / "victim"
    victim.write_bytes(b"precious")
    path.unlink()
    os.symlink(victim, path)
    assert signed(*SIGN, "--force").code == 0
    assert victim.read_bytes() == b"precious" and not Path(path).is_symlink()


def test_several_blobs_at_once_are_refused_but_under_the_name_notation(blob: CommandLine) -> None:
    assert blob(*SIGN, "b.tgz").code == 2
    assert blob(*SIGN, "b.tgz", program="notation").code == 0


@pytest.mark.parametrize("form", ["jws", "cose"])
def test_a_blob_is_signed_with_a_timestamp_that_its_policy_demands(blob: CommandLine, form: str) -> None:
    clock = TSA("Clock")
    (blob.directory / "tsa.crt").write_bytes(pem([clock.root]))
    for place, name in (("ca/wabbit", "root.crt"), ("tsa/clock", "tsa.crt")):
        folder = blob.config / "truststore" / "x509" / place
        folder.mkdir(parents=True)
        (folder / name).write_bytes((blob.directory / name).read_bytes())
    statement = {
        "name": "all",
        "signatureVerification": {"level": "strict", "verifyTimestamp": "always"},
        "trustStores": ["ca:wabbit", "tsa:clock"],
        "trustedIdentities": ["*"],
        "globalPolicy": True,
    }
    put_policy(blob, statement)
    verify = ("blob", "verify", "-s", f"tool.tgz.{form}.sig", "tool.tgz")
    assert blob(*SIGN, "--signature-format", form).code == 0
    assert "no timestamp countersignature" in blob(*verify).err
    with serving(clock) as url:
        told = ("--timestamp-url", url, "--timestamp-root-cert", "tsa.crt", "--force")
        ended = blob(*SIGN, "--signature-format", form, *told)
    assert (ended.code, len(clock.requests)) == (0, 1), ended.err
    assert blob(*verify).out == "Successfully verified signature for tool.tgz\n"
    shown = blob("blob", "inspect", "-o", "json", verify[3]).document
    assert shown["unsignedAttributes"]["timestampSignature"]["certificates"]
    with serving(TSA("Stranger")) as url:
        refused = blob(*SIGN, "--signature-format", form, "--timestamp-url", url, *told[2:])
    assert (refused.code, "does not lead to a trusted" in refused.err) == (3, True)
    assert blob(*verify).code == 0, "the signature before is kept"
