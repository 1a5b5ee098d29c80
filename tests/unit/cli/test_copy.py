"""`copy` and its options."""

from __future__ import annotations

import json
from typing import Any

import pytest

from nv2.notary import verification
from tests.unit.cli.command_line import CommandLine
from tests.unit.cli.conftest import IMAGE
from tests.unit.content.remote.registry_world import World
from tests.world.artifacts import push_image

OUTCOMES = ("copied", "mounted", "skipped", "left", "problems")


def test_a_dry_run_lists_what_the_copy_copies_and_makes_no_layout(wabbit: CommandLine) -> None:
    wabbit("sign", "-k", "wabbit.key", IMAGE)
    planned = wabbit("copy", "--dry-run", IMAGE, "layout:there:v1", "-o", "json")
    assert planned.code == 0, planned.err
    assert not (wabbit.directory / "there").exists()
    copied = wabbit("copy", IMAGE, "layout:there:v1", "-o", "json").document
    assert (planned.document["dryRun"], copied["dryRun"]) == (True, False)
    assert [planned.document[word] for word in OUTCOMES] == [copied[word] for word in OUTCOMES]
    assert len(copied["copied"]) == 6


def test_a_dry_run_skips_what_a_layout_has_and_leaves_the_layout_as_it_is(wabbit: CommandLine) -> None:
    wabbit("copy", IMAGE, "layout:there:v1")
    wabbit("sign", "-k", "wabbit.key", IMAGE)
    before = (wabbit.directory / "there" / "index.json").read_bytes()
    planned = wabbit("copy", "--dry-run", IMAGE, "layout:there:v2", "-o", "json").document
    assert (len(planned["copied"]), len(planned["skipped"])) == (3, 3)
    assert (wabbit.directory / "there" / "index.json").read_bytes() == before


def test_a_dry_run_asks_a_registry_and_sends_it_nothing(wabbit: CommandLine) -> None:
    world = World()
    wabbit.reach(registry := world.registry)
    image = push_image(world.store(), b"layer")
    registry.requests.clear()
    words = ("copy", "--dry-run", f"{registry.host}/app@{image.digest}", f"{registry.host}/other:v1")
    planned = wabbit(*words, "-o", "json")
    assert (len(planned.document["copied"]), len(planned.document["mounted"])) == (1, 2)
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
    assert (ended.code, len(ended.document["copied"])) == (0, 3)
    assert wabbit("list", "-o", "json", "layout:there:v1").document["signatures"] == []


def test_referrers_come_along_by_their_type_and_others_are_left(wabbit: CommandLine) -> None:
    wabbit("sign", "-k", "wabbit.key", IMAGE)
    ended = wabbit("copy", "--referrer-type", "application/spdx+json", IMAGE, "layout:there:v1", "-o", "json")
    assert (ended.code, len(ended.document["copied"]), len(ended.document["left"])) == (0, 3, 1)
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
    assert [planned[word] for word in OUTCOMES] == [copied[word] for word in OUTCOMES]
    assert (len(copied["copied"]), copied["destination"]) == (3, "layout:there")
    assert wabbit("verify", "-k", "leaf.crt", "layout:there:v1").code == 0


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
    assert (again.code, again.document["copied"]) == (0, [])


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
