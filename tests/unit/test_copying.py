from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO, TypeVar

import pytest

from nv2.content.interface import Opener, Referrers, opener
from nv2.content.layout.store import LayoutStore
from nv2.content.memory import MemoryStore
from nv2.copying import CopyEvent, Outcome, copy
from nv2.errors import (
    ArtifactError,
    BadAnswer,
    ContentMismatch,
    MalformedManifest,
    NotFound,
    Refused,
    Unreachable,
)
from nv2.oci import media_types as mt
from nv2.oci.descriptor import Descriptor, describe
from nv2.oci.digest import Digest
from tests.world.artifacts import (
    CONFIG,
    SBOM,
    attach_referrer,
    push_blob,
    push_image,
    push_index,
    push_manifest,
    push_referrer,
    thread_lock,
)

T = TypeVar("T")

ABSENT = Digest("sha256:" + "0" * 64)


class Recording(MemoryStore):
    """Keeps a log of what was written, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.log: list[str] = []

    def push(self, descriptor: Descriptor, source: Opener) -> None:
        super().push(descriptor, source)
        self.log.append(descriptor.digest)

    def attach(self, subject: Descriptor, manifests: Sequence[Descriptor]) -> None:
        super().attach(subject, manifests)
        self.log.append(f"attach {subject.digest}")

    def tag(self, descriptor: Descriptor, tag: str) -> None:
        super().tag(descriptor, tag)
        self.log.append(f"tag {tag}")


class Mounting(MemoryStore):
    """Can take blobs from `origin`."""

    def __init__(self, origin: MemoryStore) -> None:
        super().__init__()
        self.origin = origin

    def mount(self, descriptor: Descriptor, source: object) -> bool:
        if source is self.origin:
            self.contents[descriptor.digest] = self.origin.contents[descriptor.digest]
        return source is self.origin


@pytest.fixture
def source() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def destination() -> Recording:
    return Recording()


def digests(*descriptors: Descriptor) -> set[str]:
    return {descriptor.digest for descriptor in descriptors}


def everything(store: MemoryStore) -> tuple[object, ...]:
    return store.contents, set(store.manifests), store.tags, store.listed


# What is copied


def test_an_image_is_copied_with_its_parts_and_tagged(source: MemoryStore, destination: Recording) -> None:
    image = push_image(source, b"one", b"two")
    source.tag(image, "v1")
    result = copy(source, destination, "v1", "stable")
    assert destination.resolve("stable") == result.root == image
    assert destination.contents == source.contents
    assert len(result.copied) == 4
    assert result.bytes_sent == sum(len(data) for data in source.contents.values())
    assert (result.mounted, result.skipped, result.left, result.problems) == ((), (), (), ())


def test_without_a_tag_it_is_copied_by_digest(source: MemoryStore, destination: Recording) -> None:
    image = push_image(source, b"layer")
    copy(source, destination, image.digest, None)
    assert destination.resolve(image.digest) == image
    assert destination.tags == {}


def test_an_absent_artifact_is_not_found(source: MemoryStore, destination: Recording) -> None:
    with pytest.raises(NotFound):
        copy(source, destination, "v1", "v1")
    assert destination.log == []


@pytest.mark.parametrize("media_type", [mt.IMAGE_INDEX, mt.DOCKER_MANIFEST_LIST])
def test_indexes_are_copied_with_all_that_is_in_them(
    source: MemoryStore, destination: Recording, media_type: str
) -> None:
    inner = push_index(source, [push_image(source, b"amd64"), push_image(source, b"arm64")])
    docker = push_image(source, b"ppc64", media_type=mt.DOCKER_MANIFEST)
    source.tag(push_index(source, [inner, docker], media_type=media_type), "v1")
    copy(source, destination, "v1", "v1")
    assert everything(destination) == everything(source)


def test_signatures_of_every_part_are_copied(source: MemoryStore, destination: Recording) -> None:
    child = push_image(source, b"amd64")
    inner = push_index(source, [child])
    index = push_index(source, [inner])
    source.tag(index, "v1")
    for subject in (child, inner, index):
        sbom = attach_referrer(source, subject, b"packages", artifact_type=SBOM)
        attach_referrer(source, attach_referrer(source, sbom))
    copy(source, destination, "v1", "v1")
    assert everything(destination) == everything(source)


def test_a_referrer_that_is_an_index_is_copied_with_its_children_and_their_referrers(
    source: MemoryStore, destination: Recording
) -> None:
    image = push_image(source, b"layer")
    part = push_image(source, b"attestation")
    bundle = push_index(source, [part], subject=image, artifactType="application/bundle")
    source.attach(image, [bundle._replace(artifact_type="application/bundle")])
    attach_referrer(source, part)
    copy(source, destination, image.digest, None)
    assert everything(destination) == everything(source)


def test_a_child_that_refers_to_another_is_both(source: MemoryStore, destination: Recording) -> None:
    image = push_image(source, b"layer")
    sbom = push_referrer(source, image, b"packages", SBOM)
    index = push_index(source, [Descriptor(*sbom[:3]), image])
    copy(source, destination, index.digest, None)
    assert destination.referrers(image).descriptors == (sbom,)


def test_the_list_of_referrers_says_what_the_manifest_says(
    source: MemoryStore, destination: Recording
) -> None:
    image = push_image(source, b"layer")
    signature = push_referrer(source, image, annotations={"who": "wabbit"})
    source.attach(image, [Descriptor(*signature[:3], artifact_type=mt.EMPTY)])
    copy(source, destination, image.digest, None)
    assert destination.referrers(image).descriptors == (signature,)


def test_what_an_index_holds_besides_manifests_is_copied_as_blobs(
    source: MemoryStore, destination: Recording
) -> None:
    blob = push_blob(source, b"{}", "application/vnd.example.unknown+json")
    index = push_index(source, [blob])
    copy(source, destination, index.digest, None)
    assert destination.fetch(blob, 10) == b"{}"


def test_foreign_layers_are_left_and_reported(source: MemoryStore, destination: Recording) -> None:
    foreign = describe(b"windows", "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip")
    config = push_blob(source, b"{}", CONFIG)
    image = push_manifest(
        source, {"config": config.to_json(), "layers": [foreign.to_json()]}, mt.DOCKER_MANIFEST
    )
    result = copy(source, destination, image.digest, None)
    assert result.left == (foreign,)
    assert destination.resolve(image.digest) == image


def test_the_subject_of_what_is_copied_is_left_and_reported(
    source: MemoryStore, destination: Recording
) -> None:
    image = push_image(source, b"layer")
    signature = attach_referrer(source, image)
    result = copy(source, destination, signature.digest, None)
    assert digests(*result.left) == {image.digest}
    assert not destination.exists(image)
    assert destination.referrers(image).descriptors == (signature,)


def test_a_copied_referrer_stands_in_the_index_of_a_layout(source: MemoryStore, tmp_path: Path) -> None:
    image = push_image(source, b"layer")
    signature = attach_referrer(source, image)
    layout = LayoutStore(tmp_path, create=True, lock=thread_lock())
    copy(source, layout, signature.digest, None)
    copy(source, layout, image.digest, "v1")
    assert layout.referrers(image).descriptors == (signature,)


def test_copies_go_to_a_layout_and_back(source: MemoryStore, destination: Recording, tmp_path: Path) -> None:
    index = push_index(source, [push_image(source, b"amd64"), push_image(source, b"arm64")])
    source.tag(index, "v1")
    attach_referrer(source, attach_referrer(source, index, b"packages", artifact_type=SBOM))
    layout = LayoutStore(tmp_path, create=True, lock=thread_lock())
    copy(source, layout, "v1", "v1")
    copy(layout, destination, "v1", "v1")
    assert everything(destination) == everything(source)


# In which order


def test_nothing_is_visible_before_what_it_needs_and_the_tag_comes_last(
    source: MemoryStore, destination: Recording
) -> None:
    child = push_image(source, b"amd64")
    index = push_index(source, [child])
    source.tag(index, "v1")
    sbom = attach_referrer(source, index, b"packages", artifact_type=SBOM)
    signature = attach_referrer(source, sbom)
    copy(source, destination, "v1", "v1")
    at = {entry: position for position, entry in enumerate(destination.log)}
    blobs = [at[digest] for digest in source.contents if digest not in source.manifests]
    order = [child.digest, index.digest, sbom.digest, signature.digest, f"attach {index.digest}", "tag v1"]
    assert [*sorted(blobs), *(at[entry] for entry in order)] == sorted(
        [*blobs, *(at[entry] for entry in order)]
    )
    assert destination.log[-1] == "tag v1"


def test_the_referrers_of_one_subject_are_listed_in_one_write(
    source: MemoryStore, destination: Recording
) -> None:
    image = push_image(source, b"layer")
    for number in range(5):
        attach_referrer(source, image, b"%d" % number)
    copy(source, destination, image.digest, None)
    assert destination.log.count(f"attach {image.digest}") == 1
    assert len(destination.referrers(image).descriptors) == 5


def test_jobs_may_be_done_by_threads(source: MemoryStore, tmp_path: Path) -> None:
    index = push_index(source, [push_image(source, b"%d" % number) for number in range(8)])
    for number in range(30):
        attach_referrer(source, index, b"signature %d" % number)
    layout = LayoutStore(tmp_path, create=True, lock=thread_lock())
    with ThreadPoolExecutor(4) as pool:

        def execute(jobs: Sequence[Callable[[], T]]) -> Iterator[T]:
            return pool.map(lambda job: job(), jobs)

        copy(source, layout, index.digest, "v1", execute=execute)
    assert digests(*layout.referrers(index).descriptors) == digests(*source.referrers(index).descriptors)


def test_every_piece_is_told_as_it_is_done(source: MemoryStore, destination: Recording) -> None:
    image = push_image(source, b"layer")
    attach_referrer(source, image)
    push_blob(destination, b"layer")
    events: list[CopyEvent] = []
    result = copy(source, destination, image.digest, None, progress=events.append)
    assert [event.done for event in events] == list(range(1, len(events) + 1))
    assert {event.total for event in events} == {len(events)}
    told = {outcome: [e.descriptor for e in events if e.outcome is outcome] for outcome in Outcome}
    assert told[Outcome.COPIED] == list(result.copied)
    assert told[Outcome.SKIPPED] == list(result.skipped)


# What is there already


def test_a_second_copy_sends_nothing(source: MemoryStore, destination: Recording) -> None:
    image = push_image(source, b"layer")
    attach_referrer(source, image)
    first = copy(source, destination, image.digest, "v1")
    second = copy(source, destination, image.digest, "v1")
    assert (second.copied, second.bytes_sent) == ((), 0)
    assert digests(*second.skipped) == digests(*first.copied)


def test_a_manifest_that_is_there_does_not_hide_that_its_parts_are_not(
    source: MemoryStore, destination: Recording
) -> None:
    child = push_image(source, b"layer")
    index = push_index(source, [child])
    for manifest in (index, child):
        destination.push(manifest, opener(source.fetch(manifest, 1000)))
    result = copy(source, destination, index.digest, "v1")
    assert destination.contents == source.contents
    assert digests(*result.skipped) == digests(index, child)


def test_a_referrer_that_is_there_but_not_listed_is_listed(
    source: MemoryStore, destination: Recording
) -> None:
    image = push_image(source, b"layer")
    signature = attach_referrer(source, image)
    copy(source, destination, image.digest, None)
    destination.listed.clear()
    copy(source, destination, image.digest, None)
    assert destination.referrers(image).descriptors == (signature,)


def test_new_signatures_join_those_that_are_there(source: MemoryStore, destination: Recording) -> None:
    image = push_image(source, b"layer")
    copy(source, destination, image.digest, None)
    theirs = attach_referrer(destination, image, b"theirs")
    ours = attach_referrer(source, image, b"ours")
    copy(source, destination, image.digest, None)
    assert destination.referrers(image).descriptors == (theirs, ours)


def test_blobs_are_mounted_where_that_is_possible(source: MemoryStore) -> None:
    image = push_image(source, b"layer")
    result = copy(source, mounting := Mounting(source), image.digest, None)
    assert (len(result.mounted), digests(*result.copied)) == (2, {image.digest})
    assert mounting.contents == source.contents


def test_blobs_are_sent_where_they_cannot_be_mounted(source: MemoryStore) -> None:
    image = push_image(source, b"layer")
    result = copy(source, Mounting(MemoryStore()), image.digest, None)
    assert (result.mounted, len(result.copied)) == ((), 3)


# What is not whole


def spoil(store: MemoryStore, descriptor: Descriptor, how: str) -> None:
    if how == "gone":
        del store.contents[descriptor.digest]
        store.manifests.pop(descriptor.digest, None)
    else:
        store.contents[descriptor.digest] = b"x" * descriptor.size


@pytest.mark.parametrize("how", ["gone", "changed"])
@pytest.mark.parametrize("part", ["child", "layer"])
def test_an_artifact_that_is_not_whole_is_not_tagged(
    source: MemoryStore, destination: Recording, part: str, how: str
) -> None:
    child = push_image(source, b"layer")
    index = push_index(source, [child])
    spoil(source, {"child": child, "layer": describe(b"layer", mt.OCTET_STREAM)}[part], how)
    with pytest.raises((NotFound, ContentMismatch)):
        copy(source, destination, index.digest, "v1")
    assert destination.tags == {}
    assert destination.manifests == {}


@pytest.mark.parametrize("how", ["gone", "changed"])
@pytest.mark.parametrize("part", ["manifest", "layer"])
def test_a_referrer_that_is_not_whole_is_a_problem_and_hides_no_other(
    source: MemoryStore, destination: Recording, part: str, how: str
) -> None:
    image = push_image(source, b"layer")
    good, bad = attach_referrer(source, image, b"good"), attach_referrer(source, image, b"bad")
    upon = attach_referrer(source, bad, b"upon it")
    spoil(source, {"manifest": bad, "layer": describe(b"bad", mt.JWS)}[part], how)
    result = copy(source, destination, image.digest, "v1")
    assert destination.resolve("v1") == image
    assert destination.referrers(image).descriptors == (good,)
    assert not destination.exists(bad)
    assert not destination.exists(upon)
    assert any(problem.startswith(bad.digest) for problem in result.problems)


def test_a_bundle_without_one_of_its_children_is_a_problem(
    source: MemoryStore, destination: Recording
) -> None:
    image = push_image(source, b"layer")
    part = push_image(source, b"attestation")
    bundle = push_index(source, [part, push_image(source, b"other")], subject=image)
    source.attach(image, [bundle])
    spoil(source, part, "gone")
    result = copy(source, destination, image.digest, "v1")
    assert not destination.exists(bundle)
    assert destination.referrers(image).descriptors == ()
    assert any(bundle.digest in problem for problem in result.problems)


def test_a_referrer_of_something_else_is_dropped_with_a_problem(
    source: MemoryStore, destination: Recording
) -> None:
    image, other = push_image(source, b"layer"), push_image(source, b"other")
    stray = push_referrer(source, other)
    source.attach(image, [stray])
    result = copy(source, destination, image.digest, None)
    assert not destination.exists(stray)
    assert [stray.digest in problem for problem in result.problems] == [True]


def test_an_index_that_is_its_own_list_of_referrers_is_not_followed(
    source: MemoryStore, destination: Recording
) -> None:
    child = push_image(source, b"layer")
    index = push_index(source, [child])
    source.attach(index, [child, index])
    result = copy(source, destination, index.digest, None)
    assert result.problems == ()
    assert destination.listed == {}


def test_a_referrer_that_lies_about_a_blob_spoils_nothing_but_itself(
    source: MemoryStore, destination: Recording
) -> None:
    image = push_image(source, b"layer")
    for size, media_type in ((99, mt.OCTET_STREAM), (5, next(iter(mt.FOREIGN_LAYERS)))):
        lie = describe(b"layer", media_type)._replace(size=size)
        stray = push_manifest(
            source, {"layers": [lie.to_json()], "subject": image.to_json()}, mt.IMAGE_MANIFEST
        )
        source.attach(image, [stray])
    result = copy(source, destination, image.digest, "v1")
    assert destination.fetch(describe(b"layer", mt.OCTET_STREAM), 5) == b"layer"
    assert destination.resolve("v1") == result.root == image


def test_a_bad_descriptor_of_a_good_referrer_does_not_stand_in_its_way(
    source: MemoryStore, destination: Recording
) -> None:
    image = push_image(source, b"layer")
    good = push_referrer(source, image, b"good")
    bundle = push_index(source, [Descriptor(*good[:2], size=good.size + 1)], subject=image)
    source.attach(image, [good, bundle])
    copy(source, destination, image.digest, None)
    assert good in destination.referrers(image).descriptors


def test_what_the_source_says_of_its_listing_is_passed_on(
    source: MemoryStore, destination: Recording
) -> None:
    class Partial(MemoryStore):
        def referrers(self, subject: Descriptor, artifact_type: str | None = None) -> Referrers:
            return Referrers((), complete=False, problems=("something was odd",))

    partial = Partial()
    image = push_image(partial, b"layer")
    result = copy(partial, destination, image.digest, None)
    assert result.problems == (
        "something was odd",
        f"{image.digest}: the list of its referrers is incomplete",
    )


def test_a_source_that_cannot_answer_is_an_error_and_not_a_problem(
    source: MemoryStore, destination: Recording
) -> None:
    class Down(MemoryStore):
        def open(self, descriptor: Descriptor) -> BinaryIO:
            raise Unreachable("no route")

    down = Down()
    image = push_image(down, b"layer")
    attach_referrer(down, image)
    with pytest.raises(Unreachable):
        copy(down, destination, image.digest, "v1")
    assert destination.tags == {}


@pytest.mark.parametrize("refusal", [Refused("no"), NotFound("no repository"), BadAnswer("server error")])
def test_a_destination_that_refuses_is_an_error_and_nothing_is_tagged(
    source: MemoryStore, refusal: Exception
) -> None:
    class Closed(Recording):
        def push(self, descriptor: Descriptor, source: Opener) -> None:
            if descriptor.media_type == mt.JWS:
                raise refusal
            super().push(descriptor, source)

    image = push_image(source, b"layer")
    attach_referrer(source, image)
    with pytest.raises(type(refusal)):
        copy(source, closed := Closed(), image.digest, "v1")
    assert closed.tags == {}


# Limits


def test_an_artifact_of_too_many_manifests_is_refused(
    source: MemoryStore, destination: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nv2.closure.MAX_MANIFESTS", 3)
    index = push_index(source, [push_image(source, b"%d" % number) for number in range(3)])
    with pytest.raises(ArtifactError, match="more than 3 manifests"):
        copy(source, destination, index.digest, "v1")


def test_too_many_referrers_are_a_problem(
    source: MemoryStore, destination: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = push_image(source, b"layer")
    for number in range(4):
        attach_referrer(source, image, b"%d" % number)
    monkeypatch.setattr("nv2.closure.MAX_MANIFESTS", 3)
    result = copy(source, destination, image.digest, "v1")
    assert len(destination.referrers(image).descriptors) == 2
    assert len(result.problems) == 1


def test_manifests_take_a_bounded_amount_of_memory(
    source: MemoryStore, destination: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = push_index(source, [push_image(source, b"one"), push_image(source, b"two")])
    monkeypatch.setattr("nv2.closure.MAX_TOTAL", index.size + 100)
    with pytest.raises(ArtifactError, match="bytes of them"):
        copy(source, destination, index.digest, "v1")


def test_a_manifest_that_is_too_large_is_refused(source: MemoryStore, destination: Recording) -> None:
    huge = Descriptor(mt.IMAGE_MANIFEST, ABSENT, 1 << 40)
    index = push_index(source, [huge])
    with pytest.raises(MalformedManifest, match="more than 4194304 bytes"):
        copy(source, destination, index.digest, "v1")


@pytest.mark.parametrize(("levels", "copied"), [(8, True), (9, False)])
def test_indexes_are_followed_to_a_depth(
    source: MemoryStore, destination: Recording, levels: int, copied: bool
) -> None:
    manifest = push_image(source, b"layer")
    for _ in range(levels - 1):
        manifest = push_index(source, [manifest])
    if copied:
        copy(source, destination, manifest.digest, None)
        assert destination.contents == source.contents
    else:
        with pytest.raises(ArtifactError, match="nested deeper than 8"):
            copy(source, destination, manifest.digest, None)


@pytest.mark.parametrize(("rounds", "problems"), [(7, 0), (8, 1)])
def test_referrers_of_referrers_are_followed_to_a_depth(
    source: MemoryStore, destination: Recording, rounds: int, problems: int
) -> None:
    image = subject = push_image(source, b"layer")
    for number in range(rounds):
        subject = attach_referrer(source, subject, b"%d" % number)
    result = copy(source, destination, image.digest, None)
    assert len(result.problems) == problems
    assert destination.exists(subject)
