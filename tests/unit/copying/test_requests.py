"""How much a copy asks of registries, and that what it does not ask is not lost."""

from __future__ import annotations

import pytest

from nv2.copying import Choice, copy, follow_up
from nv2.copying.choices import EVERYTHING
from nv2.copying.presence import SMALL
from nv2.oci.descriptor import Descriptor
from nv2.oci.digest import digest_of
from tests.unit.copying.registries import Pair, push_signed, sign
from tests.world.artifacts import SBOM, attach_referrer, push_image, push_index, push_referrer

N = 500


def _requests_of_the_image_alone() -> int:
    pair = Pair()
    _push_real_image(pair)
    pair.forget()
    copy(pair.source(), pair.destination(), "v1", "v1")
    return len(pair.there.requests)


def _push_real_image(pair: Pair, *layers: bytes) -> Descriptor:
    """With a config of its own."""
    image = push_image(pair.source(), *(layers or (b"layer",)), config=b'{"os":"linux"}')
    pair.source().tag(image, "v1")
    return image


def _sign_often(pair: Pair, image: Descriptor) -> None:
    sign(pair.source(), image, *(b"signature %d" % number for number in range(N)))
    pair.forget()


def test_many_signatures_take_three_requests_each_at_a_registry_without_the_referrers_api() -> None:
    pair = Pair()
    _sign_often(pair, _push_real_image(pair))
    result = copy(pair.source(), pair.destination(), "v1", "v1")
    assert (len(result.copied), result.problems) == (2 * N + 4, ())
    # One more for the image: its tag is written by itself, after the signatures.
    assert len(pair.there.requests) - _requests_of_the_image_alone() <= 3 * N + 7
    assert len(pair.there.asked("PUT", "/manifests/sha256-")) == 1


def test_many_signatures_follow_an_image_that_is_there_with_three_requests_each() -> None:
    pair = Pair()
    image = _push_real_image(pair, *(b"layer %d" % number for number in range(60)))
    copy(pair.source(), pair.destination(), "v1", "v1")
    _sign_often(pair, image)
    copy(pair.source(), pair.destination(), "v1", "v1")
    assert len(pair.there.requests) <= 3 * N + 9


@pytest.mark.parametrize("signatures", [0, 1])
def test_an_unchanged_copy_takes_ten_requests_however_many_layers_there_are(signatures: int) -> None:
    pair = Pair()
    image = _push_real_image(pair, *(b"layer %d" % number for number in range(60)))
    sign(pair.source(), image, *(b"signature %d" % number for number in range(signatures)))
    copy(pair.source(), pair.destination(), "v1", "v1")
    pair.forget()
    assert copy(pair.source(), pair.destination(), "v1", "v1").copied == ()
    assert pair.asked <= 10


def test_an_image_to_which_nothing_refers_arrives_together_with_its_tag() -> None:
    pair = Pair()
    image = _push_real_image(pair)
    copy(pair.source(), pair.destination(), "v1", "v2")
    assert [request.url.rpartition("/")[2] for request in pair.there.asked("PUT", "/manifests/")] == ["v2"]
    assert pair.destination().resolve("v2")[:3] == image[:3]


def test_an_image_that_is_signed_arrives_before_its_signatures_and_its_tag_after_them() -> None:
    pair = Pair(referrers_api=True)
    image = push_signed(pair.source(), 1)
    (signature,) = pair.source().referrers(image).descriptors
    pair.forget()
    copy(pair.source(), pair.destination(), "v1", "v1")
    put = [request.url.rpartition("/")[2] for request in pair.there.asked("PUT", "/manifests/")]
    assert put == [image.digest, signature.digest, "v1"]


def test_an_image_that_is_signed_on_arrival_is_tagged_after_that() -> None:
    pair = Pair()
    _push_real_image(pair)
    tags: list[object] = []
    copy(
        pair.source(),
        pair.destination(),
        "v1",
        "v1",
        on_arrival=lambda _: tags.append(dict(pair.there.repository("app").tags)),
    )
    assert tags == [{}]
    assert "v1" in pair.there.repository("app").tags


