"""One image of an index is copied in place of the index."""

from __future__ import annotations

import json

import pytest

from nv2.content.interface import Opener
from nv2.content.memory import MemoryStore
from nv2.copying import Choice, copy
from nv2.errors import ArtifactError, BadAnswer, NotFound, UsageError
from nv2.oci import media_types as mt
from nv2.oci.descriptor import Descriptor
from nv2.oci.platforms import Platform, parse_platform
from tests.unit.copying.stores import Recording, digests
from tests.world.artifacts import attach_referrer, push_image, push_manifest

ARM = Choice(platform=Platform("linux", "arm64"))


def push_platforms(store: MemoryStore, *platforms: Platform) -> tuple[Descriptor, list[Descriptor]]:
    """An index with an image for each of `platforms`."""
    images = [push_image(store, str(platform).encode()) for platform in platforms]
    entries = [
        {
            **image.to_json(),
            "platform": {"os": item.system, "architecture": item.architecture, "variant": item.variant or ""},
        }
        for image, item in zip(images, platforms, strict=True)
    ]
    return push_manifest(store, {"manifests": entries}, mt.IMAGE_INDEX), images


def test_the_image_of_the_platform_comes_with_its_signatures_and_the_signatures_of_the_index_are_left_by_name(
    source: MemoryStore, destination: Recording
) -> None:
    index, (amd, arm) = push_platforms(source, Platform("linux", "amd64"), Platform("linux", "arm64", "v8"))
    of_index, of_arm = (
        attach_referrer(source, index, b"of the index"),
        attach_referrer(source, arm, b"of arm"),
    )
    attach_referrer(source, amd, b"of amd")
    result = copy(source, destination, index.digest, "v1", choice=ARM)
    assert result.root == arm
    assert destination.resolve("v1") == arm
    assert set(destination.manifests) == digests(arm, of_arm)
    assert {item.descriptor.digest: item.reason for item in result.left} == {
        index.digest: "has other platforms, too",
        of_index.digest: "refers to the index, of which one platform was copied",
    }


def test_a_platform_that_the_index_does_not_have_is_an_error_that_names_those_it_has(
    source: MemoryStore, destination: Recording
) -> None:
    index, _ = push_platforms(source, Platform("linux", "amd64"), Platform("windows", "amd64"))
    with pytest.raises(NotFound, match="no image for linux/arm64") as e:
        copy(source, destination, index.digest, "v1", choice=ARM)
    assert "linux/amd64, windows/amd64" in (e.value.hint or "")
    assert destination.log == []


TWO = Choice(platforms=(Platform("linux", "amd64"), Platform("linux", "arm64")))
THREE = (Platform("linux", "amd64"), Platform("linux", "arm64", "v8"), Platform("windows", "amd64"))


def test_with_several_platforms_the_index_comes_with_its_signatures_and_without_the_other_images(
    source: MemoryStore, destination: Recording
) -> None:
    index, (amd, arm, windows) = push_platforms(source, *THREE)
    of_index, of_arm, of_windows = (
        attach_referrer(source, it, it.digest.encode()) for it in (index, arm, windows)
    )
    result = copy(source, destination, index.digest, "v1", choice=TWO)
    assert (result.root, destination.resolve("v1")) == (index, index)
    assert set(destination.manifests) == digests(index, amd, arm, of_index, of_arm)
    assert destination.referrers(index).descriptors
    assert {item.descriptor.digest: item.reason for item in result.left} == {
        windows.digest: "of a platform that was not asked for",
        of_windows.digest: "refers to what is of a platform that was not asked for",
    }


def test_a_whole_copy_brings_the_images_that_several_platforms_left(
    source: MemoryStore, destination: Recording
) -> None:
    index, images = push_platforms(source, *THREE)
    copy(source, destination, index.digest, "v1", choice=TWO)
    assert images[2].digest not in destination.manifests
    copy(source, destination, index.digest, "v1")
    assert set(destination.manifests) == digests(index, *images)


def test_without_referrers_nobody_asks_what_refers_to_the_images_that_are_left(
    source: MemoryStore, destination: Recording
) -> None:
    index, images = push_platforms(source, *THREE)
    attach_referrer(source, images[2], b"of windows")
    result = copy(source, destination, index.digest, "v1", choice=TWO._replace(referrer_types=frozenset()))
    assert [item.descriptor for item in result.left] == [images[2]]


def test_what_says_something_of_an_image_goes_with_the_image(
    source: MemoryStore, destination: Recording
) -> None:
    images = [push_image(source, str(platform).encode()) for platform in THREE]
    proofs = [push_image(source, b"provenance " + image.digest.encode()) for image in images]
    entries = [
        {**image.to_json(), "platform": {"os": platform.system, "architecture": platform.architecture}}
        for image, platform in zip(images, THREE, strict=True)
    ] + [
        {
            **proof.to_json(),
            "platform": {"os": "unknown", "architecture": "unknown"},
            "annotations": {"vnd.docker.reference.digest": image.digest},
        }
        for proof, image in zip(proofs, images, strict=True)
    ]
    index = push_manifest(source, {"manifests": entries}, mt.IMAGE_INDEX)
    result = copy(source, destination, index.digest, "v1", choice=TWO)
    assert set(destination.manifests) == digests(index, *images[:2], *proofs[:2])
    assert digests(*(item.descriptor for item in result.left)) == digests(images[2], proofs[2])


