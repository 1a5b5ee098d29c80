"""`nv2 trust`: what it denies is not trusted by anything, until somebody takes it back."""

from __future__ import annotations

import io
import json
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

import nv2
from nv2.errors import SigningKeyError
from nv2.notary.denials import add_denials, denials_of
from nv2.notary.machine import Machine
from nv2.trust.denial import Denial, DenialKind
from tests.unit.cli.command_line import CommandLine
from tests.unit.cli.conftest import IMAGE, WABBIT
from tests.world.ca import pem

SCOPE = "registry.example.com/net-monitor"
DENY = ("trust", "deny", "--reason", "stolen")


@pytest.fixture
def signed(wabbit: CommandLine) -> CommandLine:
    """The image is signed, and trusted by `-k leaf.crt` and by a policy for `SCOPE`."""
    assert wabbit("sign", "-k", "wabbit.key", IMAGE).code == 0
    assert wabbit("cert", "add", "-t", "ca", "-s", "wabbit", "root.crt").code == 0
    policy(wabbit, "strict")
    assert verdicts(wabbit) == [0, 0]
    return wabbit


def policy(line: CommandLine, level: str) -> None:
    more = {} if level == "skip" else {"trustStores": ["ca:wabbit"], "trustedIdentities": ["*"]}
    statement = {"name": "x", "registryScopes": [SCOPE], "signatureVerification": {"level": level}, **more}
    path = line.config / "trustpolicy.json"
    path.write_text(json.dumps({"version": "1.0", "trustPolicies": [statement]}))


def verdicts(line: CommandLine) -> list[int]:
    """The exit codes of `verify`, by a file and by the policy."""
    return [line("verify", *words, IMAGE).code for words in (("-k", "leaf.crt"), ("--scope", SCOPE))]


def digest(line: CommandLine) -> str:
    return str(line("list", "-o", "json", IMAGE).document["artifact"]["digest"])


def signature(line: CommandLine) -> str:
    return str(line("list", "-o", "json", IMAGE).document["signatures"][0]["digest"])


def thumbprint(line: CommandLine) -> str:
    found = line("verify", "-k", "leaf.crt", "-o", "json", IMAGE).document
    return str(found["results"][0]["signatures"][0]["facts"]["thumbprint"])


def envelope(line: CommandLine) -> Path:
    manifest = json.loads((line.directory / "image/blobs/sha256" / signature(line)[7:]).read_text())
    return line.directory / "image/blobs/sha256" / manifest["layers"][0]["digest"][7:]


KEYS = ("leaf.crt", "wabbit.crt", "wabbit.pub", "wabbit.key", "root.crt")


@pytest.mark.parametrize("key", KEYS)
def test_a_key_that_is_denied_is_trusted_by_nothing(signed: CommandLine, key: str) -> None:
    assert signed(*DENY, "--key", key).code == 0
    assert verdicts(signed) == [1, 1]
    policy(signed, "audit")
    assert verdicts(signed) == [1, 1]
    said = signed("verify", "-k", "leaf.crt", IMAGE).err
    assert "denial failed: the key of certificate #" in said
    assert "is denied since" in said and "stolen" in said


def test_a_key_that_is_written_with_a_compressed_point_is_the_same_key(signed: CommandLine) -> None:
    key = serialization.load_pem_public_key((signed.directory / "wabbit.pub").read_bytes())
    assert isinstance(key, ec.EllipticCurvePublicKey)
    usual = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    point = key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.CompressedPoint)
    algorithm = usual[2:23]
    (signed.directory / "compressed.der").write_bytes(b"\x30\x39" + algorithm + b"\x03\x22\x00" + point)
    assert signed(*DENY, "--key", "compressed.der").code == 0
    assert verdicts(signed) == [1, 1]


def test_a_thumbprint_is_looked_for_in_the_signatures_of_the_artifact(signed: CommandLine) -> None:
    print_ = thumbprint(signed)
    ended = signed(*DENY, "--key", print_)
    assert ended.code == 2
    assert "no certificate with this thumbprint" in ended.err
    assert signed(*DENY, "--key", print_, IMAGE).code == 0
    assert verdicts(signed) == [1, 1]


def test_a_thumbprint_is_looked_for_in_the_trust_stores(signed: CommandLine) -> None:
    found = signed("cert", "show", "-t", "ca", "-s", "wabbit", "root.crt", "-o", "json").out
    root = next(word for word in found.replace('"', " ").split() if len(word) == 64)
    assert signed(*DENY, "--key", root).code == 0
    assert verdicts(signed) == [1, 1]


