"""The main road on a layout: sign, list, inspect, verify, copy."""

from __future__ import annotations

import json

import pytest

from tests.unit.cli.command_line import CommandLine
from tests.unit.cli.conftest import IMAGE, WABBIT
from tests.world.ca import CA, pem
from tests.world.images import image_layout


def _policy(line: CommandLine, **statement) -> None:
    line.config.mkdir(exist_ok=True)
    whole = {
        "name": "images",
        "registryScopes": ["registry.example.com/image"],
        "signatureVerification": {"level": "strict"},
        "trustStores": ["ca:wabbit"],
        "trustedIdentities": ["*"],
        **statement,
    }
    (line.config / "trustpolicy.json").write_text(json.dumps({"version": "1.0", "trustPolicies": [whole]}))
    store = line.config / "truststore/x509/ca/wabbit"
    store.mkdir(parents=True, exist_ok=True)
    (store / "root.crt").write_bytes((line.directory / "root.crt").read_bytes())


SCOPE = ("--scope", "registry.example.com/image")


@pytest.mark.parametrize("envelope", ["jws", "cose"])
@pytest.mark.parametrize("trusted", ["leaf.crt", "root.crt", "wabbit.pub", "wabbit.key"])
def test_what_was_signed_is_verified_by_exactly_the_file_named(wabbit, envelope, trusted):
    signed = wabbit("sign", "-k", "wabbit.key", "--signature-format", envelope, "-r", IMAGE)
    assert signed.code == 0, signed.err
    assert signed.out.startswith("Successfully signed image@sha256:")
    verified = wabbit("verify", "-k", trusted, "-r", IMAGE)
    assert verified.code == 0, verified.err
    assert "Successfully verified signature for image@sha256:" in verified.out
    assert ("is a private key" in verified.err) is (trusted == "wabbit.key")


def test_a_file_with_a_chain_is_refused_as_the_one_thing_to_trust(wabbit):
    ended = wabbit("verify", "-k", "wabbit.crt", IMAGE)
    assert ended.code == 2
    assert "holds 2 certificates" in ended.err


def test_another_key_is_not_trusted(wabbit):
    wabbit("sign", "-k", "wabbit.key", IMAGE)
    (wabbit.directory / "other.crt").write_bytes(pem([CA("Mallory").issue("m", "EC-256").leaf]))
    ended = wabbit("verify", "-k", "other.crt", IMAGE)
    assert ended.code == 1
    assert ended.out == ""
    assert "signature verification failed for all the signatures associated with image@sha256:" in ended.err
    assert "authenticity failed" in ended.err


def test_an_unsigned_image_is_not_trusted(wabbit):
    ended = wabbit("verify", "-k", "leaf.crt", IMAGE)
    assert ended.code == 1
    assert 'no signature is associated with "image@sha256:' in ended.err


def test_changed_bytes_are_not_trusted(wabbit):
    wabbit("sign", "-k", "wabbit.key", IMAGE)
    layout = wabbit.directory / "image"
    signed = json.loads((layout / "index.json").read_text())["manifests"][0]["digest"]
    blob = layout / "blobs/sha256" / signed.partition(":")[2]
    blob.chmod(0o600)
    blob.write_bytes(blob.read_bytes().replace(b'"schemaVersion":2', b'"schemaVersion":3'))
    ended = wabbit("verify", "-k", "leaf.crt", f"layout:image@{signed}")
    assert ended.code == 3
    assert "the content has digest" in ended.err


def test_the_policy_decides_without_a_key(wabbit):
    wabbit("sign", "-k", "wabbit.key", "-m", "stage=production", IMAGE)
    _policy(wabbit)
    ended = wabbit("verify", *SCOPE, "-m", "stage=production", IMAGE)
    assert ended.code == 0, ended.err
    assert "KEY     VALUE        \nstage   production   \n" in ended.out
    assert wabbit("verify", *SCOPE, "-m", "stage=test", IMAGE).code == 1


