"""Deleting in a layout: entries go, files too, and what an index leads to stays whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from nv2.content.layout.store import LayoutStore
from nv2.errors import ArtifactError, NotFound
from nv2.oci.descriptor import Descriptor
from tests.world.artifacts import attach_referrer, push_image, push_index, thread_lock


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "image"


@pytest.fixture
def store(directory: Path) -> LayoutStore:
    return LayoutStore(directory, create=True, lock=thread_lock())


def file_of(directory: Path, descriptor: Descriptor) -> Path:
    return directory / "blobs" / descriptor.digest.replace(":", "/")


def test_a_removed_manifest_has_neither_tag_nor_file(store: LayoutStore, directory: Path) -> None:
    image = push_image(store)
    store.tag(image, "v1")
    store.tag(image, "v2")
    store.remove(image)
    assert not file_of(directory, image).exists()
    for name in ("v1", "v2", image.digest):
        with pytest.raises(NotFound):
            store.resolve(name)


def test_a_removed_signature_refers_to_nothing_any_more(store: LayoutStore) -> None:
    image = push_image(store)
    first, second = (attach_referrer(store, image, data) for data in (b"1", b"2"))
    store.remove(first)
    store.detach(image, [first.digest])
    assert [item.digest for item in store.referrers(image).descriptors] == [second.digest]


def test_a_part_of_an_index_keeps_its_file(store: LayoutStore, directory: Path) -> None:
    child = push_image(store)
    index = push_index(store, [child])
    store.tag(child, "amd64")
    store.remove(child)
    assert file_of(directory, child).exists()
    assert store.resolve(index.digest) == index
    with pytest.raises(NotFound):
        store.resolve("amd64")


def test_what_is_not_listed_is_not_found(store: LayoutStore) -> None:
    image = push_image(store)
    store.remove(image)
    with pytest.raises(NotFound):
        store.remove(image)


def test_a_tag_goes_and_what_it_named_stays_listed(store: LayoutStore) -> None:
    image = push_image(store)
    store.tag(image, "v1")
    store.untag("v1")
    assert store.exists(image)
    with pytest.raises(NotFound):
        store.untag("v1")


def test_what_only_an_index_lists_is_not_taken_for_gone(store: LayoutStore, directory: Path) -> None:
    """As regclient lists referrers, and buildx the images of an index."""
    child = push_image(store)
    push_index(store, [child])
    store.remove(child)
    with pytest.raises(ArtifactError, match="by an index of the layout alone"):
        store.remove(child)
    assert file_of(directory, child).exists()


def test_where_not_all_can_be_read_no_file_is_removed(store: LayoutStore, directory: Path) -> None:
    child = push_image(store)
    index = push_index(store, [child])
    file_of(directory, index).unlink()
    store.remove(child)
    assert file_of(directory, child).exists()
