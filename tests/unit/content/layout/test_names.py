"""What a tag or a digest names in a layout."""

from __future__ import annotations

from pathlib import Path

import pytest

from nv2.content.interface import opener
from nv2.content.layout.store import LayoutStore
from nv2.errors import (
    ArtifactError,
    BadAnswer,
    ContentMismatch,
    MalformedManifest,
    NotFound,
)
from nv2.oci import media_types as mt
from nv2.oci.descriptor import describe
from tests.unit.content.layout.on_disk import blob_path, change_index, index_of
from tests.world.artifacts import (
    push_blob,
    push_image,
    push_index,
    push_manifest,
)


def test_a_tag_stands_in_the_index(store: LayoutStore, directory: Path) -> None:
    image = push_image(store, b"layer")
    store.tag(image, "v1")
    assert index_of(directory)["manifests"] == [
        {**image.to_json(), "annotations": {"org.opencontainers.image.ref.name": "v1"}}
    ]


def test_each_tag_has_an_entry_of_its_own(store: LayoutStore, directory: Path) -> None:
    image = push_image(store, b"layer")
    store.tag(image, "v1")
    store.tag(image, "v2")
    assert len(index_of(directory)["manifests"]) == 2


def test_what_loses_its_tag_stays_listed(store: LayoutStore, directory: Path) -> None:
    old, new = push_image(store, b"old"), push_image(store, b"new")
    store.tag(old, "v1")
    store.tag(new, "v1")
    entries = {entry["digest"]: entry.get("annotations") for entry in index_of(directory)["manifests"]}
    assert entries == {old.digest: None, new.digest: {"org.opencontainers.image.ref.name": "v1"}}


def test_a_tag_of_another_layout_is_not_taken_over(store: LayoutStore, directory: Path) -> None:
    manifest = push_image(store, b"layer")._replace(annotations={mt.REF_NAME: "theirs"})
    (directory / "index.json").write_text('{"schemaVersion": 2, "manifests": []}')
    store.push(manifest, opener(store.fetch(manifest, 1000)))
    assert "annotations" not in index_of(directory)["manifests"][0]


def test_an_absent_tag_is_answered_with_some_that_are_there(store: LayoutStore, directory: Path) -> None:
    store.tag(push_image(store, b"layer"), "v1")
    with pytest.raises(NotFound) as caught:
        store.resolve("v2")
    assert str(caught.value) == f"layout:{directory}:v2: no such tag"
    assert caught.value.hint == "tags here: v1"


def test_an_absent_tag_where_there_are_none_is_answered_with_a_digest(store: LayoutStore) -> None:
    with pytest.raises(NotFound) as caught:
        store.resolve("v1")
    assert caught.value.hint == "the layout is empty"
    image = push_image(store, b"layer")
    with pytest.raises(NotFound) as caught:
        store.resolve("v1")
    assert image.digest in (caught.value.hint or "")


def test_a_tag_that_names_two_manifests_names_none(store: LayoutStore, directory: Path) -> None:
    one, two = push_image(store, b"one"), push_image(store, b"two")
    named = [{**d.to_json(), "annotations": {mt.REF_NAME: "v1"}} for d in (one, two)]
    change_index(directory, lambda document: document.update(manifests=named))
    with pytest.raises(MalformedManifest) as caught:
        store.resolve("v1")
    assert caught.value.hint == "name one by its digest"
    store.tag(two, "v1")
    assert store.resolve("v1") == two


def test_a_manifest_that_the_index_does_not_list_resolves_by_its_own_media_type(
    store: LayoutStore, directory: Path
) -> None:
    image = push_image(store, b"layer")
    change_index(directory, lambda document: document.update(manifests=[]))
    assert store.resolve(image.digest) == image


def test_a_child_without_a_media_type_resolves_by_what_its_index_says(
    store: LayoutStore, directory: Path
) -> None:
    data = b'{"schemaVersion": 2, "layers": []}'
    child = describe(data, mt.IMAGE_MANIFEST)
    store.push(child, opener(data))
    index = push_index(store, [child])
    change_index(directory, lambda document: document.update(manifests=[index.to_json()]))
    assert store.resolve(child.digest) == child


@pytest.mark.parametrize(
    "data", [b'{"schemaVersion": 2, "layers": []}', b"layer", b"[]", b'{"mediaType": 1}']
)
def test_a_blob_is_no_artifact(store: LayoutStore, data: bytes) -> None:
    with pytest.raises(ArtifactError):
        store.resolve(push_blob(store, data).digest)


def test_an_entry_of_another_kind_is_no_artifact(store: LayoutStore, directory: Path) -> None:
    blob = push_blob(store, b"layer")
    entry = {**blob.to_json(), "annotations": {mt.REF_NAME: "v1"}}
    change_index(directory, lambda document: document.update(manifests=[entry]))
    with pytest.raises(MalformedManifest, match="is no manifest"):
        store.resolve("v1")


def test_a_tag_on_spoilt_bytes_does_not_resolve(store: LayoutStore, directory: Path) -> None:
    image = push_image(store, b"layer")
    store.tag(image, "v1")
    path = blob_path(directory, image)
    path.write_bytes(path.read_bytes().replace(b"layers", b"Layers"))
    with pytest.raises(ContentMismatch):
        store.resolve("v1")


def test_a_tag_on_more_bytes_than_a_manifest_may_have_is_refused_unread(
    store: LayoutStore, directory: Path
) -> None:
    image = push_image(store, b"layer")
    store.tag(image, "v1")
    change_index(directory, lambda index: index["manifests"][0].update(size=2**31))
    with pytest.raises(BadAnswer, match="has 2147483648 bytes"):
        store.resolve("v1")


def test_an_entry_that_disagrees_with_its_manifest_does_not_resolve(
    store: LayoutStore, directory: Path
) -> None:
    image = push_image(store, b"layer")
    change_index(directory, lambda document: document["manifests"][0].update(mediaType=mt.IMAGE_INDEX))
    with pytest.raises(MalformedManifest):
        store.resolve(image.digest)


@pytest.mark.parametrize("media_type", [mt.IMAGE_MANIFEST, mt.IMAGE_INDEX])
def test_a_manifest_that_can_be_read_in_two_ways_is_refused(
    store: LayoutStore, directory: Path, media_type: str
) -> None:
    both = push_blob(store, b'{"schemaVersion": 2, "layers": [], "manifests": []}')
    entry = {**both.to_json(), "mediaType": media_type, "annotations": {mt.REF_NAME: "v1"}}
    change_index(directory, lambda document: document.update(manifests=[entry]))
    with pytest.raises(MalformedManifest, match="but has"):
        store.resolve("v1")
    with pytest.raises(MalformedManifest, match="but has"):
        push_manifest(store, {"layers": [], "manifests": []}, media_type)