@pytest.mark.parametrize("absent", ["linux/s390x", "linux/amd64/v9"])
def test_each_of_several_platforms_must_be_there(
    source: MemoryStore, destination: Recording, absent: str
) -> None:
    index, _ = push_platforms(source, *THREE)
    choice = Choice(platforms=(Platform("linux", "amd64"), parse_platform(absent)))
    with pytest.raises(NotFound, match=f"no image for {absent}"):
        copy(source, destination, index.digest, "v1", choice=choice)
    assert destination.log == []


@pytest.mark.parametrize(("architecture", "fits"), [("arm64", True), ("s390x", False)])
def test_an_image_that_is_in_no_index_must_be_of_one_of_several_platforms(
    source: MemoryStore, destination: Recording, architecture: str, fits: bool
) -> None:
    config = json.dumps({"os": "linux", "architecture": architecture}).encode()
    image = push_image(source, b"layer", config=config)
    if fits:
        assert copy(source, destination, image.digest, "v1", choice=TWO).root == image
        return
    with pytest.raises(NotFound, match="no image for linux/amd64 or linux/arm64"):
        copy(source, destination, image.digest, "v1", choice=TWO)


class Strict(Recording):
    """Takes no index whose images it does not have."""

    def push(self, descriptor: Descriptor, source: Opener) -> None:
        with source() as stream:
            document = json.loads(stream.read()) if descriptor.media_type == mt.IMAGE_INDEX else {}
        if any(item["digest"] not in self.manifests for item in document.get("manifests", ())):
            raise BadAnswer("MANIFEST_BLOB_UNKNOWN: manifest blob unknown to registry")
        super().push(descriptor, source)


def test_a_destination_that_wants_all_images_of_an_index_is_told_apart_and_gets_no_tag(
    source: MemoryStore,
) -> None:
    index, _ = push_platforms(source, *THREE)
    strict = Strict()
    with pytest.raises(BadAnswer, match="manifest blob unknown") as e:
        copy(source, strict, index.digest, "v1", choice=TWO)
    assert "wants all images of an index" in (e.value.hint or "")
    assert (e.value.side, e.value.about, strict.tags) == ("destination", index.digest, {})
    copy(source, strict, index.digest, "v1")
    assert strict.resolve("v1") == index


def test_two_images_for_what_was_asked_are_an_error(source: MemoryStore, destination: Recording) -> None:
    index, images = push_platforms(source, Platform("linux", "arm", "v6"), Platform("linux", "arm", "v7"))
    with pytest.raises(ArtifactError, match="several images for linux/arm: linux/arm/v6, linux/arm/v7"):
        copy(source, destination, index.digest, "v1", choice=Choice(platform=Platform("linux", "arm")))
    copy(source, destination, index.digest, "v1", choice=Choice(platform=Platform("linux", "arm", "v7")))
    assert destination.resolve("v1") == images[1]


@pytest.mark.parametrize(("architecture", "fits"), [("arm64", True), ("amd64", False)])
def test_an_image_that_is_in_no_index_must_be_of_the_platform(
    source: MemoryStore, destination: Recording, architecture: str, fits: bool
) -> None:
    config = json.dumps({"os": "linux", "architecture": architecture}).encode()
    image = push_image(source, b"layer", config=config)
    if fits:
        assert copy(source, destination, image.digest, "v1", choice=ARM).root == image
        return
    with pytest.raises(NotFound, match="no image for linux/arm64"):
        copy(source, destination, image.digest, "v1", choice=ARM)


@pytest.mark.parametrize(
    ("has", "asked", "fits"),
    [
        ("linux/arm64", "linux/arm64/v8", True),
        ("linux/arm64/v8", "linux/arm64", True),
        ("linux/arm/v7", "linux/arm", True),
        ("linux/arm/v7", "linux/arm/v6", False),
        ("linux/arm", "linux/arm/v6", False),
        ("linux/amd64", "windows/amd64", False),
    ],
)
def test_a_platform_fits_what_was_asked_if_it_is_no_other(has: str, asked: str, fits: bool) -> None:
    assert parse_platform(has).fits(parse_platform(asked)) is fits


@pytest.mark.parametrize("text", ["linux", "linux/", "a/b/c/d", "linux/arm 64", ""])
def test_what_is_no_platform_is_a_mistake_of_the_caller(text: str) -> None:
    with pytest.raises(UsageError, match="invalid platform"):
        parse_platform(text)


def test_images_that_a_registry_lists_as_referrers_of_their_index_are_not_called_left(
    source: MemoryStore, destination: Recording
) -> None:
    """As some do where the tag of the list is an alias of the digest."""
    index, (amd, arm) = push_platforms(source, Platform("linux", "amd64"), Platform("linux", "arm64"))
    source.attach(index, [amd, arm])
    result = copy(source, destination, index.digest, "v1", choice=ARM)
    assert digests(*(item.descriptor for item in result.left)) == {index.digest}


def test_images_that_a_registry_lists_as_referrers_of_their_index_are_copied_as_parts(
    source: MemoryStore, destination: Recording
) -> None:
    index, images = push_platforms(source, Platform("linux", "amd64"), Platform("linux", "arm64"))
    source.attach(index, images)
    result = copy(source, destination, index.digest, "v1")
    assert (result.problems, len(result.copied)) == ((), 1 + 2 + 1 + 2)
    assert destination.referrers(index).descriptors == ()