def test_a_logged_failure_is_a_warning_and_then_an_empty_line(wabbit):
    wabbit("sign", "-k", "wabbit.key", IMAGE)
    _policy(
        wabbit,
        signatureVerification={"level": "audit"},
        trustedIdentities=["x509.subject:C=US,ST=WA,O=acme-rockets.io"],
    )
    ended = wabbit("verify", *SCOPE, IMAGE)
    assert ended.code == 0
    assert 'Warning: authenticity was set to "log" and failed with error: ' in ended.err
    assert ended.out.startswith("\nSuccessfully verified")


def test_level_skip_says_that_nobody_looked(wabbit):
    _policy(wabbit, signatureVerification={"level": "skip"}, trustStores=[], trustedIdentities=[])
    ended = wabbit("verify", *SCOPE, IMAGE, "-o", "json")
    assert ended.code == 0
    assert ended.document["results"][0]["verdict"] == "notChecked"


def test_json_shows_every_signature_and_every_finding(wabbit):
    wabbit("sign", "-k", "wabbit.key", IMAGE)
    wabbit("sign", "-k", "wabbit.key", "--signature-format", "cose", "-e", "24h", IMAGE)
    document = wabbit("verify", "-k", "leaf.crt", "-o", "json", IMAGE).document
    assert document["schema"] == "nv2.verify/v1"
    [result] = document["results"]
    assert (result["verdict"], result["level"], result["statement"]) == ("trusted", "strict", "-k leaf.crt")
    assert len(result["signatures"]) == 2
    for signature in result["signatures"]:
        assert [finding["validation"] for finding in signature["findings"]] == [
            "integrity",
            "authenticity",
            "expiry",
            "authenticTimestamp",
            "revocation",
        ]
        assert {finding["outcome"] for finding in signature["findings"]} == {"passed"}
        assert signature["facts"]["signer"] == "CN=build,O=wabbit-networks.io,ST=WA,C=US"


def test_several_references_are_all_judged_and_the_worst_code_wins(wabbit):
    wabbit("sign", "-k", "wabbit.key", IMAGE)
    image_layout(wabbit.directory / "unsigned", "unsigned")
    ended = wabbit("verify", "-k", "leaf.crt", "-o", "json", IMAGE, "layout:unsigned:v1", "layout:absent:v1")
    assert ended.code == 1
    assert [result["verdict"] for result in ended.document["results"]] == [
        "trusted",
        "notTrusted",
        "undecided",
    ]
    assert ended.document["results"][2]["error"]["kind"]
    only_error = wabbit("verify", "-k", "leaf.crt", IMAGE, "layout:absent:v1")
    assert only_error.code == 3


def test_several_references_are_all_signed(wabbit):
    image_layout(wabbit.directory / "second", "second")
    ended = wabbit("sign", "-k", "wabbit.key", "-o", "json", "-r", IMAGE, "-r", "layout:second:v1")
    assert ended.code == 0, ended.err
    assert [item["reference"] for item in ended.document["results"]] == [IMAGE, "layout:second:v1"]
    for reference in (IMAGE, "layout:second:v1"):
        assert wabbit("verify", "-k", "leaf.crt", reference).code == 0


def test_the_older_layout_flag_works(wabbit):
    assert wabbit("sign", "-k", "wabbit.key", "--oci-layout", "image:v1").code == 0
    _policy(wabbit)
    assert wabbit("verify", "--oci-layout", *SCOPE, "image:v1").code == 0
    assert wabbit("list", "--oci-layout", "image:v1").out.count("sha256:") == 2


def test_list_prints_the_tree_of_notation(wabbit):
    assert wabbit("list", IMAGE).out.endswith(" has no associated signatures\n")
    wabbit("sign", "-k", "wabbit.key", IMAGE)
    wabbit("sign", "-k", "wabbit.key", IMAGE)
    root, kind, first, second = wabbit("list", IMAGE).out.splitlines()
    assert root.startswith("image@sha256:")
    assert kind == "└── application/vnd.cncf.notary.signature"
    assert first.startswith("    ├── sha256:")
    assert second.startswith("    └── sha256:")


