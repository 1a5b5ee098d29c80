"""What is there already is not sent again."""

from __future__ import annotations

import json

from nv2.content.interface import Opener, opener
from nv2.content.memory import MemoryStore
from nv2.copying import copy
from nv2.errors import BadAnswer
from nv2.oci import media_types as mt
from nv2.oci.descriptor import Descriptor, describe
from nv2.oci.digest import digest_of
from nv2.oci.manifest import is_manifest
from tests.unit.copying.stores import Mounting, Recording, digests
from tests.world.artifacts import (
    CONFIG,
    LAYER,
    attach_referrer,
    push_blob,
    push_image,
    push_index,
    push_manifest,
)


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


class Forgetful(Recording):
    """Says that it has everything, and refuses a manifest whose parts it has not: some registries do."""

    def __init__(self) -> None:
        super().__init__()
        self.believes: set[str] = set()

    def exists(self, descriptor: Descriptor) -> bool:
        return descriptor.digest in self.believes or super().exists(descriptor)

    def push(self, descriptor: Descriptor, source: Opener) -> None:
        if is_manifest(descriptor.media_type):
            document = json.loads(source().read())
            parts = [*document.get("manifests", []), *document.get("layers", [])]
            if any(part["digest"] not in self.contents for part in parts):
                raise BadAnswer("answered 400: MANIFEST_BLOB_UNKNOWN")
        super().push(descriptor, source)


def test_a_child_that_is_said_to_be_there_and_is_not_is_sent(source: MemoryStore) -> None:
    child = push_image(source, b"layer")
    index = push_index(source, [child])
    destination = Forgetful()
    destination.believes = {child.digest}
    copy(source, destination, index.digest, "v1")
    assert destination.contents == source.contents


def test_of_what_is_said_to_be_there_only_what_was_not_sent_just_now_is_sent(source: MemoryStore) -> None:
    image = push_image(source, b"one", b"two")
    destination = Forgetful()
    destination.believes = {digest_of(b"one")}
    copy(source, destination, image.digest, "v1")
    assert destination.contents == source.contents
    assert destination.log.count(digest_of(b"two")) == 1


def test_a_blob_that_one_image_calls_foreign_is_sent_for_the_other(
    source: MemoryStore, destination: Recording
) -> None:
    image = push_image(source, b"layer")
    layer = describe(b"layer", LAYER)
    foreign = layer._replace(media_type="application/vnd.docker.image.rootfs.foreign.diff.tar.gzip")
    document = {"config": push_blob(source, b"{}", CONFIG).to_json(), "layers": [foreign.to_json()]}
    other = push_manifest(source, document, mt.DOCKER_MANIFEST)
    result = copy(source, destination, push_index(source, [other, image]).digest, "v1")
    assert [item.descriptor for item in result.left] == [foreign]
    assert destination.fetch(layer, 10) == b"layer"
