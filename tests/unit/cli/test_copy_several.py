"""`copy` of several artifacts, and how much of them is under way at once."""

from __future__ import annotations

import threading
import time

import pytest

from nv2.oci.media_types import IMAGE_INDEX
from nv2.transport.interface import Request, Response
from tests.unit.cli.command_line import CommandLine
from tests.unit.cli.conftest import IMAGE
from tests.unit.cli.test_copy import SIGNATURE, VERIFYING, policy
from tests.unit.cli.two_registries import Two
from tests.world.artifacts import SBOM, attach_referrer, push_image, push_manifest


def test_every_tag_is_copied_but_those_that_list_referrers(wabbit: CommandLine, two: Two) -> None:
    assert any(tag.startswith("sha256-") for tag in two.here.repository("team/app").tags)
    ended = wabbit("copy", "--all-tags", "here.test/team/app", "there.test/other", "-o", "json")
    assert (ended.code, len(ended.document["results"])) == (0, 3), ended.err
    kept = two.there.repository("other").tags
    assert {tag for tag in kept if not tag.startswith("sha256-")} == {"v1.0", "v1.1", "v2.0"}
    assert kept == two.here.repository("team/app").tags  # the lists were made anew, and say the same


def test_tags_are_chosen_by_patterns(wabbit: CommandLine, two: Two) -> None:
    ended = wabbit("copy", "--tags", "v1.*", "here.test/team/app", "there.test/other")
    assert ended.code == 0, ended.err
    assert two.names("other") == {"v1.0", "v1.1"}
    missing = wabbit("copy", "--tags", "nightly-*", "here.test/team/app", "there.test/other")
    assert missing.code == 3
    assert "no tag fits nightly-*" in missing.err
    assert "v1.0, v1.1, v2.0" in missing.err


def test_a_whole_registry_is_copied_each_repository_to_its_own_path(wabbit: CommandLine, two: Two) -> None:
    ended = wabbit("copy", "--all-repositories", "here.test", "there.test/mirror", "-o", "json")
    assert (ended.code, len(ended.document["results"])) == (0, 4), ended.err
    assert set(two.there.repositories) == {"mirror/team/app", "mirror/team/tool"}
    some = wabbit("copy", "--all-repositories", "--tags", "v2.*", "here.test", "there.test/some")
    assert (some.code, set(two.there.repositories) - {"mirror/team/app", "mirror/team/tool"}) == (
        0,
        {"some/team/app"},
    )
    assert "here.test/team/tool: no tag fits v2.*" in some.err


def test_a_whole_registry_of_which_nothing_fits_is_no_success(wabbit: CommandLine, two: Two) -> None:
    ended = wabbit("copy", "--all-repositories", "--tags", "v9.*", "here.test", "there.test/mirror")
    assert ended.code == 3
    assert "here.test: no repository has anything to copy" in ended.err
    assert "here.test/team/tool: no tag fits v9.*" in ended.err


def test_several_sources_go_to_one_repository_or_keep_their_paths(wabbit: CommandLine, two: Two) -> None:
    app, tool = "here.test/team/app:v1.1", "here.test/team/tool:v1.0"
    assert wabbit("copy", app, tool, "there.test/both").code == 0
    assert two.names("both") == {"v1.0", "v1.1"}
    assert wabbit("copy", app, tool, "there.test/mirror/").code == 0
    assert (two.names("mirror/team/app"), two.names("mirror/team/tool")) == ({"v1.1"}, {"v1.0"})
    assert wabbit("copy", app, "there.test/").code == 0
    assert two.names("team/app") == {"v1.1"}


class Busy:
    """Uploads that stay open until `number` of them are, and a moment longer."""

    def __init__(self, registries: Two, number: int) -> None:
        self.registries = registries
        self.number = number
        self.open = self.most = 0
        self.lock = threading.Lock()
        self.enough = threading.Event()

    def __call__(self, request: Request) -> Response:
        if request.method != "POST":
            return self.registries(request)
        with self.lock:
            self.open += 1
            self.most = max(self.most, self.open)
            if self.open >= self.number:
                self.enough.set()
        self.enough.wait(60)
        time.sleep(0.02)
        with self.lock:
            self.open -= 1
        return self.registries(request)


@pytest.mark.parametrize("number", [1, 3])
def test_as_much_is_under_way_at_a_time_as_was_said(wabbit: CommandLine, two: Two, number: int) -> None:
    store = two.store(two.here, "large")
    store.tag(push_image(store, *(b"layer %d" % layer for layer in range(8))), "v1")
    wabbit.reach(busy := Busy(two, number))
    assert wabbit("copy", "--concurrency", str(number), "here.test/large:v1", "there.test/large").code == 0
    assert busy.most == number


def push_several(two: Two, *, tags: int) -> None:
    """Images that share a base, each with layers of its own and a signature, and two tags each."""
    store = two.store(two.here, "several")
    for number in range(tags):
        layers = (b"base", *(b"layer %d of %d" % (layer, number) for layer in range(3)))
        image = push_image(store, *layers, config=b'{"number": %d}' % number)
        attach_referrer(store, image, b"signature %d" % number)
        store.tag(image, f"v{number}")
        store.tag(image, f"v{number}.0")


