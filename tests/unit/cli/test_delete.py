"""`nv2 delete`: what it asks, says and exits with, in layouts and registries."""

from __future__ import annotations

import io
from collections.abc import Sequence

import pytest

from nv2.content.interface import Opener
from nv2.content.layout.store import LayoutStore
from nv2.content.remote.store import RemoteStore
from nv2.oci.descriptor import Descriptor
from nv2.oci.digest import fallback_tag
from tests.unit.cli.command_line import CommandLine
from tests.unit.content.remote.registry_world import World
from tests.world.artifacts import attach_referrer, push_image, push_index, thread_lock


class Archive(LayoutStore):
    """Shows at once what is written to it, as the others do."""

    def push(self, descriptor: Descriptor, source: Opener) -> None:
        super().push(descriptor, source)
        self.finish()

    def tag(self, descriptor: Descriptor, tag: str) -> None:
        super().tag(descriptor, tag)
        self.finish()

    def attach(self, subject: Descriptor, manifests: Sequence[Descriptor]) -> None:
        super().attach(subject, manifests)
        self.finish()


@pytest.fixture(params=["layout", "archive", "registry", "registry without referrers API"])
def place(wabbit: CommandLine, request: pytest.FixtureRequest) -> tuple[LayoutStore | RemoteStore, str]:
    """A store, and what references to it begin with."""
    if request.param == "archive":
        return Archive(wabbit.directory / "image.tar", create=True, lock=thread_lock()), "layout:image.tar"
    if request.param == "layout":
        return LayoutStore(wabbit.directory / "image", lock=thread_lock()), "layout:image"
    world = World(referrers_api=request.param == "registry")
    wabbit.reach(world.registry)
    return world.store(push=True), f"{world.registry.host}/app"


def test_a_signature_goes_and_the_other_still_verifies(wabbit: CommandLine, place) -> None:
    store, name = place
    image = f"{name}@{push_image(store, b'deletable').digest}"
    made = [
        wabbit("sign", "-k", "wabbit.key", "-o", "json", image).document["results"][0]["signature"]["digest"]
        for _ in range(2)
    ]
    ended = wabbit("delete", "--yes", f"{name}@{made[0]}")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith("Deleted ")
    assert ended.out.endswith(f"{made[0]} application/vnd.cncf.notary.signature\n")
    listed = wabbit("list", "-o", "json", image).document
    assert [entry["digest"] for entry in listed["signatures"]] == [made[1]]
    assert wabbit("verify", "-k", "leaf.crt", image).code == 0


def test_an_artifact_goes_with_everything_that_refers_to_it(wabbit: CommandLine, place) -> None:
    store, name = place
    image = push_image(store, b"deletable")
    store.tag(image, "old")
    signature = attach_referrer(store, image)
    ended = wabbit("delete", "--yes", "--with-referrers", "-o", "json", f"{name}:old")
    assert (ended.code, ended.err) == (0, "")
    (result,) = ended.document["results"]
    assert [item["digest"] for item in result["deleted"]] == [signature.digest, image.digest]
    assert result["referrersLeft"] == []
    assert wabbit("tree", f"{name}:old").code == 3
    assert wabbit("tree", f"{name}@{signature.digest}").code == 3


def test_what_referred_to_it_stays_and_is_mentioned(wabbit: CommandLine, place) -> None:
    store, name = place
    child = push_image(store, b"deletable")
    index = push_index(store, [child])
    attach_referrer(store, index)
    ended = wabbit("delete", "--yes", f"{name}@{index.digest}")
    assert ended.code == 0
    assert "Kept what refers to it, 1 manifest: --with-referrers" in ended.err
    assert "Kept what it consists of, 1 manifest: delete that by digest" in ended.err


def test_a_rehearsal_deletes_nothing(wabbit: CommandLine, place) -> None:
    store, name = place
    image = push_image(store, b"deletable")
    attach_referrer(store, image)
    ended = wabbit("delete", "--dry-run", "--with-referrers", f"{name}@{image.digest}")
    assert ended.code == 0
    assert ended.out.count("Would delete ") == 2
    assert wabbit("list", "-o", "json", f"{name}@{image.digest}").document["signatures"]