def test_list_shows_no_more_than_asked_for_and_says_so(wabbit):
    wabbit("sign", "-k", "wabbit.key", IMAGE)
    wabbit("sign", "-k", "wabbit.key", IMAGE)
    ended = wabbit("list", "--max-signatures", "1", "-o", "json", IMAGE)
    assert len(ended.document["signatures"]) == 1
    assert ended.document["complete"] is False
    assert "exceeded configured limit of max signatures 1 to examine" in ended.err


def test_inspect_prints_the_document_of_notation(wabbit):
    wabbit("sign", "-k", "wabbit.key", "-m", "b=2", "-m", "a=1", "-e", "1h", IMAGE)
    document = wabbit("inspect", "-o", "json", IMAGE).document
    assert list(document) == ["mediaType", "signatures"]
    [signature] = document["signatures"]
    assert list(signature) == [
        "digest",
        "signatureAlgorithm",
        "signatureEnvelopeType",
        "signedAttributes",
        "userDefinedAttributes",
        "unsignedAttributes",
        "certificates",
        "signedArtifact",
    ]
    assert signature["signatureAlgorithm"] == "ECDSA-SHA-256"
    assert list(signature["signedAttributes"]) == ["contentType", "expiry", "signingScheme", "signingTime"]
    assert signature["signedAttributes"]["signingTime"].endswith("Z")
    assert signature["userDefinedAttributes"] == {"a": "1", "b": "2"}
    assert signature["unsignedAttributes"]["signingAgent"].startswith("nv2/")
    assert [c["issuedTo"] for c in signature["certificates"]] == [
        "CN=build,O=wabbit-networks.io,ST=WA,C=US",
        "CN=Wabbit CA,O=wabbit-networks.io,ST=WA,C=US",
    ]


def test_inspect_prints_the_tree_of_notation(wabbit):
    wabbit("sign", "-k", "wabbit.key", IMAGE)
    lines = wabbit("inspect", IMAGE).out.splitlines()
    assert lines[0] == "Inspecting all signatures for signed artifact"
    assert lines[2] == "└── application/vnd.cncf.notary.signature"
    shown = [line.strip("│ ") for line in lines[4:]]
    assert shown[0] == "├── signature algorithm: ECDSA-SHA-256"
    assert "├── user defined attributes" in shown
    assert "└── (empty)" in shown
    assert shown[-1].startswith("└── size: ")


def test_inspect_shows_the_others_and_fails_when_a_signature_cannot_be_shown(wabbit):
    wabbit("sign", "-k", "wabbit.key", IMAGE)
    layout = wabbit.directory / "image"
    wabbit("sign", "-k", "wabbit.key", IMAGE)
    listed = wabbit("list", "-o", "json", IMAGE).document["signatures"]
    manifest = json.loads((layout / "blobs/sha256" / listed[0]["digest"].partition(":")[2]).read_text())
    envelope = layout / "blobs/sha256" / manifest["layers"][0]["digest"].partition(":")[2]
    envelope.chmod(0o600)
    envelope.write_bytes(b"x" * envelope.stat().st_size)
    ended = wabbit("inspect", "-o", "json", IMAGE)
    assert ended.code == 3
    assert [item["digest"] for item in ended.document["signatures"]] == [listed[1]["digest"]]
    assert f"Skipping signature {listed[0]['digest']} because of error: " in ended.err


def test_a_copy_takes_the_signatures_along(wabbit):
    wabbit("sign", "-k", "wabbit.key", IMAGE)
    ended = wabbit("copy", IMAGE, "layout:elsewhere:v2", "-o", "json")
    assert ended.code == 0, ended.err
    assert ended.document["results"][0]["problems"] == []
    assert wabbit("verify", "-k", "leaf.crt", "layout:elsewhere:v2").code == 0
    again = wabbit("copy", IMAGE, "layout:elsewhere:v2", "-o", "json").document
    assert again["results"][0]["copied"] == []


