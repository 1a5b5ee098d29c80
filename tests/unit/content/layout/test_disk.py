"""What a disk does to a layout, and what links and pipes in it do."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from types import FrameType

import pytest

from nv2.content.interface import opener
from nv2.content.layout import directory as layout_directory
from nv2.content.layout import files as layout_files
from nv2.content.layout.store import LayoutStore
from nv2.errors import (
    ContentMismatch,
    EnvironmentFailure,
    MalformedManifest,
)
from nv2.oci import media_types as mt
from nv2.oci.descriptor import describe
from tests.unit.content.layout.on_disk import blob_path, files, index_of, reopened
from tests.world.artifacts import (
    push_blob,
    push_image,
    thread_lock,
)


def test_a_manifest_that_was_stored_and_not_listed_is_pushed_again(
    store: LayoutStore, directory: Path
) -> None:
    image = push_image(store, b"layer")
    (directory / "index.json").write_text('{"schemaVersion": 2, "manifests": []}')
    assert not store.exists(image)
    assert push_image(store, b"layer") == image
    assert store.exists(image)
    assert image.to_json() in index_of(directory)["manifests"]


def test_a_file_of_the_wrong_size_is_not_there_and_is_mended_by_pushing(
    store: LayoutStore, directory: Path
) -> None:
    blob = push_blob(store, b"layer")
    blob_path(directory, blob).write_bytes(b"lay")
    assert not store.exists(blob)
    push_blob(store, b"layer")
    assert store.fetch(blob, 5) == b"layer"


def test_a_malformed_manifest_is_refused_before_it_is_stored(store: LayoutStore, directory: Path) -> None:
    before = files(directory)
    with pytest.raises(MalformedManifest):
        store.push(describe(b"{", mt.IMAGE_MANIFEST), opener(b"{"))
    assert files(directory) == before


def test_a_push_that_fails_leaves_no_file(store: LayoutStore, directory: Path) -> None:
    before = files(directory)
    with pytest.raises(ContentMismatch):
        store.push(describe(b"promised", mt.OCTET_STREAM), opener(b"sent"))
    assert files(directory) == before


def test_an_interrupted_push_leaves_no_file(
    store: LayoutStore, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(descriptor: int) -> None:
        raise KeyboardInterrupt

    before = files(directory)
    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        push_blob(store, b"layer")
    assert files(directory) == before


def test_a_full_disk_is_said_and_leaves_no_file(
    store: LayoutStore, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    before = files(directory)
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(EnvironmentFailure) as caught:
        push_blob(store, b"layer")
    assert caught.value.message == "no space left on device"
    assert "free some space" in (caught.value.hint or "")
    assert files(directory) == before


def test_blobs_are_on_disk_before_the_index_names_them(
    store: LayoutStore, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    sync = layout_files.LayoutFiles.sync

    def spy(self: layout_files.LayoutFiles, relative: str) -> None:
        synced.append(relative)
        sync(self, relative)

    monkeypatch.setattr(layout_files.LayoutFiles, "sync", spy)
    push_image(store, b"layer")
    assert synced == ["blobs/sha256", ""]


def test_an_unfinished_file_of_another_run_is_in_nobodys_way(tmp_path: Path) -> None:
    (tmp_path / f"{layout_files.UNFINISHED}0123").write_bytes(b"half")
    store = LayoutStore(tmp_path, create=True, lock=thread_lock())
    assert store.resolve(push_image(store, b"layer").digest)


@pytest.mark.parametrize("linked", ["index.json", "oci-layout", "blobs", "blobs/sha256"])
def test_a_link_out_of_the_layout_is_not_followed(store: LayoutStore, directory: Path, linked: str) -> None:
    image = push_image(store, b"layer")
    outside = directory.parent / "outside"
    (directory / linked).rename(outside)
    (directory / linked).symlink_to(outside)
    before = outside.read_bytes() if outside.is_file() else files(outside)
    with pytest.raises(MalformedManifest, match="leads out of the layout"):
        reopened(directory).resolve(image.digest)
    with pytest.raises(MalformedManifest, match="leads out of the layout"):
        push_image(reopened(directory), b"another")
    assert (outside.read_bytes() if outside.is_file() else files(outside)) == before


def test_a_blob_that_links_out_of_the_layout_is_not_followed(store: LayoutStore, directory: Path) -> None:
    secret = directory.parent / "secret"
    secret.write_bytes(b"layer")
    blob = push_blob(store, b"layer")
    blob_path(directory, blob).unlink()
    blob_path(directory, blob).symlink_to(secret)
    for read in (lambda: store.fetch(blob, 5), lambda: store.open(blob), lambda: store.exists(blob)):
        with pytest.raises(MalformedManifest, match="leads out of the layout"):
            read()


def test_a_link_inside_the_layout_is_followed(store: LayoutStore, directory: Path) -> None:
    blob = push_blob(store, b"layer")
    blob_path(directory, blob).rename(directory / "shared")
    blob_path(directory, blob).symlink_to("../../shared")
    assert store.fetch(blob, 5) == b"layer"


def test_a_layout_may_be_reached_by_a_link(store: LayoutStore, directory: Path) -> None:
    image = push_image(store, b"layer")
    (directory.parent / "link").symlink_to(directory)
    assert reopened(directory.parent / "link").resolve(image.digest) == image


def test_a_named_pipe_in_place_of_a_blob_does_not_hang(store: LayoutStore, directory: Path) -> None:
    blob = push_blob(store, b"layer")
    blob_path(directory, blob).unlink()
    os.mkfifo(blob_path(directory, blob))
    assert not store.exists(blob)
    with pytest.raises(MalformedManifest, match="not a regular file"):
        store.fetch(blob, 5)


def test_files_can_be_read_by_whoever_the_user_lets(store: LayoutStore, directory: Path) -> None:
    mask = os.umask(0o022)
    try:
        blob = push_blob(store, b"layer")
    finally:
        os.umask(mask)
    assert blob_path(directory, blob).stat().st_mode & 0o777 == 0o644


def test_a_blob_is_never_whole_in_memory(store: LayoutStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout_directory, "CHUNK", 4)
    chunks: list[int] = []
    write = layout_files.LayoutFiles.write

    def spy(self: layout_files.LayoutFiles, relative: str, pieces: Iterable[bytes], size: int) -> None:
        kept = list(pieces)
        chunks.extend(map(len, kept))
        write(self, relative, kept, size)

    monkeypatch.setattr(layout_files.LayoutFiles, "write", spy)
    blob = push_blob(store, b"ten  bytes")
    assert chunks == [4, 4, 2]
    assert store.fetch(blob, 10) == b"ten  bytes"


def test_a_store_that_was_closed_makes_nothing_any_more_not_even_directories(
    store: LayoutStore, directory: Path
) -> None:
    store.close()
    shutil.rmtree(directory)
    with pytest.raises(EnvironmentFailure, match="interrupted"):
        push_blob(store, b"of a thread that was slow")
    assert not directory.exists()


@pytest.mark.timeout(60)
def test_a_store_is_closed_though_an_interruption_came_just_as_a_name_was_to_be_made(
    store: LayoutStore,
) -> None:
    def interrupted(frame: FrameType, event: str, function: object) -> None:
        entered = frame.f_locals.get("self")
        if event == "c_return" and function is next and isinstance(entered, AbstractContextManager):
            sys.setprofile(None)
            raise KeyboardInterrupt

    try:
        sys.setprofile(interrupted)
        push_blob(store, b"x")
    except KeyboardInterrupt:
        store.close()  # while the traceback holds whoever was interrupted
    else:
        pytest.fail("nothing was interrupted")
    finally:
        sys.setprofile(None)
    with pytest.raises(EnvironmentFailure, match="interrupted"):
        push_blob(store, b"x")