SEVERAL = ("copy", "--all-tags", "here.test/several", "there.test/several")


@pytest.mark.parametrize("number", [1, 3])
def test_as_much_of_several_is_under_way_at_a_time_as_was_said(
    wabbit: CommandLine, two: Two, number: int
) -> None:
    push_several(two, tags=5)
    wabbit.reach(busy := Busy(two, number))
    ended = wabbit(*SEVERAL, "--concurrency", str(number))
    assert (ended.code, busy.most) == (0, number), ended.err


class Meeting:
    """Requests for tags of the source, which wait for one another until so many have come."""

    def __init__(self, registries: Two, number: int) -> None:
        self.registries = registries
        self.barrier = threading.Barrier(number)
        self.met = 0

    def __call__(self, request: Request) -> Response:
        if "//here.test/v2/several/manifests/v" in request.url:
            self.barrier.wait(20)
            self.met += 1
        return self.registries(request)


def test_several_are_copied_at_once_and_not_one_after_the_other(wabbit: CommandLine, two: Two) -> None:
    push_several(two, tags=2)
    wabbit.reach(meeting := Meeting(two, 4))
    ended = wabbit(*SEVERAL, "--concurrency", "4")
    assert (ended.code, meeting.met) == (0, 4), ended.err


def test_what_several_share_is_sent_once_and_a_second_tag_costs_the_tag(
    wabbit: CommandLine, two: Two
) -> None:
    push_several(two, tags=6)
    ended = wabbit(*SEVERAL, "-o", "json")
    assert ended.code == 0, ended.err
    there = two.there.repository("several")
    assert there.manifests.keys() == two.here.repository("several").manifests.keys()
    assert len(two.there.asked("POST", "/blobs/uploads/")) == len(there.blobs)
    put = [request.url for request in two.there.asked("PUT", "/manifests/sha256:")]
    assert len(put) == len(set(put))
    copied = [item["digest"] for result in ended.document["results"] for item in result["copied"]]
    assert len(copied) == len(set(copied))
    sources = [result["source"] for result in ended.document["results"]]
    again = wabbit(*SEVERAL, "-o", "json").document["results"]
    assert [result["source"] for result in again] == sources
    assert [result["copied"] for result in again] == [[]] * 12


def test_what_has_several_tags_is_signed_once_on_arrival(wabbit: CommandLine, two: Two) -> None:
    push_several(two, tags=3)
    ended = wabbit(*SEVERAL, "--sign-key", "wabbit.key", "-o", "json")
    assert ended.code == 0, ended.err
    made = [result["signature"] for result in ended.document["results"] if result["signature"]]
    assert len(made) == 3
    store = two.store(two.there, "several")
    for number in range(3):
        listed = store.referrers(store.resolve(f"v{number}")).descriptors
        assert (
            sum(
                item.artifact_type == SIGNATURE
                and "io.cncf.notary.x509chain.thumbprint#S256" in item.annotations
                for item in listed
            )
            == 1
        )


def test_what_comes_from_two_sources_is_signed_once_on_arrival(wabbit: CommandLine, two: Two) -> None:
    for name in ("one", "other"):
        store = two.store(two.here, name)
        store.tag(push_image(store, b"same"), name)
    words = ("here.test/one:one", "here.test/other:other", "there.test/both", "-o", "json")
    ended = wabbit("copy", "--sign-key", "wabbit.key", *words)
    assert ended.code == 0, ended.err
    assert [bool(result["signature"]) for result in ended.document["results"]].count(True) == 1


def test_what_two_indexes_have_in_common_is_signed_once_on_arrival(wabbit: CommandLine, two: Two) -> None:
    store = two.store(two.here, "several")
    image = push_image(store, b"layer").to_json() | {"platform": {"os": "linux", "architecture": "amd64"}}
    for number in range(2):
        index = {"manifests": [image], "annotations": {"number": str(number)}}
        store.tag(push_manifest(store, index, IMAGE_INDEX), f"v{number}")
    ended = wabbit(*SEVERAL, "--platform", "linux/amd64", "--sign-key", "wabbit.key", "-o", "json")
    assert ended.code == 0, ended.err
    assert [bool(result["signature"]) for result in ended.document["results"]].count(True) == 1


def test_a_signature_that_is_a_layer_of_something_else_arrives_as_a_signature_too(
    wabbit: CommandLine, two: Two
) -> None:
    push_several(two, tags=2)
    store = two.store(two.here, "several")
    for tag in ("v0", "v1"):
        image = store.resolve(tag)
        (signature,) = store.referrers(image).descriptors
        attach_referrer(store, image, store.fetch(signature, signature.size), artifact_type=SBOM)
    ended = wabbit(*SEVERAL)
    assert ended.code == 0, ended.err
    there = two.there.repository("several")
    assert there.manifests.keys() == two.here.repository("several").manifests.keys()