def test_without_an_answer_nothing_is_deleted(
    wabbit: CommandLine, place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    store, name = place
    image = push_image(store, b"deletable")
    ended = wabbit("delete", f"{name}@{image.digest}")
    assert ended.code == 2
    assert "--yes" in ended.err
    assert store.resolve(image.digest)


def test_a_tag_alone_goes(wabbit: CommandLine, place) -> None:
    store, name = place
    image = push_image(store, b"deletable")
    store.tag(image, "old")
    ended = wabbit("delete", "--yes", "--tag-only", f"{name}:old")
    assert ended.code == 0, ended.err
    assert wabbit("tree", f"{name}:old").code == 3
    assert wabbit("tree", f"{name}@{image.digest}").code == 0


def test_a_rehearsal_for_a_tag_deletes_nothing(wabbit: CommandLine, place) -> None:
    store, name = place
    image = push_image(store, b"deletable")
    store.tag(image, "old")
    ended = wabbit("delete", "--dry-run", "--tag-only", f"{name}:old")
    assert (ended.code, ended.out.split()[:2]) == (0, ["Would", "delete"])
    assert wabbit("tree", f"{name}:old").code == 0


def test_a_tag_that_goes_alone_is_in_the_document(wabbit: CommandLine, place) -> None:
    store, name = place
    image = push_image(store, b"deletable")
    store.tag(image, "old")
    ended = wabbit("delete", "--yes", "--tag-only", "-o", "json", f"{name}:old")
    (result,) = ended.document["results"]
    assert (result["tag"], result["deleted"]) == ("old", [])
    assert result["resolved"].endswith(f"@{image.digest}")
    assert wabbit("tree", f"{name}:old").code == 3


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("-o", "json", "layout:image:v1"), "no room for a question"),
        (("--tag-only", "-o", "json", "layout:image:v1"), "no room for a question"),
        (("--tag-only", "--yes", f"layout:image@sha256:{'0' * 64}"), "named by tag alone"),
        (("--tag-only", "--with-referrers", "layout:image:v1"), "with-referrers"),
        ((), "missing reference"),
    ],
)
def test_what_makes_no_sense_is_refused(wabbit: CommandLine, arguments: tuple[str, ...], said: str) -> None:
    ended = wabbit("delete", *arguments)
    assert ended.code == 2
    assert said in ended.err


def test_a_registry_that_deletes_nothing_says_so(wabbit: CommandLine) -> None:
    world = World("no_delete")
    wabbit.reach(world.registry)
    image = push_image(world.store())
    ended = wabbit("delete", "--yes", f"{world.registry.host}/app@{image.digest}")
    assert ended.code == 3
    assert "does not delete manifests" in ended.err
    assert "hint: " in ended.err


def test_a_rehearsal_asks_for_no_right_to_write(wabbit: CommandLine) -> None:
    world = World()
    wabbit.reach(world.registry)
    image = push_image(world.store())
    world.registry.requests.clear()
    assert wabbit("delete", "--dry-run", f"{world.registry.host}/app@{image.digest}").code == 0
    assert not any("push" in scope for request in world.registry.requests for scope in request.scopes)


def test_the_list_of_what_refers_to_something_is_no_artifact(wabbit: CommandLine) -> None:
    world = World(referrers_api=False)
    wabbit.reach(world.registry)
    store = world.store()
    image = push_image(store)
    attach_referrer(store, image)
    ended = wabbit("delete", "--yes", f"{world.registry.host}/app:{fallback_tag(image.digest)}")
    assert ended.code == 2
    assert "list of what refers to" in ended.err
    assert store.referrers(image).descriptors


def test_what_is_listed_and_does_not_refer_stays_and_makes_it_a_part(wabbit: CommandLine) -> None:
    world = World(referrers_api=False)
    wabbit.reach(world.registry)
    store = world.store()
    image, other = push_image(store, b"1"), push_image(store, b"2")
    store.attach(image, [other._replace(artifact_type="application/x")])
    name = f"{world.registry.host}/app"
    ended = wabbit("delete", "--yes", "--with-referrers", f"{name}@{image.digest}")
    assert ended.code == 4
    assert "is none: it stays" in ended.err
    assert wabbit("tree", f"{name}@{other.digest}").code == 0


