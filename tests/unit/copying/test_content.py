"""What is copied."""

from __future__ import annotations

from pathlib import Path

import pytest

from nv2.content.layout.store import LayoutStore
from nv2.content.memory import MemoryStore
from nv2.copying import copy
from nv2.errors import (
    NotFound,
)
from nv2.oci import media_types as mt
from nv2.oci.descriptor import Descriptor, describe
from tests.unit.copying.stores import Recording, digests, everything
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
    assert [item.descriptor for item in result.left] == [foreign]
    assert destination.resolve(image.digest) == image


def test_the_subject_of_what_is_copied_is_left_and_reported(
    source: MemoryStore, destination: Recording
) -> None:
    image = push_image(source, b"layer")
    signature = attach_referrer(source, image)
    result = copy(source, destination, signature.digest, None)
    assert digests(*(item.descriptor for item in result.left)) == {image.digest}
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
