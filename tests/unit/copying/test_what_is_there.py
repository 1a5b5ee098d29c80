"""What is there already is not sent again."""

from __future__ import annotations

from nv2.content.interface import opener
from nv2.content.memory import MemoryStore
from nv2.copying import copy
from tests.unit.copying.stores import Mounting, Recording, digests
from tests.world.artifacts import (
    attach_referrer,
    push_image,
    push_index,
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