class Late:
    """The first of several comes last: its tag is not given out before the last one was written."""

    def __init__(self, registries: Two, last: str) -> None:
        self.registries = registries
        self.last = last
        self.written = threading.Event()

    def __call__(self, request: Request) -> Response:
        if request.method == "GET" and request.url.endswith("//here.test/v2/several/manifests/v0"):
            assert self.written.wait(20)
        found = self.registries(request)
        if request.method == "PUT" and request.url.endswith(f"/several/manifests/{self.last}"):
            self.written.set()
        return found


def test_of_several_is_said_what_became_of_them_in_the_order_in_which_they_were_named(
    wabbit: CommandLine, two: Two
) -> None:
    push_several(two, tags=3)
    wabbit.reach(Late(two, "v2"))
    names = [f"here.test/several:{tag}" for tag in ("v0", "absent", "v1", "v2")]
    ended = wabbit("copy", *names, "there.test/several")
    assert ended.code == 4
    said = [line.rpartition(" ")[2] for line in ended.out.splitlines() if line.startswith("Copied ")]
    assert said == [f"there.test/several:{tag}" for tag in ("v0", "v1", "v2")]
    assert "source here.test/several: no such tag absent" in ended.err


class Watched:
    """Whoever writes a tag finds the signature of the image there."""

    def __init__(self, two: Two) -> None:
        self.two = two
        self.seen: dict[str, int] = {}

    def __call__(self, request: Request) -> Response:
        name = request.url.rpartition("/")[2]
        if request.method == "PUT" and "//there.test/" in request.url and name.startswith("v"):
            source = self.two.store(self.two.here, "several").resolve(name)
            there = self.two.store(self.two.there, "several")
            self.seen[name] = len(there.referrers(source).descriptors)
        return self.two(request)


def test_no_tag_of_several_is_there_before_its_signatures(wabbit: CommandLine, two: Two) -> None:
    push_several(two, tags=4)
    wabbit.reach(watched := Watched(two))
    assert wabbit(*SEVERAL).code == 0
    assert watched.seen == dict.fromkeys((f"v{n}{end}" for n in range(4) for end in ("", ".0")), 1)


def test_several_into_a_layout_of_either_kind_and_a_rehearsal_are_complete(
    wabbit: CommandLine, two: Two
) -> None:
    push_several(two, tags=4)
    for name in ("kept", "kept.tar"):
        planned = wabbit(*SEVERAL[:-1], f"layout:{name}", "--dry-run", "-o", "json")
        assert (planned.code, len(planned.document["results"])) == (0, 8)
        ended = wabbit(*SEVERAL[:-1], f"layout:{name}")
        assert ended.code == 0, ended.err
        back = wabbit("copy", "--all-tags", f"layout:{name}", f"there.test/{name.replace('.', '-')}")
        assert back.code == 0, back.err
        kept = two.there.repository(name.replace(".", "-"))
        assert kept.manifests.keys() == two.here.repository("several").manifests.keys()
        assert kept.tags.keys() >= {f"v{n}.0" for n in range(4)}


def test_what_is_verified_of_several_is_said_before_what_was_copied(wabbit: CommandLine, two: Two) -> None:
    policy(wabbit)
    for tag in ("v2", "v3"):
        wabbit("copy", IMAGE, f"here.test/signed:{tag}")
    wabbit("sign", "-k", "wabbit.key", "here.test/signed:v2")
    ended = wabbit(*VERIFYING, "--all-tags", "here.test/signed", "there.test/signed")
    assert ended.code == 0, ended.err
    starts = [line.split()[0] for line in ended.out.splitlines() if line[0] in "SC"]
    assert starts == ["Successfully", "Copied", "Successfully", "Copied"]


def test_two_sources_for_one_name_are_refused_before_anything_is_written(
    wabbit: CommandLine, two: Two
) -> None:
    ended = wabbit("copy", "here.test/team/app:v1.0", "here.test/team/tool:v1.0", "there.test/both")
    assert ended.code == 2
    assert "would both become there.test/both:v1.0" in ended.err
    assert two.there.requests == []


def test_some_of_several_that_fail_do_not_end_it_and_the_exit_code_says_partly(
    wabbit: CommandLine, two: Two
) -> None:
    app = "here.test/team/app"
    ended = wabbit("copy", f"{app}:v1.0", f"{app}:absent", f"{app}:v2.0", "there.test/other", "-o", "json")
    assert ended.code == 4
    assert ["error" in item for item in ended.document["results"]] == [False, True, False]
    assert two.names("other") == {"v1.0", "v2.0"}
    none = wabbit("copy", f"{app}:absent", f"{app}:lost", "there.test/none")
    assert none.code == 3


def test_all_tags_go_into_a_layout_and_back(wabbit: CommandLine, two: Two) -> None:
    assert wabbit("copy", "--all-tags", "here.test/team/app", "layout:kept").code == 0
    assert wabbit("copy", "--all-tags", "layout:kept", "there.test/back").code == 0
    assert two.there.repository("back").manifests.keys() == two.here.repository("team/app").manifests.keys()
