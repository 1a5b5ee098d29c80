"""`copy` and its options."""

from __future__ import annotations

import json

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
