"""`copy` and its options."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

import nv2
from nv2.content.layout.store import LayoutStore
from nv2.errors import Nv2Error, UsageError
from nv2.notary import verification
from nv2.oci.digest import attachment_tags, fallback_tag
from nv2.oci.media_types import COSE, IMAGE_INDEX
from tests.unit.cli.command_line import CommandLine
from tests.unit.cli.conftest import IMAGE
from tests.unit.cli.two_registries import Two
from tests.unit.content.remote.registry_world import World
from tests.world.artifacts import SBOM, attach_referrer, push_image, push_manifest, thread_lock
from tests.world.ca import CA, pem
from tests.world.tsa import TSA, serving

OUTCOMES = ("copied", "mounted", "skipped", "left", "problems")


def test_a_dry_run_lists_what_the_copy_copies_and_makes_no_layout(wabbit: CommandLine) -> None:
    wabbit("sign", "-k", "wabbit.key", IMAGE)
    planned = wabbit("copy", "--dry-run", IMAGE, "layout:there:v1", "-o", "json")
    assert planned.code == 0, planned.err
    assert not (wabbit.directory / "there").exists()
    copied = wabbit("copy", IMAGE, "layout:there:v1", "-o", "json").document
    assert (planned.document["dryRun"], copied["dryRun"]) == (True, False)
    assert [planned.document["results"][0][word] for word in OUTCOMES] == [
        copied["results"][0][word] for word in OUTCOMES
    ]
    assert len(copied["results"][0]["copied"]) == 6


def test_a_dry_run_skips_what_a_layout_has_and_leaves_the_layout_as_it_is(wabbit: CommandLine) -> None:
    wabbit("copy", IMAGE, "layout:there:v1")
    wabbit("sign", "-k", "wabbit.key", IMAGE)
    before = (wabbit.directory / "there" / "index.json").read_bytes()
    planned = wabbit("copy", "--dry-run", IMAGE, "layout:there:v2", "-o", "json").document
    assert (len(planned["results"][0]["copied"]), len(planned["results"][0]["skipped"])) == (3, 3)
    assert (wabbit.directory / "there" / "index.json").read_bytes() == before


def test_a_dry_run_asks_a_registry_and_sends_it_nothing(wabbit: CommandLine) -> None:
    world = World()
    wabbit.reach(registry := world.registry)
    image = push_image(world.store(), b"layer")
    registry.requests.clear()
    words = ("copy", "--dry-run", f"{registry.host}/app@{image.digest}", f"{registry.host}/other:v1")
    planned = wabbit(*words, "-o", "json")
    assert (
        len(planned.document["results"][0]["copied"]),
        len(planned.document["results"][0]["mounted"]),
    ) == (1, 2)
    assert {request.method for request in registry.requests} <= {"GET", "HEAD"}
    said = wabbit(*words).out.splitlines()
    assert said[0] == f"Would copy {registry.host}/app@{image.digest} to {registry.host}/other:v1"
    assert said[1] == f"1 to copy, 2 to mount; {image.size} bytes to send"


def test_a_dry_run_into_a_directory_of_something_else_fails_as_the_copy_does(wabbit: CommandLine) -> None:
    (wabbit.directory / "full").mkdir()
    (wabbit.directory / "full" / "letter.txt").write_text("dear wabbit")
    for words in ((), ("--dry-run",)):
        ended = wabbit("copy", *words, IMAGE, "layout:full:v1", "-o", "json")
        assert ended.code == 3
        assert json.loads(ended.out)["schema"] == "nv2.copy/v1"


SIGNATURE = "application/vnd.cncf.notary.signature"


def test_without_referrers_a_copy_has_no_signatures(wabbit: CommandLine) -> None:
    wabbit("sign", "-k", "wabbit.key", IMAGE)
    ended = wabbit("copy", "--no-referrers", IMAGE, "layout:there:v1", "-o", "json")
    assert (ended.code, len(ended.document["results"][0]["copied"])) == (0, 3)
    assert wabbit("list", "-o", "json", "layout:there:v1").document["signatures"] == []


def test_referrers_come_along_by_their_type_and_others_are_left(wabbit: CommandLine) -> None:
    wabbit("sign", "-k", "wabbit.key", IMAGE)
    ended = wabbit("copy", "--referrer-type", "application/spdx+json", IMAGE, "layout:there:v1", "-o", "json")
    assert (
        ended.code,
        len(ended.document["results"][0]["copied"]),
        len(ended.document["results"][0]["left"]),
    ) == (0, 3, 1)
    types = ("--referrer-type", "application/spdx+json", "--referrer-type", SIGNATURE)
    assert wabbit("copy", *types, IMAGE, "layout:there:v1").code == 0
    assert wabbit("verify", "-k", "leaf.crt", "layout:there:v1").code == 0


def test_a_copy_has_no_referrers_or_those_of_some_types_but_not_both(wabbit: CommandLine) -> None:
    ended = wabbit("copy", "--no-referrers", "--referrer-type", SIGNATURE, IMAGE, "layout:there:v1")
    assert ended.code == 2
    assert wabbit("copy", "--referrer-type", "", IMAGE, "layout:there:v1").code == 2


def test_signatures_follow_an_artifact_that_was_copied_without_them(wabbit: CommandLine) -> None:
    wabbit("copy", IMAGE, "layout:there:v1")
    wabbit("sign", "-k", "wabbit.key", IMAGE)
    planned = wabbit("copy", "--signatures-only", "--dry-run", IMAGE, "layout:there", "-o", "json").document
    assert wabbit("verify", "-k", "leaf.crt", "layout:there:v1").code == 1
    copied = wabbit("copy", "--signatures-only", IMAGE, "layout:there", "-o", "json").document
    assert [planned["results"][0][word] for word in OUTCOMES] == [
        copied["results"][0][word] for word in OUTCOMES
    ]
    assert (len(copied["results"][0]["copied"]), copied["results"][0]["destination"]) == (3, "layout:there")
    assert wabbit("verify", "-k", "leaf.crt", "layout:there:v1").code == 0


def test_a_copy_of_signatures_says_that_it_is_one(wabbit: CommandLine) -> None:
    wabbit("copy", IMAGE, "layout:there:v1")
    wabbit("sign", "-k", "wabbit.key", IMAGE)
    words = ("copy", "--signatures-only", IMAGE, "layout:there")
    assert wabbit(*words, "--dry-run").out.startswith("Would copy the signatures of image@sha256:")
    assert wabbit(*words).out.startswith("Copied the signatures of image@sha256:")


def test_a_copy_that_signs_says_whether_it_would_or_somebody_did_before(wabbit: CommandLine) -> None:
    words = ("copy", "--sign-key", "wabbit.key", IMAGE, "layout:there:v1")
    assert "Would sign there@sha256:" in wabbit(*words, "--dry-run").out
    assert "Signed there@sha256:" in wabbit(*words).out
    again = wabbit(*words).out
    assert "That certificate has signed there@sha256:" in again and "Signed" not in again


def test_signatures_alone_go_nowhere_where_the_artifact_is_not(wabbit: CommandLine) -> None:
    wabbit("sign", "-k", "wabbit.key", IMAGE)
    for words in ((), ("--dry-run",)):
        assert wabbit("copy", "--signatures-only", *words, IMAGE, "layout:there:v1").code == 3
    assert not (wabbit.directory / "there").exists()


def policy(line: CommandLine, **statement: object) -> None:
    """`root.crt` is trusted for the scope that the tests below use."""
    whole = {
        "name": "images",
        "registryScopes": [VERIFYING[-1]],
        "signatureVerification": {"level": "strict"},
        "trustStores": ["ca:wabbit"],
        "trustedIdentities": ["*"],
        **statement,
    }
    store = line.config / "truststore" / "x509" / "ca" / "wabbit"
    store.mkdir(parents=True, exist_ok=True)
    (store / "root.crt").write_bytes((line.directory / "root.crt").read_bytes())
    (line.config / "trustpolicy.json").write_text(json.dumps({"version": "1.0", "trustPolicies": [whole]}))


VERIFYING = ("copy", "--verify", "--scope", "registry.example.com/image")


def test_what_the_policy_trusts_is_copied(wabbit: CommandLine) -> None:
    wabbit("sign", "-k", "wabbit.key", IMAGE)
    policy(wabbit)
    ended = wabbit(*VERIFYING, IMAGE, "layout:there")
    assert ended.code == 0, ended.err
    assert ended.out.splitlines()[0].startswith("Successfully verified signature for image@sha256:")
    assert wabbit("verify", "-k", "leaf.crt", "layout:there:v1").code == 0
    again = wabbit(*VERIFYING, IMAGE, "layout:there:v1", "-o", "json")
    assert (again.code, again.document["results"][0]["copied"]) == (0, [])


@pytest.mark.parametrize("more", [(), ("-o", "json"), ("--dry-run",)])
@pytest.mark.parametrize(
    ("signed", "statement", "code"),
    [
        (False, {}, 1),
        (True, {"trustedIdentities": ["x509.subject:C=US,ST=WA,O=acme-rockets.io"]}, 1),
        (True, {"trustStores": ["ca:absent"]}, 3),
        (True, {"registryScopes": ["registry.example.com/other"]}, 3),
    ],
    ids=["unsigned", "another signer", "no trust store", "no statement"],
)
def test_what_the_policy_does_not_trust_never_arrives(
    wabbit: CommandLine, more: tuple[str, ...], signed: bool, statement: dict[str, object], code: int
) -> None:
    if signed:
        wabbit("sign", "-k", "wabbit.key", IMAGE)
    policy(wabbit, **statement)
    judged = wabbit("verify", *VERIFYING[2:], IMAGE)
    ended = wabbit(*VERIFYING, IMAGE, "layout:there:v1", *more)
    assert (ended.code, judged.code) == (code, code), ended.err
    assert not (wabbit.directory / "there").exists()
    if "json" in more:
        assert (ended.document["schema"], "error" in ended.document) == ("nv2.copy/v1", True)


def test_what_was_judged_is_copied_though_the_tag_moves(
    wabbit: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    wabbit("sign", "-k", "wabbit.key", IMAGE)
    policy(wabbit)
    judge = verification.evaluate

    def judge_and_move(*words: Any, **more: Any) -> Any:
        evaluated = judge(*words, **more)
        other = push_image(evaluated.artifact.store, b"unsigned")
        evaluated.artifact.store.tag(other, "v1")
        return evaluated

    monkeypatch.setattr(verification, "evaluate", judge_and_move)
    assert wabbit(*VERIFYING, IMAGE, "layout:there").code == 0
    assert wabbit("verify", "-k", "leaf.crt", IMAGE).code == 1
    assert wabbit("verify", "-k", "leaf.crt", "layout:there:v1").code == 0


def test_a_scope_without_a_policy_to_read_is_a_mistake(wabbit: CommandLine) -> None:
    assert wabbit("copy", "--scope", "registry.example.com/image", IMAGE, "layout:there").code == 2


def sign_otherwise(line: CommandLine, subject: str = IMAGE) -> None:
    """By somebody whom nobody here trusts."""
    stranger = CA("Stranger").issue("CN=stranger", "EC-256")
    (line.directory / "stranger.key").write_bytes(stranger.pem_key())
    (line.directory / "stranger.key").chmod(0o600)
    (line.directory / "stranger.crt").write_bytes(stranger.pem_chain())
    assert line("sign", "-k", "stranger.key", subject).code == 0


def test_signatures_that_the_policy_does_not_trust_stay_behind(wabbit: CommandLine) -> None:
    wabbit("sign", "-k", "wabbit.key", IMAGE)
    sign_otherwise(wabbit)
    policy(wabbit)
    ended = wabbit(*VERIFYING, IMAGE, "layout:there:v1", "-o", "json")
    (left,) = ended.document["results"][0]["left"]
    assert (ended.code, left["reason"].startswith("not trusted: authenticity")) == (0, True), left
    assert len(wabbit("list", "-o", "json", "layout:there:v1").document["signatures"]) == 1
    said = wabbit(*VERIFYING, IMAGE, "layout:again:v1").out
    assert f"Left out: {left['digest']}: not trusted: authenticity" in said
    assert wabbit("copy", IMAGE, "layout:all:v1").code == 0
    assert len(wabbit("list", "-o", "json", "layout:all:v1").document["signatures"]) == 2


def test_an_sbom_comes_along_with_a_verified_copy_only_if_it_is_signed_itself(wabbit: CommandLine) -> None:
    wabbit("sign", "-k", "wabbit.key", IMAGE)
    store = LayoutStore(wabbit.directory / "image", lock=thread_lock())
    sbom = attach_referrer(store, store.resolve("v1"), b"packages", artifact_type=SBOM)
    policy(wabbit)
    ended = wabbit(*VERIFYING, IMAGE, "layout:there:v1", "-o", "json")
    (left,) = ended.document["results"][0]["left"]
    assert (left["digest"], left["reason"]) == (sbom.digest, "has no trusted signature")
    sign_otherwise(wabbit, f"layout:image@{sbom.digest}")
    ended = wabbit(*VERIFYING, IMAGE, "layout:there:v1", "-o", "json")
    assert sbom.digest in {item["digest"] for item in ended.document["results"][0]["left"]}
    wabbit("sign", "-k", "wabbit.key", f"layout:image@{sbom.digest}")
    ended = wabbit(*VERIFYING, IMAGE, "layout:there:v1", "-o", "json")
    assert sbom.digest in {item["digest"] for item in ended.document["results"][0]["copied"]}
    assert len(ended.document["results"][0]["left"]) == 1  # the stranger's signature of it


def test_our_own_signature_is_there_before_the_tag_and_is_made_once(wabbit: CommandLine) -> None:
    world = World()
    wabbit.reach(registry := world.registry)
    there = f"{registry.host}/app:v1"
    ended = wabbit("copy", "--sign-key", "wabbit.key", IMAGE, there, "-o", "json")
    assert ended.code == 0, ended.err
    signature = ended.document["results"][0]["signature"]["digest"]
    written = [request.url.rpartition("/")[2] for request in registry.asked("PUT", "/manifests/")]
    assert written[-1] == "v1"
    assert signature in written[:-1]
    assert wabbit("verify", "-k", "leaf.crt", there).code == 0
    again = wabbit("copy", "--sign-key", "wabbit.key", IMAGE, there, "-o", "json")
    assert (again.code, again.document["results"][0]["signature"]) == (0, None)
    said = wabbit("copy", "--sign-key", "wabbit.key", IMAGE, "layout:there:v1").out.splitlines()
    assert said[-1].startswith("Pushed the signature to there@sha256:")


def test_our_own_signature_is_made_as_the_flags_of_sign_say(wabbit: CommandLine) -> None:
    clock = TSA("Clock")
    (wabbit.directory / "tsa-root.crt").write_bytes(pem([clock.root]))
    words = [
        "-m",
        "step=accepted",
        "-e",
        "24h",
        "--signature-format",
        "cose",
        "--timestamp-root-cert",
        "tsa-root.crt",
    ]
    with serving(clock) as url:
        words += ["--timestamp-url", url]
        ended = wabbit("copy", "--sign-key", "wabbit.key", *words, IMAGE, "layout:there:v1")
    assert ended.code == 0, ended.err
    (signature,) = wabbit("inspect", "-o", "json", "layout:there:v1").document["signatures"]
    assert signature["signatureEnvelopeType"] == "application/cose"
    assert signature["userDefinedAttributes"] == {"step": "accepted"}
    assert "expiry" in signature["signedAttributes"]
    assert "timestampSignature" in signature["unsignedAttributes"]


@pytest.mark.parametrize("words", [("-m", "a=b"), ("--cert", "wabbit.crt"), ("--plugin-config", "a=b")])
def test_how_to_sign_is_said_of_a_key(wabbit: CommandLine, words: tuple[str, str]) -> None:
    ended = wabbit("copy", *words, IMAGE, "layout:there:v1")
    assert (ended.code, "is for --sign-key, which is missing" in ended.err) == (2, True)
    assert not (wabbit.directory / "there").exists()


def test_acceptance_is_one_command_and_signs_nothing_that_is_not_trusted(wabbit: CommandLine) -> None:
    policy(wabbit)
    words = (*VERIFYING, "--sign-key", "wabbit.key", IMAGE, "layout:there:v1")
    assert wabbit(*words).code == 1
    assert not (wabbit.directory / "there").exists()
    sign_otherwise(wabbit)
    assert wabbit(*words).code == 1
    wabbit("sign", "-k", "wabbit.key", IMAGE)
    assert wabbit(*words).code == 0


def test_a_key_that_cannot_be_used_ends_the_copy_before_anything_is_written(wabbit: CommandLine) -> None:
    ended = wabbit("copy", "--sign-key", "absent", IMAGE, "layout:there:v1")
    assert ended.code == 3
    assert not (wabbit.directory / "there").exists()


def test_a_dry_run_signs_nothing(wabbit: CommandLine) -> None:
    ended = wabbit("copy", "--dry-run", "--sign-key", "wabbit.key", IMAGE, "layout:there:v1", "-o", "json")
    assert (ended.code, ended.document["results"][0]["signature"]) == (0, None)
    assert not (wabbit.directory / "there").exists()


@pytest.mark.parametrize(
    "words",
    [
        ("here.test/team/app:v1.0", "here.test/team/tool:v1.0", "there.test/both:v1"),
        ("--all-tags", "here.test/team/app:v1.0", "there.test/both"),
        ("--all-tags", "--tags", "v1", "here.test/team/app", "there.test/both"),
        ("--all-repositories", "here.test/team/app", "there.test"),
        ("--all-repositories", "here.test", "other.test", "there.test"),
        ("--platform", "linux", "here.test/team/app:v1.0", "there.test/both"),
        ("--concurrency", "0", "here.test/team/app:v1.0", "there.test/both"),
        ("--passphrase-file", "x", "here.test/team/app:v1.0", "there.test/both"),
        ("layout:image:v1", "there.test/mirror/"),
    ],
)
def test_what_cannot_be_meant_is_a_mistake_of_the_caller(
    wabbit: CommandLine, two: Two, words: tuple[str, ...]
) -> None:
    ended = wabbit("copy", *words)
    assert ended.code == 2, ended.err
    assert two.there.requests == []


@pytest.mark.parametrize(("signers", "rest"), [(5, ""), (23, "3 more")])
def test_the_signatures_that_a_platform_leaves_behind_are_named_up_to_twenty_and_the_rest_counted(
    wabbit: CommandLine, two: Two, signers: int, rest: str
) -> None:
    store = two.store(two.here, "multi")
    image = push_image(store, b"amd64")
    entry = {**image.to_json(), "platform": {"os": "linux", "architecture": "amd64"}}
    index = push_manifest(store, {"manifests": [entry]}, IMAGE_INDEX)
    store.tag(index, "v1")
    made = [attach_referrer(store, index, content=b"%d" % number).digest for number in range(signers)]
    words = ("copy", "--platform", "linux/amd64", "here.test/multi:v1", "there.test/multi", "--dry-run")
    [line] = [line for line in wabbit(*words).out.splitlines() if "refers to the index" in line]
    assert sum(digest in line for digest in made) == min(signers, 20)
    assert line.partition(" and ")[2].partition(":")[0] == rest
    left = wabbit(*words, "-o", "json").document["results"][0]["left"]
    assert {item["digest"] for item in left} >= set(made)


@pytest.mark.parametrize("words", ["linux/amd64 linux/arm64", "linux/amd64,linux/arm64"])
def test_with_several_platforms_the_index_keeps_its_signature_and_what_is_left_is_named(
    wabbit: CommandLine, two: Two, words: str
) -> None:
    store = two.store(two.here, "multi")
    images = {name: push_image(store, name.encode()) for name in ("amd64", "arm64", "s390x")}
    entries = [
        {**image.to_json(), "platform": {"os": "linux", "architecture": name}}
        for name, image in images.items()
    ]
    index = push_manifest(store, {"manifests": entries}, IMAGE_INDEX)
    store.tag(index, "v1")
    wabbit("sign", "-k", "wabbit.key", f"here.test/multi@{index.digest}")
    wabbit("sign", "-k", "wabbit.key", f"here.test/multi@{images['s390x'].digest}")
    [signature] = store.referrers(images["s390x"]).descriptors
    flags = [part for word in words.split() for part in ("--platform", word)]
    ended = wabbit("copy", *flags, "here.test/multi:v1", "there.test/multi")
    assert ended.code == 0, ended.err
    assert f"Left out: {images['s390x'].digest}: of a platform that was not asked for" in ended.out
    assert f"Left out: {signature.digest}: refers to what is of a platform that was not" in ended.out
    there = two.there.repository("multi")
    assert there.tags["v1"] == index.digest
    assert {name: image.digest in there.manifests for name, image in images.items()} == {
        "amd64": True,
        "arm64": True,
        "s390x": False,
    }
    assert wabbit("verify", "-k", "leaf.crt", "there.test/multi:v1").code == 0
    one = wabbit(
        "copy",
        "--platform",
        "linux/arm64",
        "--platform",
        "linux/arm64",
        "here.test/multi:v1",
        "there.test/one",
    )
    assert one.code == 0, one.err
    assert two.there.repository("one").tags["v1"] == images["arm64"].digest
    copied = nv2.plan_copy("here.test/multi:v1", "there.test/two", platform=["linux/arm64", "linux/s390x"])
    assert copied.result.root == index


def test_what_cosign_attached_comes_along_if_asked(wabbit: CommandLine, two: Two) -> None:
    store = two.store(two.here, "team/app")
    image = store.resolve("v1.0")
    name = attachment_tags(image.digest)[0]
    store.tag(push_image(store, b"by cosign"), name)
    wabbit("copy", "here.test/team/app:v1.0", "there.test/without")
    assert name not in two.there.repository("without").tags
    ended = wabbit(
        "copy", "--digest-tags", "--concurrency", "2", "here.test/team/app:v1.0", "there.test/with"
    )
    assert ended.code == 0, ended.err
    assert name in two.there.repository("with").tags


def test_what_cosign_attached_comes_along_with_a_verified_copy_only_if_it_is_signed_itself(
    wabbit: CommandLine,
) -> None:
    wabbit("sign", "-k", "wabbit.key", IMAGE)
    store = LayoutStore(wabbit.directory / "image", lock=thread_lock())
    names = attachment_tags(store.resolve("v1").digest)
    attached = [push_image(store, name.encode(), config=name.encode()) for name in names]
    for name, image in zip(names, attached, strict=True):
        store.tag(image, name)
    sign_otherwise(wabbit, f"layout:image@{attached[0].digest}")
    wabbit("sign", "-k", "wabbit.key", f"layout:image@{attached[1].digest}")
    policy(wabbit)
    ended = wabbit(*VERIFYING, "--digest-tags", IMAGE, "layout:there:v1", "-o", "json")
    assert ended.code == 0, ended.err
    left = {item["digest"]: item["reason"] for item in ended.document["results"][0]["left"]}
    untrusted = {item.digest for item in (attached[0], *attached[2:])}
    assert {digest for digest, reason in left.items() if reason == "has no trusted signature"} == untrusted
    there = LayoutStore(wabbit.directory / "there", lock=thread_lock())
    assert set(there.tag_names()) == {"v1", names[1]}
    assert not untrusted & set(there.digests())
    policy(wabbit, signatureVerification={"level": "skip"}, trustStores=[], trustedIdentities=[])
    assert wabbit(*VERIFYING, "--digest-tags", IMAGE, "layout:all:v1").code == 0
    kept = LayoutStore(wabbit.directory / "all", lock=thread_lock())
    assert set(kept.tag_names()) == {"v1", *names}


@pytest.mark.parametrize("explicit", ["destination", "source"])
def test_the_list_of_what_refers_to_a_digest_is_not_written_over(wabbit: CommandLine, explicit: str) -> None:
    two = Two()
    wabbit.reach(two)
    here, there = two.store(two.here, "app"), two.store(two.there, "app")
    image = push_image(here)
    attach_referrer(here, image)
    theirs = attach_referrer(there, push_image(there), b"theirs")
    listing = fallback_tag(image.digest)
    source = f"here.test/app:{listing}" if explicit == "source" else f"here.test/app@{image.digest}"
    ended = wabbit("copy", source, "there.test/app" + (f":{listing}" if explicit != "source" else ""))
    assert ended.code == 2
    assert "where clients look for what refers to a digest" in ended.err
    assert [item.digest for item in there.referrers(image).descriptors] == [theirs.digest]


@pytest.mark.parametrize(
    "words",
    [
        ("here.test/app:v1", "there.test/app"),
        ("--all-tags", "here.test/app", "there.test/app"),
        ("--all-repositories", "here.test", "there.test/mirror"),
        ("here.test/app:v1", "there.test/mirror/"),
        ("--verify", "--scope", "local/layout", "here.test/app:v1", "there.test/app"),
    ],
    ids=" ".join,
)
def test_one_password_is_shown_to_neither_of_two_registries(
    wabbit: CommandLine, words: tuple[str, ...]
) -> None:
    two = Two()
    wabbit.reach(two)
    policy(wabbit)
    ended = wabbit("copy", "-u", "wabbit", "-p", "carrot", *words)
    assert ended.code == 3
    assert "two registries: here.test and there.test" in ended.err
    assert two.here.requests == two.there.requests == []


def test_a_tag_that_moves_meanwhile_does_not_change_what_is_copied(wabbit: CommandLine) -> None:
    two = Two()
    wabbit.reach(two)
    here = two.store(two.here, "app")
    before, after = push_image(here, b"before"), push_image(here, b"after")
    here.tag(before, "v1")
    two.here.before("GET", "/manifests/v1", lambda: None)
    two.here.before("GET", "/manifests/v1", lambda: here.tag(after, "v1"))
    assert wabbit("copy", "here.test/app:v1", "there.test/app").code == 0
    assert two.store(two.there, "app").resolve("v1") == before


def test_a_bad_signature_that_claims_to_be_ours_does_not_keep_us_from_signing(wabbit: CommandLine) -> None:
    wabbit("sign", "-k", "wabbit.key", IMAGE)
    store = LayoutStore(wabbit.directory / "image", lock=thread_lock())
    image = store.resolve("v1")
    [ours] = store.referrers(image).descriptors
    forged = LayoutStore(wabbit.directory / "forged", create=True, lock=thread_lock())
    copied = push_image(forged, b"deletable")
    forged.tag(copied, "v1")
    attach_referrer(forged, copied, b"{}", annotations=ours.annotations)
    ended = wabbit("copy", "--sign-key", "wabbit.key", "layout:forged:v1", "layout:there:v1", "-o", "json")
    assert ended.document["results"][0]["signature"]
    assert wabbit("verify", "-k", "leaf.crt", "layout:there:v1").code == 0


def test_a_key_that_is_denied_signs_nothing_on_arrival(wabbit: CommandLine) -> None:
    denied = wabbit("trust", "deny", "--reason", "stolen", "--key", "leaf.crt")
    assert denied.code == 0, denied.err
    with pytest.raises(Nv2Error, match="denied"):
        nv2.copy(
            f"layout:{wabbit.directory}/image:v1",
            f"layout:{wabbit.directory}/there:v1",
            sign_key=wabbit.directory / "wabbit.key",
        )
    assert LayoutStore(wabbit.directory / "there", lock=thread_lock()).tag_names() == ()


def test_the_library_signs_on_arrival_with_what_sign_takes_besides_the_key(wabbit: CommandLine) -> None:
    how: nv2.SigningOptions = {
        "certificate": wabbit.directory / "wabbit.crt",
        "media_type": COSE,
        "expiry": timedelta(hours=3),
        "user_metadata": {"step": "accepted"},
    }
    copied = nv2.copy("layout:image:v1", "layout:there:v1", sign_key="wabbit.key", sign_with=how)
    (signature,) = nv2.inspect_signatures("layout:there:v1").signatures
    assert copied.signature is not None
    assert signature.manifest.digest == copied.signature.digest
    nv2.sign("layout:image:v1", key="wabbit.key", **how)
    here, there = (
        wabbit("inspect", "-o", "json", f"layout:{name}:v1").document["signatures"][0]
        for name in ("image", "there")
    )
    for same in ("signatureEnvelopeType", "userDefinedAttributes"):
        assert here[same] == there[same]
    assert (there["signatureEnvelopeType"], "expiry" in there["signedAttributes"]) == (COSE, True)


def test_how_to_sign_without_a_key_is_a_mistake_of_the_caller(wabbit: CommandLine) -> None:
    with pytest.raises(UsageError, match="sign_with says how to sign"):
        nv2.copy("layout:image:v1", "layout:there:v1", sign_with={"user_metadata": {"a": "b"}})
    unknown: Any = {"colour": "red"}
    with pytest.raises(TypeError, match="colour"):
        nv2.copy("layout:image:v1", "layout:there:v1", sign_key="wabbit.key", sign_with=unknown)
    assert not (wabbit.directory / "there").exists()


def test_a_signature_on_arrival_in_a_layout_is_one_that_notation_finds(wabbit: CommandLine) -> None:
    wabbit("copy", "--sign-key", "wabbit.key", IMAGE, "layout:there:v1")
    wabbit("sign", "-k", "wabbit.key", IMAGE)
    shapes = []
    for name in ("there", "image"):
        store = LayoutStore(wabbit.directory / name, lock=thread_lock())
        [signature] = store.referrers(store.resolve("v1")).descriptors
        shapes.append(sorted(json.loads(store.fetch(signature, 9999))))
    assert shapes[0] == shapes[1]


def test_every_signature_that_is_to_come_along_is_judged(
    wabbit: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many there are: those beyond the limit of a verification would stay behind."""
    for _ in range(2):
        wabbit("sign", "-k", "wabbit.key", IMAGE)
    policy(wabbit)
    defaults = verification.evaluate_reference.__kwdefaults__
    assert defaults is not None
    monkeypatch.setitem(defaults, "max_signatures", 1)
    ended = wabbit(*VERIFYING, IMAGE, "layout:there:v1", "-o", "json")
    assert ended.document["results"][0]["left"] == []


def test_a_copy_without_something_that_cannot_be_read_is_a_part(wabbit: CommandLine) -> None:
    store = LayoutStore(wabbit.directory / "image", lock=thread_lock())
    referrer = attach_referrer(store, store.resolve("v1"), b"broken")
    envelope = json.loads(store.fetch(referrer, 9999))["layers"][0]["digest"]
    (wabbit.directory / "image" / "blobs" / envelope.replace(":", "/")).write_bytes(b"BROKEN")
    ended = wabbit("copy", IMAGE, "layout:there:v1")
    assert ended.code == 4
    assert referrer.digest in ended.err
    assert LayoutStore(wabbit.directory / "there", lock=thread_lock()).resolve("v1") == store.resolve("v1")
