"""What stays behind because somebody objects, what comes with cosign's tags, and what happens on arrival."""

from __future__ import annotations

from nv2.content.memory import MemoryStore
from nv2.copying import Choice, copy
from nv2.oci.descriptor import Descriptor
from nv2.oci.digest import attachment_tags, fallback_tag, is_about_a_digest
from nv2.oci.platforms import Platform
from tests.unit.copying.registries import Pair, push_signed
from tests.unit.copying.stores import Recording, digests
from tests.world.artifacts import SBOM, attach_referrer, push_image, push_index, push_manifest


def test_what_is_objected_to_stays_behind_with_what_belongs_to_it_alone(
    source: MemoryStore, destination: Recording
) -> None:
    image = push_image(source, b"layer")
    good, bad = attach_referrer(source, image, b"good"), attach_referrer(source, image, b"bad")
    upon = attach_referrer(source, bad, b"a signature of the bad one")
    result = copy(
        source, destination, image.digest, "v1", choice=Choice(object_to=lambda _: {bad.digest: "no good"})
    )
    assert set(destination.manifests) == digests(image, good)
    assert set(destination.listed[image.digest]) == digests(good)
    assert {item.descriptor.digest: item.reason for item in result.left} == {
        bad.digest: "no good",
        upon.digest: "belongs to what is left",
    }
    assert b"bad" not in destination.contents.values()


def test_a_part_of_the_artifact_cannot_be_objected_to(source: MemoryStore, destination: Recording) -> None:
    child = push_image(source, b"layer")
    index = push_index(source, [child])
    copy(source, destination, index.digest, "v1", choice=Choice(object_to=lambda _: {child.digest: "no"}))
    assert set(destination.manifests) == digests(index, child)


def test_children_of_an_index_that_refers_stay_behind_with_it(
    source: MemoryStore, destination: Recording
) -> None:
    image = push_image(source, b"layer")
    part = push_image(source, b"a part of what refers")
    refers = push_index(source, [part], subject=image)
    source.attach(image, [refers])
    copy(source, destination, image.digest, "v1", choice=Choice(object_to=lambda _: {refers.digest: "no"}))
    assert set(destination.manifests) == digests(image)


def test_children_of_an_index_that_refers_come_along_with_it(
    source: MemoryStore, destination: Recording
) -> None:
    image = push_image(source, b"layer")
    part = push_image(source, b"a part of what refers")
    refers = push_index(source, [part], subject=image)
    source.attach(image, [refers])
    bad = attach_referrer(source, image, b"bad")
    copy(source, destination, image.digest, "v1", choice=Choice(object_to=lambda _: {bad.digest: "no"}))
    assert set(destination.manifests) == digests(image, refers, part)


def test_what_cosign_attached_is_there_before_the_tag(source: MemoryStore, destination: Recording) -> None:
    image = push_image(source, b"layer")
    names = attachment_tags(image.digest)
    for number, name in enumerate(names):
        source.tag(push_image(source, b"attached %d" % number), name)
    copy(source, destination, image.digest, "v1")
    assert set(destination.tags) == {"v1"}
    copy(source, destination, image.digest, "v2", choice=Choice(digest_tags=source.tag_names()))
    assert set(destination.tags) == {"v1", "v2", *names}
    assert destination.log[-1] == "tag v2"


def test_attachments_of_other_artifacts_are_not_taken_along(
    source: MemoryStore, destination: Recording
) -> None:
    image, other = push_image(source, b"layer"), push_image(source, b"other")
    source.tag(push_image(source, b"attached"), attachment_tags(other.digest)[0])
    copy(source, destination, image.digest, "v1", choice=Choice(digest_tags=source.tag_names()))
    assert set(destination.tags) == {"v1"}


def test_attachments_of_attachments_end_somewhere(source: MemoryStore, destination: Recording) -> None:
    first = last = push_image(source, b"layer")
    for number in range(8):
        attached = push_manifest(source, {"layers": [], "annotations": {"n": str(number)}}, first.media_type)
        source.tag(attached, attachment_tags(last.digest)[0])
        last = attached
    result = copy(source, destination, first.digest, "v1", choice=Choice(digest_tags=source.tag_names()))
    assert len(destination.tags) == 5
    assert ["left out, after 4 levels" in problem for problem in result.problems] == [True]


def test_an_attachment_that_is_named_after_itself_is_copied_once(
    source: MemoryStore, destination: Recording
) -> None:
    image = push_image(source, b"layer")
    source.tag(image, attachment_tags(image.digest)[0])
    result = copy(source, destination, image.digest, "v1", choice=Choice(digest_tags=source.tag_names()))
    assert result.problems == ()
    assert destination.log.count(f"tag {attachment_tags(image.digest)[0]}") == 1


def test_attachments_need_not_be_for_the_platform(source: MemoryStore, destination: Recording) -> None:
    image = push_image(source, config=b'{"os":"linux","architecture":"arm64"}')
    name = attachment_tags(image.digest)[0]
    source.tag(push_image(source, b"attached"), name)
    choice = Choice(platform=Platform("linux", "arm64"), digest_tags=source.tag_names())
    copy(source, destination, image.digest, "v1", choice=choice)
    assert set(destination.tags) == {"v1", name}


def test_attachments_of_signatures_that_the_destination_lists_come_along() -> None:
    pair = Pair()
    push_signed(pair.source(), 1)
    copy(pair.source(), pair.destination(), "v1", "v1")
    [signature] = pair.source().referrers(pair.source().resolve("v1")).descriptors
    name = attachment_tags(signature.digest)[0]
    source = pair.source()
    source.tag(push_image(source, b"attached"), name)
    copy(source, pair.destination(), "v1", "v1", choice=Choice(digest_tags=source.tag_names()))
    assert name in pair.destination().tag_names()


def test_tags_that_stand_for_digests_are_told_from_names() -> None:
    digest = push_image(MemoryStore(), b"layer").digest
    assert all(map(is_about_a_digest, (fallback_tag(digest), *attachment_tags(digest))))
    assert not any(map(is_about_a_digest, ("v1", "sha256-abc", fallback_tag(digest) + "-more")))


def test_on_arrival_all_is_there_but_the_tag(source: MemoryStore, destination: Recording) -> None:
    image = push_image(source, b"layer")
    sbom = attach_referrer(source, image, b"packages", artifact_type=SBOM)
    seen: list[tuple[Descriptor, set[str], set[str]]] = []
    copy(
        source,
        destination,
        image.digest,
        "v1",
        on_arrival=lambda root: seen.append(
            (root, set(destination.listed[image.digest]), set(destination.tags))
        ),
    )
    assert seen == [(image, digests(sbom), set())]
    assert destination.resolve("v1") == image
