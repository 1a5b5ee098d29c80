"""Who refers to a manifest of a layout."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nv2.content.layout import referrers as layout_referrers
from nv2.content.layout.store import LayoutStore
from nv2.errors import (
    NotFound,
)
from nv2.oci import media_types as mt
from nv2.oci.descriptor import Descriptor, describe
from tests.unit.content.layout.on_disk import blob_path, change_index, index_of, reopened
from tests.world.artifacts import (
    SBOM,
    attach_referrer,
    push_blob,
    push_image,
    push_index,
    push_manifest,
    push_referrer,
)


def test_referrers_stand_in_the_index_as_oras_lists_them(store: LayoutStore, directory: Path) -> None:
    image = push_image(store, b"layer")
    signature = attach_referrer(store, image, annotations={"who": "wabbit"})
    assert Descriptor(*signature[:4]).to_json() in index_of(directory)["manifests"]


def test_a_referrer_is_listed_by_attaching_and_not_by_pushing(store: LayoutStore) -> None:
    image = push_image(store, b"layer")
    signature = push_referrer(store, image)
    assert store.referrers(image).descriptors == ()
    store.attach(image, [signature])
    assert store.referrers(image).descriptors == (signature,)


def test_what_is_not_there_cannot_be_attached(store: LayoutStore) -> None:
    image = push_image(store, b"layer")
    with pytest.raises(NotFound):
        store.attach(image, [describe(b"absent", mt.IMAGE_MANIFEST)])


def test_type_and_annotations_come_from_the_manifest_and_not_from_the_index(
    store: LayoutStore, directory: Path
) -> None:
    image = push_image(store, b"layer")
    signature = push_referrer(store, image, annotations={"who": "wabbit"})
    store.attach(image, [signature._replace(artifact_type=SBOM, annotations={"who": "eve"})])
    assert store.referrers(image).descriptors == (signature,)
    assert store.referrers(image, SBOM).descriptors == ()


def test_the_older_form_has_the_type_of_its_config(store: LayoutStore) -> None:
    image = push_image(store, b"layer")
    document = {
        "config": push_blob(store, b"{}", mt.SIGNATURE).to_json(),
        "layers": [push_blob(store, b"signature", mt.JWS).to_json()],
        "subject": image.to_json(),
    }
    store.attach(image, [push_manifest(store, document, mt.IMAGE_MANIFEST)])
    assert [d.artifact_type for d in store.referrers(image).descriptors] == [mt.SIGNATURE]


@pytest.mark.parametrize(
    "name",
    [
        {mt.REF_NAME: "sha256-HEX"},  # regclient
        {"org.opencontainers.image.referrer.subject": "sha256:HEX"},  # olareg
        {},
    ],
)
def test_referrers_are_found_through_an_index_of_referrers(
    store: LayoutStore, directory: Path, name: dict[str, str]
) -> None:
    image = push_image(store, b"layer")
    signature = push_referrer(store, image)
    fallback = push_index(store, [signature])
    annotations = {key: value.replace("HEX", image.digest[7:]) for key, value in name.items()}
    entries = [image.to_json(), {**fallback.to_json(), "annotations": annotations}]
    change_index(directory, lambda document: document.update(manifests=entries))
    assert store.referrers(image).descriptors == (signature,)


def test_an_index_of_referrers_that_lies_adds_none(store: LayoutStore, directory: Path) -> None:
    image, other = push_image(store, b"layer"), push_image(store, b"other")
    fallback = push_index(store, [push_referrer(store, other), other])
    store.tag(fallback, "sha256-" + image.digest[7:])
    assert store.referrers(image).descriptors == ()


def test_a_referrer_that_cannot_be_read_is_a_problem_and_hides_no_other(
    store: LayoutStore, directory: Path
) -> None:
    image = push_image(store, b"layer")
    good, spoilt, gone = (attach_referrer(store, image, content) for content in (b"good", b"bad", b"gone"))
    path = blob_path(directory, spoilt)
    path.write_bytes(b"x" * path.stat().st_size)
    blob_path(directory, gone).unlink()
    listing = reopened(directory).referrers(image)
    assert listing.descriptors == (good,)
    assert [problem for problem in listing.problems if spoilt.digest in problem]
    assert [problem for problem in listing.problems if gone.digest in problem]


@pytest.mark.parametrize("wrong", [{"size": 10}, {"mediaType": mt.IMAGE_INDEX}], ids=str)
@pytest.mark.parametrize("backwards", [False, True])
def test_a_wrong_entry_does_not_hide_a_right_one(
    store: LayoutStore, directory: Path, wrong: dict[str, object], backwards: bool
) -> None:
    image = push_image(store, b"layer")
    good = attach_referrer(store, image, b"good")

    def doubled(index: dict[str, Any]) -> None:
        last = index["manifests"].pop()
        index["manifests"] += [{**last, **wrong}, last][:: -1 if backwards else 1]

    change_index(directory, doubled)
    listing = reopened(directory).referrers(image)
    assert (listing.descriptors, listing.complete) == ((good,), True)


def test_entries_that_are_all_wrong_and_contradict_each_other_leave_the_listing_incomplete(
    store: LayoutStore, directory: Path
) -> None:
    image = push_image(store, b"layer")
    attach_referrer(store, image, b"good")

    def doubled(index: dict[str, Any]) -> None:
        last = index["manifests"].pop()
        index["manifests"] += [{**last, "size": 10}, {**last, "size": 11}]

    change_index(directory, doubled)
    listing = reopened(directory).referrers(image)
    assert (listing.descriptors, listing.complete) == ((), False)
    assert len(listing.problems) == 2


def test_attaching_lists_what_is_listed_wrongly_only(store: LayoutStore, directory: Path) -> None:
    image = push_image(store, b"layer")
    good = attach_referrer(store, image, b"good")
    change_index(directory, lambda index: index["manifests"][-1].update(size=10))
    again = reopened(directory)
    again.attach(image, [good])
    assert again.referrers(image).descriptors == (good,)


@pytest.mark.parametrize(
    ("spoil", "complete"),
    [(lambda path: path.write_bytes(b"x" * path.stat().st_size), True), (Path.unlink, False)],
    ids=["another", "gone"],
)
def test_what_is_listed_and_not_there_may_have_been_a_good_referrer(
    store: LayoutStore, directory: Path, spoil, complete: bool
) -> None:
    image = push_image(store, b"layer")
    spoil(blob_path(directory, attach_referrer(store, image, b"signature")))
    assert reopened(directory).referrers(image).complete is complete
    again = reopened(directory)
    again.referrers(image)
    assert again.referrers(image).complete is complete


def test_a_referrer_that_goes_between_two_looks_leaves_the_listing_incomplete(
    store: LayoutStore, directory: Path
) -> None:
    image = push_image(store, b"layer")
    referrer = attach_referrer(store, image, b"signature")
    assert store.referrers(image).complete
    blob_path(directory, referrer).unlink()
    assert store.referrers(image)[:2] == ((), False)


def test_a_part_of_an_index_may_be_missing(store: LayoutStore, directory: Path) -> None:
    here, missing = push_image(store, b"here"), push_image(store, b"missing")
    index = push_index(store, [here, missing])
    blob_path(directory, missing).unlink()
    change_index(directory, lambda document: document.update(manifests=[index.to_json()]))
    assert store.referrers(index).problems == ()


def test_a_layout_with_too_many_manifests_is_listed_in_part(
    store: LayoutStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = push_image(store, b"layer")
    store.attach(image, [push_referrer(store, image, b"%d" % number) for number in range(5)])
    monkeypatch.setattr(layout_referrers, "MAX_WALKED", 3)
    listing = store.referrers(image)
    assert not listing.complete


def test_a_layout_with_too_many_bytes_of_manifests_is_listed_in_part(
    store: LayoutStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = push_image(store, b"layer")
    signatures = [push_referrer(store, image, b"%d" % number) for number in range(5)]
    store.attach(image, signatures)
    monkeypatch.setattr(layout_referrers, "MAX_BYTES", image.size + 2 * signatures[0].size)
    listing = store.referrers(image)
    assert len(listing.descriptors) < 5
    assert not listing.complete


def test_an_answer_that_would_be_too_long_is_cut(store: LayoutStore, monkeypatch: pytest.MonkeyPatch) -> None:
    image = push_image(store, b"layer")
    signatures = [push_referrer(store, image, b"%d" % number) for number in range(5)]
    store.attach(image, signatures)
    monkeypatch.setattr("nv2.content.layout.store.MAX_LISTING", 2 * signatures[0].size)
    listing = store.referrers(image)
    assert (len(listing.descriptors), listing.complete) == (2, False)
