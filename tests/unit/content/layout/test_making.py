"""A layout is made, opened, or left alone."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from nv2.content.layout.store import LayoutStore
from nv2.errors import (
    EnvironmentFailure,
    MalformedManifest,
    NotFound,
)
from nv2.oci import media_types as mt
from nv2.oci.descriptor import describe
from tests.unit.content.layout.on_disk import files, index_of, reopened
from tests.world.artifacts import (
    attach_referrer,
    push_image,
    thread_lock,
)


def test_a_new_layout_has_what_the_specification_says(store: LayoutStore, directory: Path) -> None:
    assert json.loads((directory / "oci-layout").read_bytes()) == {"imageLayoutVersion": "1.0.0"}
    assert index_of(directory) == {"schemaVersion": 2, "mediaType": mt.IMAGE_INDEX, "manifests": []}
    assert (directory / "blobs").is_dir()


def test_an_empty_directory_becomes_a_layout(tmp_path: Path) -> None:
    LayoutStore(tmp_path, create=True, lock=thread_lock())
    assert reopened(tmp_path).referrers(describe(b"", mt.IMAGE_MANIFEST)).descriptors == ()


def test_a_layout_is_not_made_anew(store: LayoutStore, directory: Path) -> None:
    image = push_image(store, b"layer")
    assert LayoutStore(directory, create=True, lock=thread_lock()).resolve(image.digest) == image


def test_a_layout_whose_making_was_interrupted_is_finished(store: LayoutStore, directory: Path) -> None:
    (directory / "index.json").unlink()
    with pytest.raises(MalformedManifest):
        reopened(directory).resolve("v1")
    LayoutStore(directory, create=True, lock=thread_lock()).tag(push_image(store, b"layer"), "v1")


def test_a_directory_with_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(EnvironmentFailure) as caught:
        LayoutStore(tmp_path, create=True, lock=thread_lock())
    assert caught.value.hint
    assert os.listdir(tmp_path) == ["notes.txt"]


def test_a_missing_directory_is_not_made_by_reading(directory: Path) -> None:
    with pytest.raises(EnvironmentFailure) as caught:
        reopened(directory)
    assert str(caught.value) == f"{directory}: no such directory"
    assert not directory.exists()


def test_a_file_is_not_a_layout(tmp_path: Path) -> None:
    archive = tmp_path / "image.tar"
    archive.write_bytes(b"tar")
    with pytest.raises(MalformedManifest) as caught:
        reopened(archive)
    assert caught.value.hint == "a layout is a directory or a tar archive of one"
    with pytest.raises(MalformedManifest):
        LayoutStore(archive, create=True, lock=thread_lock())
    assert archive.read_bytes() == b"tar"


def test_a_directory_that_is_no_layout_is_left_alone(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFailure) as caught:
        reopened(tmp_path)
    assert caught.value.message == "not an OCI image layout: it has no file oci-layout"
    assert caught.value.hint
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"imageLayoutVersion": "2.0.0"}', " " * 5000 + "{}"])
def test_a_layout_of_an_unknown_version_is_refused(store: LayoutStore, directory: Path, content: str) -> None:
    (directory / "oci-layout").write_text(content)
    with pytest.raises(Exception, match="oci-layout"):
        reopened(directory)


def test_reading_changes_nothing(store: LayoutStore, directory: Path) -> None:
    image = push_image(store, b"layer")
    store.tag(image, "v1")
    attach_referrer(store, image)
    before = files(directory)
    reader = reopened(directory)
    reader.resolve("v1")
    reader.referrers(image)
    reader.fetch(image, 1000)
    with pytest.raises(NotFound):
        reader.resolve("v2")
    assert files(directory) == before