def test_the_hash_of_a_key_needs_a_word_before_it(signed: CommandLine) -> None:
    spki = signed(*DENY, "--key", "leaf.crt", "-o", "json").document["added"][0]["spki"]
    again = signed(*DENY, "--key", f"spki:{spki}")
    assert again.out.startswith("Already denied since")
    assert signed(*DENY, "--key", "spki:12").code == 2


def test_one_signature_is_denied_and_another_one_by_the_same_key_counts(signed: CommandLine) -> None:
    assert signed(*DENY, "--signature", signature(signed), IMAGE).code == 0
    assert verdicts(signed) == [1, 1]
    assert signed("sign", "-k", "wabbit.key", "-m", "again=true", IMAGE).code == 0
    assert verdicts(signed) == [0, 0]


def test_a_signature_is_denied_by_its_file(signed: CommandLine) -> None:
    assert signed(*DENY, "--envelope", str(envelope(signed))).code == 0
    assert verdicts(signed) == [1, 1]


def test_a_file_that_is_no_signature_is_not_denied(signed: CommandLine) -> None:
    spoilt = json.loads(envelope(signed).read_text())
    spoilt["payload"] = spoilt["payload"].swapcase()
    (signed.directory / "spoilt.sig").write_text(json.dumps(spoilt))
    assert signed(*DENY, "--envelope", "spoilt.sig").code == 3
    forged = json.loads(envelope(signed).read_text())
    forged["signature"] = forged["signature"][::-1].swapcase()[:-1] + "A"
    (signed.directory / "forged.sig").write_text(json.dumps(forged))
    assert signed(*DENY, "--envelope", "forged.sig").code == 3
    assert signed("trust", "denials").out == "Nothing is denied on this machine\n"


def test_a_key_is_denied_for_one_artifact_alone(signed: CommandLine) -> None:
    other = f"sha256:{'0' * 64}"
    assert signed(*DENY, "--key", "leaf.crt", "--artifact", other).code == 0
    assert verdicts(signed) == [0, 0]
    assert signed(*DENY, "--key", "leaf.crt", "--artifact", digest(signed)).code == 0
    assert verdicts(signed) == [1, 1]


@pytest.mark.parametrize("level", ["strict", "audit", "skip"])
@pytest.mark.parametrize("by_reference", [True, False])
def test_an_artifact_that_is_denied_is_trusted_at_no_level(
    signed: CommandLine, level: str, by_reference: bool
) -> None:
    policy(signed, level)
    assert signed(*DENY, "--artifact", IMAGE if by_reference else digest(signed)).code == 0
    assert verdicts(signed) == [1, 1]
    ended = signed("verify", "--scope", SCOPE, IMAGE)
    assert f"{digest(signed)}: the artifact is denied since" in ended.err
    assert signed("verify", "--scope", SCOPE, "-o", "json", IMAGE).document["results"][0]["denied"] is True


def test_level_skip_stays_skip_for_what_is_not_denied(signed: CommandLine) -> None:
    policy(signed, "skip")
    assert signed(*DENY, "--artifact", f"sha256:{'0' * 64}").code == 0
    assert "skip signature verification" in signed("verify", "--scope", SCOPE, IMAGE).out


def test_the_list_is_shown_and_handed_on(signed: CommandLine, tmp_path: Path) -> None:
    signed(*DENY, "--key", "leaf.crt", "--by", "alice")
    shown = signed("trust", "denials")
    assert shown.out.splitlines()[0].split() == ["ID", "KIND", "WHAT", "SINCE", "REASON"]
    assert "stolen (by alice)" in shown.out
    (signed.directory / "denials.json").write_text(signed("trust", "denials", "-o", "json").out)
    stored = signed.config / "nv2" / "denials.json"
    stored.unlink()
    assert verdicts(signed) == [0, 0]
    ended = signed("trust", "deny", "--import", "denials.json")
    assert ended.out == "Added to the list: 1; on it already: 0\n"
    assert verdicts(signed) == [1, 1]
    assert signed("trust", "denials").out == shown.out


def test_taking_in_a_list_removes_nothing(signed: CommandLine) -> None:
    signed(*DENY, "--key", "leaf.crt")
    (signed.directory / "empty.json").write_text('{"schema": "nv2.trust.denials/v1", "denials": []}')
    assert signed("trust", "deny", "--import", "empty.json").code == 0
    assert verdicts(signed) == [1, 1]


