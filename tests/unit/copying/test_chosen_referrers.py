"""Only the referrers that were asked for come along."""

from __future__ import annotations

import pytest

from nv2.content.interface import Referrers
from nv2.content.memory import MemoryStore
from nv2.copying import Choice, copy
from nv2.oci import media_types as mt
from nv2.oci.descriptor import Descriptor
from tests.unit.copying.stores import Recording, Told, digests
from tests.world.artifacts import SBOM, attach_referrer, push_image, push_index


class Unasked(MemoryStore):
    """Must not be asked for referrers."""

    def referrers(self, subject: Descriptor, artifact_type: str | None = None) -> Referrers:
        raise AssertionError(f"asked for {artifact_type} of {subject}")


def test_without_referrers_the_artifact_comes_alone_and_nobody_asks_for_them(destination: Recording) -> None:
    source = Unasked()
    index = push_index(source, [child := push_image(source, b"layer")])
    attach_referrer(source, child)
    attach_referrer(source, index)
    copy(source, destination, index.digest, "v1", choice=Choice(referrer_types=frozenset()))
    assert set(destination.manifests) == digests(index, child)
    assert destination.listed == {}


def test_referrers_of_a_chosen_type_come_from_every_level(
    source: MemoryStore, destination: Recording
) -> None:
    index = push_index(source, [child := push_image(source, b"layer")])
    wanted = [attach_referrer(source, index, b"1"), attach_referrer(source, child, b"2")]
    wanted.append(attach_referrer(source, wanted[0], b"3"))
    sbom = attach_referrer(source, child, b"packages", artifact_type=SBOM)
    result = copy(source, destination, index.digest, "v1", choice=Choice(referrer_types={mt.SIGNATURE}))
    assert set(destination.manifests) == digests(index, child, *wanted)
    assert (digests(*(item.descriptor for item in result.left)), result.problems) == (digests(sbom), ())
    assert sbom.digest not in destination.listed[child.digest]


def test_what_refers_to_a_referrer_that_stays_behind_stays_behind(
    source: MemoryStore, destination: Recording
) -> None:
    image = push_image(source, b"layer")
    sbom = attach_referrer(source, image, b"packages", artifact_type=SBOM)
    attach_referrer(source, sbom, b"of the packages")
    copy(source, destination, image.digest, None, choice=Choice(referrer_types={mt.SIGNATURE}))
    assert set(destination.manifests) == digests(image)
    copy(source, destination, image.digest, None, choice=Choice(referrer_types={mt.SIGNATURE, SBOM}))
    assert set(destination.manifests) == set(source.manifests)


@pytest.mark.parametrize("claimed", [None, SBOM])
def test_the_type_is_that_of_the_manifest_whatever_the_listing_says(
    source: MemoryStore, destination: Recording, claimed: str | None
) -> None:
    image = push_image(source, b"layer")
    signature = attach_referrer(source, image)
    source.attach(image, [signature._replace(artifact_type=claimed)])
    copy(source, destination, image.digest, None, choice=Choice(referrer_types={mt.SIGNATURE}))
    assert set(destination.manifests) == digests(image, signature)


def test_a_child_is_part_of_its_index_whatever_its_type(source: MemoryStore, destination: Recording) -> None:
    index = push_index(source, [child := push_image(source, b"layer")])
    copy(source, destination, index.digest, None, choice=Choice(referrer_types={mt.SIGNATURE}))
    assert set(destination.manifests) == digests(index, child)


def test_what_stays_behind_does_not_count_as_progress(source: MemoryStore, destination: Recording) -> None:
    image = push_image(source, b"layer")
    attach_referrer(source, image, b"packages", artifact_type=SBOM)
    told = Told()
    copy(
        source,
        destination,
        image.digest,
        None,
        choice=Choice(referrer_types={mt.SIGNATURE}),
        watcher=told,
    )
    assert (len(told.outcomes), told.pieces) == (3, 3)
