"""What is missing or spoilt."""

from __future__ import annotations

from typing import BinaryIO

import pytest

from nv2.content.interface import Opener, Referrers
from nv2.content.memory import MemoryStore
from nv2.copying import copy
from nv2.errors import (
    BadAnswer,
    ContentMismatch,
    NotFound,
    Refused,
    Unreachable,
)
from nv2.oci import media_types as mt
from nv2.oci.descriptor import Descriptor, describe
from tests.unit.copying.stores import Recording
from tests.world.artifacts import (
    attach_referrer,
    push_image,
    push_index,
    push_manifest,
    push_referrer,
)


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