def test_a_list_that_is_none_is_not_taken_in(signed: CommandLine) -> None:
    (signed.directory / "bad.json").write_text('{"schema": "nv2.trust.denials/v1", "denials": [{}]}')
    ended = signed("trust", "deny", "--import", "bad.json")
    assert (ended.code, ended.error_lines[0]) == (2, "Error: bad.json: denials[0].kind: a string is missing")
    assert "trust denials --output json" in ended.err
    assert not (signed.config / "nv2").exists()


def test_a_denial_is_taken_back_only_after_a_yes(
    signed: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = signed(*DENY, "--key", "leaf.crt", "-o", "json").document["added"][0]["id"]
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    assert signed("trust", "allow", name).out.endswith("Operation cancelled.\n")
    assert verdicts(signed) == [1, 1]
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    assert signed("trust", "allow", name).code == 0
    assert verdicts(signed) == [0, 0]
    ended = signed("trust", "allow", name, "--yes")
    assert (ended.code, "no denial" in ended.err) == (2, True)


SPOILT = {
    "empty": "",
    "cut short": '{"schema": "nv2.trust.denials/v1", "denials": [',
    "of another schema": '{"schema": "nv2.trust.denials/v2", "denials": []}',
    "a kind that nobody knows": '{"schema": "nv2.trust.denials/v1", "denials": [{"kind": "mood"}]}',
}


@pytest.mark.parametrize("text", SPOILT.values(), ids=SPOILT)
@pytest.mark.parametrize("level", ["strict", "audit", "skip"])
def test_a_list_that_cannot_be_read_is_never_passed_over(signed: CommandLine, text: str, level: str) -> None:
    policy(signed, level)
    stored = signed.config / "nv2" / "denials.json"
    stored.parent.mkdir()
    stored.write_text(text)
    assert verdicts(signed) == [3, 3]
    ended = signed("verify", "-k", "leaf.crt", IMAGE)
    assert str(stored) in ended.error_lines[0]
    assert "Traceback" not in ended.err
    assert signed(*DENY, "--key", "leaf.crt").code == 3
    assert stored.read_text() == text


def test_something_else_in_the_place_of_the_list_is_never_passed_over(signed: CommandLine) -> None:
    stored = signed.config / "nv2" / "denials.json"
    stored.mkdir(parents=True)
    assert verdicts(signed) == [3, 3]
    stored.rmdir()
    stored.symlink_to(signed.directory / "nowhere")
    assert verdicts(signed) == [3, 3]


def test_a_place_that_may_not_be_looked_into_is_never_passed_over(
    signed: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Path) -> os.stat_result:
        if self.name == "denials.json":
            raise PermissionError(13, "permission denied")
        return os.lstat(self)

    monkeypatch.setattr(Path, "lstat", refuse)
    assert verdicts(signed) == [3, 3]  # there is no such file, and nobody could know


def test_the_list_is_for_its_owner_alone_and_not_where_notation_reads(signed: CommandLine) -> None:
    signed(*DENY, "--key", "leaf.crt")
    stored = signed.config / "nv2" / "denials.json"
    assert stat.S_IMODE(stored.stat().st_mode) == 0o600
    assert [path.name for path in stored.parent.iterdir()] == ["denials.json"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("deny",), "nothing to deny"),
        (("deny", "--key", "leaf.crt"), "a denial needs a reason"),
        ((*DENY[1:], "--key", "leaf.crt", "--envelope", "x"), "--key and --envelope do not go together"),
        ((*DENY[1:], "--artifact", "a", "--import", "x"), "--artifact and --import do not go together"),
        ((*DENY[1:], "--signature", f"sha256:{'0' * 64}"), "--signature needs the reference"),
        ((*DENY[1:], "--artifact", f"sha256:{'0' * 64}", IMAGE), "a reference says where"),
        ((*DENY[1:], "--artifact", "sha256:12"), "64 lower-case hexadecimal digits"),
        ((*DENY[1:], "--artifact", f"sha384:{'0' * 96}"), "this would deny nothing"),
        ((*DENY[1:], "--artifact", "example.com/app@md5:00"), "this would deny nothing"),
        (("deny", "--reason", "a\nb", "--key", "leaf.crt"), "reason: expected one line"),
        (("allow",), "requires the id of a denial"),
    ],
)
def test_a_command_line_that_means_nothing_denies_nothing(
    wabbit: CommandLine, words: tuple[str, ...], message: str
) -> None:
    ended = wabbit("trust", *words)
    assert (ended.code, message in ended.err) == (2, True), ended.err
    assert not wabbit.config.exists()


def test_a_signature_that_is_not_there_is_said(signed: CommandLine) -> None:
    ended = signed(*DENY, "--signature", f"sha256:{'0' * 64}", IMAGE)
    assert (ended.code, "no readable signature" in ended.err) == (3, True)