def test_what_was_deleted_before_it_failed_is_said_and_what_helps(wabbit: CommandLine) -> None:
    world = World()
    wabbit.reach(world.registry)
    store = world.store()
    image = push_image(store)
    attach_referrer(store, image)
    world.registry.fail("DELETE", image.digest, status=405)
    ended = wabbit("delete", "--yes", "--with-referrers", f"{world.registry.host}/app@{image.digest}")
    assert (ended.code, ended.out.count("Deleted ")) == (4, 1)
    assert "the rest was not deleted" in ended.err
    assert "hint: whoever runs the registry" in ended.err


def test_several_go_after_one_question(wabbit: CommandLine, place, monkeypatch: pytest.MonkeyPatch) -> None:
    store, name = place
    images = [push_image(store, content) for content in (b"1", b"2")]
    store.tag(images[0], "old")
    words = ("delete", f"{name}:old", f"{name}@{images[1].digest}")
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    refused = wabbit(*words)
    assert (refused.code, "Deleted" in refused.out) == (0, False)
    assert all(wabbit("tree", f"{name}@{image.digest}").code == 0 for image in images)
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    ended = wabbit(*words)
    assert (ended.code, ended.out.count("[y/N]"), ended.err) == (0, 1, "")
    asked = ended.out.partition("[y/N]")[0]
    assert all(image.digest in asked for image in images)
    assert "with every tag that names it" in asked
    assert [wabbit("tree", f"{name}@{image.digest}").code for image in images] == [3, 3]


@pytest.mark.parametrize(
    ("there", "code"), [((True, True), 0), ((False, True), 4), ((True, False), 4), ((False, False), 3)]
)
def test_one_that_cannot_be_deleted_does_not_end_it_and_is_named(
    wabbit: CommandLine, place, there: tuple[bool, bool], code: int
) -> None:
    store, name = place
    push_image(store, b"kept")
    absent = f"{name}@sha256:{'0' * 64}", f"{name}@sha256:{'1' * 64}"
    wanted = [
        f"{name}@{push_image(store, content).digest}" if is_there else nowhere
        for content, is_there, nowhere in zip((b"1", b"2"), there, absent, strict=True)
    ]
    ended = wabbit("delete", "--yes", "-o", "json", *wanted)
    results = ended.document["results"]
    assert ended.code == code
    assert [(item["reference"], "error" not in item) for item in results] == list(
        zip(wanted, there, strict=True)
    )
    named = [nowhere.partition("@")[2] in ended.err for nowhere in absent]
    assert named == [nowhere in wanted for nowhere in absent]
    assert [wabbit("tree", reference).code for reference in wanted] == [3, 3]


def test_a_registry_that_refuses_one_of_several_is_named_with_what_helps(wabbit: CommandLine) -> None:
    world = World()
    wabbit.reach(world.registry)
    first, second = (push_image(world.store(), content) for content in (b"1", b"2"))
    world.registry.fail("DELETE", first.digest, status=405)
    name = f"{world.registry.host}/app"
    ended = wabbit("delete", "--yes", f"{name}@{first.digest}", f"{name}@{second.digest}")
    assert (ended.code, ended.out.count("Deleted ")) == (4, 1)
    assert f"Error: {name}: {first.digest}: the registry does not delete manifests" in ended.err
    assert "hint: whoever runs the registry" in ended.err


def test_what_two_of_several_name_is_deleted_once_and_that_is_no_failure(wabbit: CommandLine, place) -> None:
    store, name = place
    image = push_image(store, b"deletable")
    signature = attach_referrer(store, image)
    for tag in ("old", "older"):
        store.tag(image, tag)
    words = (f"{name}:old", f"{name}:older", f"{name}:old", f"{name}@{signature.digest}", "--with-referrers")
    planned = wabbit("delete", "--dry-run", "-o", "json", *words).document["results"]
    ended = wabbit("delete", "--yes", "-o", "json", *words)
    assert (ended.code, ended.err) == (0, "")
    assert planned == ended.document["results"]
    assert [len(item["deleted"]) for item in planned] == [2, 0, 0]


def test_several_tags_go_alone(wabbit: CommandLine, place) -> None:
    store, name = place
    image = push_image(store, b"deletable")
    for tag in ("old", "older"):
        store.tag(image, tag)
    ended = wabbit("delete", "--yes", "--tag-only", f"{name}:old", f"{name}:older")
    assert (ended.code, ended.out.count("Deleted the tag ")) == (0, 2), ended.err
    assert [wabbit("tree", f"{name}{rest}").code for rest in (":old", ":older", f"@{image.digest}")] == [
        3,
        3,
        0,
    ]