def test_a_manifest_of_which_the_registry_says_no_digest_is_sent_under_its_own_too() -> None:
    pair = Pair("no_digest_header")
    image = _push_real_image(pair)
    copy(pair.source(), pair.destination(), "v1", "v1")
    put = [request.url.rpartition("/")[2] for request in pair.there.asked("PUT", "/manifests/")]
    assert put == ["v1", image.digest]


def test_an_image_that_was_left_out_of_an_index_comes_along_though_the_tag_names_the_index() -> None:
    pair = Pair()
    images = [push_image(pair.source(), name, config=name * 2) for name in (b"amd64", b"arm64")]
    index = push_index(pair.source(), images)
    pair.source().tag(index, "v1")
    copy(pair.source(), pair.destination(), "v1", "v1")
    theirs = pair.there.repository("app")
    del theirs.manifests[images[1].digest], theirs.blobs[digest_of(b"arm64")]
    copy(pair.source(), pair.destination(), "v1", "v1")
    assert images[1].digest in theirs.manifests
    assert digest_of(b"arm64") in theirs.blobs


def test_a_layer_that_was_lost_under_the_tag_comes_back_with_a_recheck_alone() -> None:
    pair = Pair()
    _push_real_image(pair)
    copy(pair.source(), pair.destination(), "v1", "v1")
    kept = pair.there.repository("app").blobs
    del kept[digest_of(b"layer")]
    copy(pair.source(), pair.destination(), "v1", "v1")
    assert digest_of(b"layer") not in kept
    copy(pair.source(), pair.destination(), "v1", "v1", choice=Choice(recheck=True))
    assert digest_of(b"layer") in kept


def test_a_layer_that_is_missing_under_another_tag_is_sent() -> None:
    pair = Pair()
    _push_real_image(pair)
    copy(pair.source(), pair.destination(), "v1", "v1")
    kept = pair.there.repository("app").blobs
    del kept[digest_of(b"layer")]
    copy(pair.source(), pair.destination(), "v1", "v2")
    assert digest_of(b"layer") in kept


@pytest.mark.parametrize("referrers_api", [True, False])
def test_an_unchanged_copy_takes_ten_requests_however_many_signatures_there_are(referrers_api: bool) -> None:
    pair = Pair(referrers_api=referrers_api)
    push_signed(pair.source(), N)
    first = copy(pair.source(), pair.destination(), "v1", "v1")
    pair.forget()
    again = copy(pair.source(), pair.destination(), "v1", "v1")
    assert (again.copied, again.problems) == ((), ())
    assert {item.digest for item in again.skipped} >= {
        item.digest for item in first.copied if item.media_type.endswith("manifest.v1+json")
    }
    assert pair.asked <= 10
    assert {request.method for request in pair.there.requests} <= {"GET", "HEAD"}


@pytest.mark.parametrize("referrers_api", [True, False])
def test_what_is_new_since_the_last_copy_comes_along(referrers_api: bool) -> None:
    pair = Pair(referrers_api=referrers_api)
    image = push_signed(pair.source(), 20)
    sbom = attach_referrer(pair.source(), image, b"packages", artifact_type=SBOM)
    copy(pair.source(), pair.destination(), "v1", "v1")
    upon = attach_referrer(pair.source(), sbom, b"a signature of the packages")
    sign(pair.source(), image, b"another one")
    copy(pair.source(), pair.destination(), "v1", "v1")
    assert len(pair.destination().referrers(image).descriptors) == 22
    assert [item.digest for item in pair.destination().referrers(sbom).descriptors] == [upon.digest]


def test_a_signature_that_the_destination_lists_with_another_size_is_sent_and_listed_rightly() -> None:
    pair = Pair()
    image = push_signed(pair.source(), 1)
    (signature,) = pair.source().referrers(image).descriptors
    copy(pair.source(), pair.destination(), image.digest, None, choice=Choice(referrer_types=frozenset()))
    pair.destination().attach(image, [signature._replace(size=signature.size + 1)])
    copy(pair.source(), pair.destination(), image.digest, None)
    assert signature.digest in pair.there.repository("app").manifests
    assert signature in pair.destination().referrers(image).descriptors


