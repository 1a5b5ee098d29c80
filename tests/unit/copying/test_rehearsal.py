"""A rehearsal says what a copy will do, and does none of it."""

from __future__ import annotations

from copy import deepcopy

from nv2.content.memory import MemoryStore
from nv2.copying import copy
from nv2.rehearsal import Rehearsal
from tests.unit.copying.stores import Mounting, Recording, everything
from tests.world.artifacts import SBOM, attach_referrer, push_blob, push_image, push_index


def test_a_rehearsal_says_what_the_copy_does_then(source: MemoryStore, destination: Recording) -> None:
    index = push_index(source, [push_image(source, b"amd64"), push_image(source, b"arm64")])
    attach_referrer(source, attach_referrer(source, index, b"packages", artifact_type=SBOM))
    push_blob(destination, b"amd64")
    planned = copy(source, Rehearsal(destination), index.digest, "v1")
    assert planned.copied and planned.skipped
    assert planned == copy(source, destination, index.digest, "v1")


def test_a_rehearsal_writes_nothing(source: MemoryStore, destination: Recording) -> None:
    image = push_image(source, b"layer")
    attach_referrer(source, image)
    push_blob(destination, b"layer")
    before = deepcopy((everything(destination), destination.log))
    copy(source, Rehearsal(destination), image.digest, "v1")
    assert (everything(destination), destination.log) == before


def test_a_rehearsal_says_what_would_be_mounted_and_mounts_nothing(source: MemoryStore) -> None:
    image = push_image(source, b"layer")
    planned = copy(source, Rehearsal(mounting := Mounting(source)), image.digest, "v1")
    assert mounting.contents == {}
    assert planned == copy(source, mounting, image.digest, "v1")


def test_where_nothing_can_be_mounted_a_rehearsal_says_that_all_is_sent(
    source: MemoryStore, destination: Recording
) -> None:
    image = push_image(source, b"layer")
    planned = copy(source, Rehearsal(destination), image.digest, None)
    assert (planned.mounted, len(planned.copied)) == ((), 3)