def test_a_file_with_two_certificates_that_issued_none_of_each_other_means_no_key(
    wabbit: CommandLine,
) -> None:
    two = [WABBIT.issue(name, "EC-256").leaf for name in ("one", "two")]
    (wabbit.directory / "two.crt").write_bytes(pem(two))
    ended = wabbit(*DENY, "--key", "two.crt")
    assert (ended.code, "one key is denied at a time" in ended.err) == (2, True)


def test_all_who_deny_at_once_do_even_with_other_homes_and_spellings(line: CommandLine) -> None:
    environ = dict(os.environ)
    machines = [
        Machine.from_environment(environ | changes)
        for changes in (
            {},
            {"XDG_STATE_HOME": str(line.directory / "of root")},
            {"NOTATION_CONFIG": str(line.directory / "state" / ".." / "config")},
        )
    ]
    (line.directory / "state").mkdir()
    denials = [
        Denial(DenialKind.KEY, (f"{number:064x}",), "x", "2026-01-02T15:04:05Z") for number in range(42)
    ]
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda machine, denial: add_denials(machine.paths, [denial]), cycle(machines), denials))
    assert {denial.id for denial in denials_of(machines[0]).denials} == {denial.id for denial in denials}


SIGNINGS = (
    ("sign", "-k", "wabbit.key", IMAGE),
    ("sign", "-k", "wabbit.key", "--recursive", IMAGE),
    ("sign", "-k", "wabbit.key", "--descriptor", "image.json", "--signature-file", "image.sig"),
    ("blob", "sign", "-k", "wabbit.key", "image.json"),
)


@pytest.mark.parametrize("words", SIGNINGS, ids=lambda words: " ".join(words[:4]))
@pytest.mark.parametrize("key", ["leaf.crt", "root.crt"])
def test_nothing_is_signed_with_a_key_that_is_denied_here(
    key: str, words: tuple[str, ...], signed: CommandLine
) -> None:
    descriptor = signed("list", "-o", "json", IMAGE).document["artifact"]
    (signed.directory / "image.json").write_text(json.dumps(descriptor))
    before = sorted(path.name for path in signed.directory.rglob("*"))
    # Its metadata are other ones: what is signed already would be skipped.
    words = (*words, "-m", "a=b")
    assert signed(*DENY, "--key", key).code == 0
    ended = signed(*words)
    assert (ended.code, "not signed: the key of certificate #" in ended.err) == (3, True), ended.err
    assert "stolen" in ended.err and "nv2 trust denials" in ended.err
    after = sorted(path.name for path in signed.directory.rglob("*"))
    assert [name for name in after if name not in before] == ["denials.json"]
    assert signed("trust", "allow", "-y", denied_id(signed)).code == 0
    assert signed(*words).code == 0


def denied_id(line: CommandLine) -> str:
    return str(line("trust", "denials", "-o", "json").document["denials"][0]["id"])


def test_a_denied_artifact_is_not_signed_and_a_key_that_is_denied_for_another_one_signs(
    signed: CommandLine,
) -> None:
    other = "sha256:" + "0" * 64
    assert signed(*DENY, "--key", "leaf.crt", "--artifact", other).code == 0
    assert signed("sign", "-k", "wabbit.key", IMAGE).code == 0
    assert signed(*DENY, "--artifact", digest(signed)).code == 0
    assert "not signed: the artifact is denied" in signed("sign", "-k", "wabbit.key", IMAGE).err


def test_nothing_is_signed_while_the_list_cannot_be_read(signed: CommandLine) -> None:
    assert signed(*DENY, "--key", "leaf.crt").code == 0
    (path,) = signed.config.parent.rglob("denials.json")
    path.write_text("{")
    ended = signed("sign", "-k", "wabbit.key", IMAGE)
    assert (ended.code, "nothing is trusted before the list can be read" in ended.err) == (3, True)


def test_a_program_signs_nothing_with_a_key_that_is_denied_here(signed: CommandLine) -> None:
    key = signed.directory / "wabbit.key"
    before = len(signed("list", "-o", "json", IMAGE).document["signatures"])
    assert signed(*DENY, "--key", "leaf.crt").code == 0
    with pytest.raises(SigningKeyError, match="not signed: the key of certificate #1"):
        nv2.sign(IMAGE, key=key)
    with pytest.raises(SigningKeyError, match="not signed: the key of certificate #1"):
        nv2.sign_blob(signed.directory / "leaf.crt", key=key)
    assert len(signed("list", "-o", "json", IMAGE).document["signatures"]) == before