def test_what_was_interrupted_between_blobs_and_manifests_is_not_sent_again() -> None:
    pair = Pair()
    push_signed(pair.source(), 30)
    pair.there.fail("PUT", "/manifests/", status=500)
    with pytest.raises(Exception, match="500"):
        copy(pair.source(), pair.destination(), "v1", "v1")
    pair.forget()
    copy(pair.source(), pair.destination(), "v1", "v1")
    assert pair.there.asked("POST") == []


def test_a_listed_signature_that_was_lost_comes_back_with_a_recheck_alone() -> None:
    pair = Pair()
    image = push_signed(pair.source(), 3)
    copy(pair.source(), pair.destination(), "v1", "v1")
    lost = pair.destination().referrers(image).descriptors[1].digest
    kept = pair.there.repository("app").manifests
    del kept[lost]
    copy(pair.source(), pair.destination(), "v1", "v1")
    assert lost not in kept
    copy(pair.source(), pair.destination(), "v1", "v1", choice=Choice(recheck=True))
    assert lost in kept


def test_content_that_a_registry_only_claims_to_have_is_sent_when_it_refuses_the_manifest() -> None:
    pair = Pair("checks_blobs")
    image = push_image(pair.source(), b"layer")
    for _ in range(2):
        pair.there.fail("HEAD", "/blobs/", status=200)  # config and layer
    copy(pair.source(), pair.destination(), image.digest, "v1")
    assert len(pair.there.repository("app").blobs) == 2


def test_a_tag_that_names_the_artifact_already_is_not_written_again() -> None:
    pair = Pair()
    push_signed(pair.source(), 1)
    copy(pair.source(), pair.destination(), "v1", "v1")
    pair.forget()
    copy(pair.source(), pair.destination(), "v1", "v1")
    assert pair.there.asked("PUT") == []


def test_a_tag_that_names_something_else_is_moved() -> None:
    pair = Pair()
    other = push_image(pair.destination(), b"other")
    pair.destination().tag(other, "v1")
    image = push_signed(pair.source(), 1)
    copy(pair.source(), pair.destination(), image.digest, None)
    copy(pair.source(), pair.destination(), "v1", "v1")
    assert pair.there.repository("app").tags["v1"] == image.digest


def test_a_large_blob_is_asked_for_before_it_is_sent_though_a_small_one_is_missing() -> None:
    pair = Pair()
    large = bytes(SMALL + 1)
    _push_real_image(pair, b"small", large)
    pair.there.repository("app").add_blob(large)
    pair.forget()
    result = copy(pair.source(), pair.destination(), "v1", "v1")
    assert digest_of(large) in {item.digest for item in result.skipped}
    assert pair.here.asked("GET", digest_of(large)) == []


def test_signatures_that_follow_an_image_are_all_asked_for_if_one_insists() -> None:
    pair = Pair()
    push_signed(pair.source(), 3)
    copy(pair.source(), pair.destination(), "v1", "v1")
    lost = pair.destination().referrers(pair.source().resolve("v1")).descriptors[0]
    del pair.there.repository("app").manifests[lost.digest]
    follow_up(pair.source(), pair.destination(), "v1", choice=EVERYTHING)
    assert lost.digest not in pair.there.repository("app").manifests
    follow_up(pair.source(), pair.destination(), "v1", choice=Choice(recheck=True))
    assert lost.digest in pair.there.repository("app").manifests


def test_a_signature_that_is_a_part_as_well_is_counted_once() -> None:
    pair = Pair()
    source = pair.source()
    image = push_image(source, b"layer")
    signature = push_referrer(source, image)
    source.attach(image, [signature])
    source.tag(push_index(source, [image, Descriptor(*signature[:3])]), "v1")
    copy(pair.source(), pair.destination(), "v1", "v1")
    skipped = [item.digest for item in copy(pair.source(), pair.destination(), "v1", "v1").skipped]
    assert sorted(skipped) == sorted(set(skipped))
