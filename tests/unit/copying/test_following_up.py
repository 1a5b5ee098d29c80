"""Signatures follow an artifact that another tool copied."""

from __future__ import annotations

import pytest

from nv2.content.interface import opener
from nv2.content.memory import MemoryStore
from nv2.copying import Choice, copy, follow_up
from nv2.errors import NotFound
from nv2.oci import media_types as mt
from nv2.oci.descriptor import Descriptor
from tests.unit.copying.stores import Recording, Told, digests, everything
from tests.world.artifacts import SBOM, attach_referrer, push_image, push_index

SIGNATURES = frozenset({mt.SIGNATURE})


def push_as_others_do(source: MemoryStore, destination: Recording, *manifests: Descriptor) -> None:
    """Copy manifests alone."""
    for manifest in manifests:
        destination.push(manifest, opener(source.fetch(manifest, 4096)))
    destination.log.clear()


def test_signatures_of_every_level_follow_and_nothing_else_is_written(
    source: MemoryStore, destination: Recording
) -> None:
    index = push_index(source, [child := push_image(source, b"layer")])
    source.tag(index, "v1")
    signatures = [attach_referrer(source, index, b"1"), attach_referrer(source, child, b"2")]
    signatures.append(attach_referrer(source, signatures[0], b"3"))
    sbom = attach_referrer(source, child, b"packages", artifact_type=SBOM)
    push_as_others_do(source, destination, child, index)
    told = Told()
    result = follow_up(source, destination, "v1", choice=Choice(referrer_types=SIGNATURES), watcher=told)
    assert set(destination.manifests) == digests(index, child, *signatures)
    assert len(destination.contents) == 5 + 4, "manifests, envelopes and one empty config"
    assert {subject: set(found) for subject, found in destination.listed.items()} == {
        index.digest: digests(signatures[0]),
        child.digest: digests(signatures[1]),
        signatures[0].digest: digests(signatures[2]),
    }
    assert destination.tags == {}
    assert (digests(*result.skipped), digests(*(item.descriptor for item in result.left))) == (
        digests(index, child),
        digests(sbom),
    )
    assert len(told.outcomes) == told.pieces


def test_nothing_follows_what_is_not_there(source: MemoryStore, destination: Recording) -> None:
    index = push_index(source, [child := push_image(source, b"layer")])
    attach_referrer(source, index)
    push_as_others_do(source, destination, child)
    with pytest.raises(NotFound, match="the artifact is not there") as caught:
        follow_up(source, destination, index.digest, choice=Choice(referrer_types=SIGNATURES))
    assert caught.value.at == index.digest
    assert destination.log == []


def test_signatures_of_an_image_that_is_not_there_are_left_with_it(
    source: MemoryStore, destination: Recording
) -> None:
    here, absent = push_image(source, b"amd64"), push_image(source, b"arm64")
    index = push_index(source, [here, absent])
    wanted = attach_referrer(source, here, b"1")
    left = attach_referrer(source, absent, b"2")
    upon = attach_referrer(source, left, b"3")
    push_as_others_do(source, destination, here, index)
    result = follow_up(source, destination, index.digest, choice=Choice(referrer_types=SIGNATURES))
    assert set(destination.manifests) == digests(here, index, wanted)
    assert (digests(*(item.descriptor for item in result.left)), result.problems) == (
        digests(absent, left, upon),
        (),
    )


def test_an_artifact_that_refers_to_another_is_not_listed_anew(
    source: MemoryStore, destination: Recording
) -> None:
    sbom = attach_referrer(source, push_image(source, b"layer"), b"packages", artifact_type=SBOM)
    signature = attach_referrer(source, sbom)
    push_as_others_do(source, destination, sbom)
    result = follow_up(source, destination, sbom.digest, choice=Choice(referrer_types=SIGNATURES))
    assert {subject: set(found) for subject, found in destination.listed.items()} == {
        sbom.digest: digests(signature)
    }
    assert result.left == ()


def test_following_up_a_whole_copy_changes_nothing(source: MemoryStore, destination: Recording) -> None:
    image = push_image(source, b"layer")
    attach_referrer(source, image)
    copy(source, destination, image.digest, "v1")
    before = (dict(destination.contents), *everything(destination)[1:])
    result = follow_up(source, destination, image.digest, choice=Choice(referrer_types=SIGNATURES))
    assert (dict(destination.contents), *everything(destination)[1:]) == before
    assert (result.copied, result.left) == ((), ())