def test_signing_changes_neither_digest_nor_tags(wabbit):
    layout = wabbit.directory / "image"
    before = json.loads((layout / "index.json").read_text())["manifests"]
    wabbit("sign", "-k", "wabbit.key", IMAGE)
    assert json.loads((layout / "index.json").read_text())["manifests"][: len(before)] == before


def test_as_notation_every_failure_is_one_and_further_positionals_are_ignored(wabbit):
    wabbit("sign", "-k", "wabbit.key", IMAGE)
    assert wabbit("verify", "-k", "leaf.crt", "layout:absent:v1", program="notation").code == 1
    assert wabbit("verify", "--nope", program="notation").code == 1
    ended = wabbit("verify", "-k", "leaf.crt", IMAGE, "layout:absent:v1", program="notation")
    assert ended.code == 0


def _list_key(line: CommandLine, certificates: str) -> None:
    line.config.mkdir()
    key = {
        "name": "ci",
        "keyPath": str(line.directory / "wabbit.key"),
        "certPath": str(line.directory / certificates),
    }
    (line.config / "signingkeys.json").write_text(json.dumps({"default": "ci", "keys": [key]}))


def test_a_key_by_name_signs_and_is_trusted(wabbit):
    _list_key(wabbit, "wabbit.crt")
    assert wabbit("sign", IMAGE).code == 0
    assert wabbit("sign", "-k", "ci", IMAGE).code == 0
    assert wabbit("verify", "-k", "ci", IMAGE).code == 0


def test_a_key_by_name_trusts_its_own_certificate_and_not_its_issuer_s(wabbit):
    root, leaf = ((wabbit.directory / name).read_bytes() for name in ("root.crt", "leaf.crt"))
    (wabbit.directory / "root-first.crt").write_bytes(root + leaf)
    _list_key(wabbit, "root-first.crt")
    other = WABBIT.issue("CN=other,O=wabbit-networks.io,ST=WA,C=US", "EC-256")
    (wabbit.directory / "other.key").write_bytes(other.pem_key() + other.pem_chain())
    assert wabbit("sign", "-k", "other.key", IMAGE).code == 0
    assert wabbit("verify", "-k", "root.crt", IMAGE).code == 0
    assert wabbit("verify", "-k", "ci", IMAGE).code == 1
    assert wabbit("sign", "-k", "ci", IMAGE).code == 0
    assert wabbit("verify", "-k", "ci", IMAGE).code == 0


def test_a_key_by_name_whose_own_certificate_cannot_be_told_is_not_trusted_by_guess(wabbit):
    stranger = CA("Mallory").issue("CN=mallory,O=o,ST=WA,C=US", "EC-256")
    leaf = (wabbit.directory / "leaf.crt").read_bytes()
    (wabbit.directory / "two.crt").write_bytes(pem([stranger.leaf]) + leaf)
    _list_key(wabbit, "two.crt")
    ended = wabbit("verify", "-k", "ci", IMAGE)
    assert ended.code == 2
    assert "cannot tell the signing certificate of 'ci' among 2" in ended.err


def test_a_passphrase_comes_from_a_file(wabbit):
    pair = CA("Wabbit").issue("CN=locked,O=wabbit-networks.io,ST=WA,C=US", "EC-256")
    (wabbit.directory / "locked.key").write_bytes(pair.pem_key(b"open sesame"))
    (wabbit.directory / "locked.key").chmod(0o600)
    (wabbit.directory / "locked.crt").write_bytes(pair.pem_chain())
    (wabbit.directory / "word").write_bytes(b"open sesame\n")
    (wabbit.directory / "wrong").write_bytes(b"open rye\n")
    assert wabbit("sign", "-k", "locked.key", "--passphrase-file", "word", IMAGE).code == 0
    wrong = wabbit("sign", "-k", "locked.key", "--passphrase-file", "wrong", IMAGE)
    assert wrong.code == 3
    assert "passphrase" in wrong.err
