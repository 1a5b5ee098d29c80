import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from nv2.content.interface import opener
from nv2.content.layout import directory as layout_directory
from nv2.content.layout import files as layout_files
from nv2.content.layout import referrers as layout_referrers
from nv2.content.layout.store import LayoutStore
from nv2.errors import (
    ArtifactError,
    BadAnswer,
    ContentMismatch,
    EnvironmentFailure,
    MalformedManifest,
    NotFound,
)
from nv2.oci import media_types as mt
from nv2.oci.descriptor import Descriptor, describe
from tests.world.artifacts import (
    SBOM,
    attach_referrer,
    push_blob,
    push_image,
    push_index,
    push_manifest,
    push_referrer,
    thread_lock,
)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "layout"


@pytest.fixture
def store(directory: Path) -> LayoutStore:
    return LayoutStore(directory, create=True, lock=thread_lock())


def reopened(directory: Path) -> LayoutStore:
    return LayoutStore(directory, lock=thread_lock())


def files(directory: Path) -> dict[str, bytes]:
    return {str(p.relative_to(directory)): p.read_bytes() for p in directory.rglob("*") if p.is_file()}


def index_of(directory: Path) -> Any:
    return json.loads((directory / "index.json").read_bytes())


def blob_path(directory: Path, descriptor: Descriptor) -> Path:
    return directory / "blobs" / descriptor.digest.replace(":", "/")


def change_index(directory: Path, change: Callable[[Any], None]) -> None:
    document = index_of(directory)
    change(document)
    (directory / "index.json").write_text(json.dumps(document))


# Making and opening


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
    with pytest.raises(EnvironmentFailure) as caught:
        reopened(archive)
    assert caught.value.hint == "unpack the archive and name the directory"
    with pytest.raises(EnvironmentFailure):
        LayoutStore(archive, create=True, lock=thread_lock())


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


# Tags and digests


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


# The index and its other writers


def test_entries_and_fields_of_others_stay(store: LayoutStore, directory: Path) -> None:
    theirs = {**describe(b"x", "application/x").to_json(), "platform": {"os": "plan9"}, "x": [1, {"y": None}]}

    def add(document: Any) -> None:
        document["manifests"].append(theirs)
        document["annotations"] = {"org.olareg.referrer.convert": "true"}

    change_index(directory, add)
    store.tag(push_image(store, b"layer"), "v1")
    document = index_of(directory)
    assert document["manifests"][0] == theirs
    assert document["annotations"] == {"org.olareg.referrer.convert": "true"}


def test_a_tagged_entry_keeps_its_other_fields_when_the_tag_moves(
    store: LayoutStore, directory: Path
) -> None:
    old, new = push_image(store, b"old"), push_image(store, b"new")
    store.tag(old, "v1")
    platform = {"os": "linux", "architecture": "arm64"}
    change_index(directory, lambda d: d["manifests"][-1].update(platform=platform))
    change_index(directory, lambda d: d["manifests"][-1]["annotations"].update(who="wabbit"))
    store.tag(new, "v1")
    kept = next(e for e in index_of(directory)["manifests"] if e["digest"] == old.digest)
    assert (kept["platform"], kept["annotations"]) == (platform, {"who": "wabbit"})


def test_what_another_program_wrote_meanwhile_is_kept(store: LayoutStore, directory: Path) -> None:
    image, other = push_image(store, b"layer"), push_image(reopened(directory), b"other")
    store.tag(image, "v1")
    assert other.digest in {entry["digest"] for entry in index_of(directory)["manifests"]}


def test_the_index_is_read_and_written_under_one_lock(directory: Path) -> None:
    held: list[str] = []
    seen: list[bytes] = []

    @contextmanager
    def lock(key: str) -> Iterator[None]:
        before = files(directory).get("index.json", b"")
        held.append(key)
        yield
        seen.extend({before, files(directory)["index.json"]})

    store = LayoutStore(directory, create=True, lock=lock)
    push_image(store, b"layer")
    assert set(held) == {f"layout:{directory.resolve()}"}
    assert len(set(seen)) == 3


def test_an_index_that_would_stay_the_same_is_not_written(store: LayoutStore, directory: Path) -> None:
    image = push_image(store, b"layer")
    store.tag(image, "v1")
    signature = attach_referrer(store, image)
    written = (directory / "index.json").stat().st_ino
    push_image(store, b"layer")
    store.tag(image, "v1")
    store.attach(image, [signature])
    assert (directory / "index.json").stat().st_ino == written


@pytest.mark.parametrize("manifests", ["null", "[]"])
def test_an_index_without_entries_is_empty(store: LayoutStore, directory: Path, manifests: str) -> None:
    (directory / "index.json").write_text(f'{{"schemaVersion": 2, "manifests": {manifests}}}')
    image = push_image(store, b"layer")
    assert store.resolve(image.digest) == image


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        '{"manifests": {}}',
        '{"manifests": [1]}',
        '{"manifests": [{"digest": "sha256:0", "size": 1, "mediaType": "x"}]}',
        '{"mediaType": "application/vnd.oci.image.manifest.v1+json"}',
        '{"manifests": [], "manifests": []}',
    ],
)
def test_an_index_that_cannot_be_read_is_refused_and_not_replaced(
    store: LayoutStore, directory: Path, content: str
) -> None:
    image = push_image(store, b"layer")
    (directory / "index.json").write_text(content)
    for act in (lambda: store.resolve("v1"), lambda: store.tag(image, "v1"), lambda: store.referrers(image)):
        with pytest.raises(MalformedManifest, match=r"index\.json"):
            act()
    assert (directory / "index.json").read_text() == content


# Referrers


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


# The disk


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

    def spy(self: layout_files.LayoutFiles, relative: str, pieces: Iterable[bytes]) -> None:
        kept = list(pieces)
        chunks.extend(map(len, kept))
        write(self, relative, kept)

    monkeypatch.setattr(layout_files.LayoutFiles, "write", spy)
    blob = push_blob(store, b"ten  bytes")
    assert chunks == [4, 4, 2]
    assert store.fetch(blob, 10) == b"ten  bytes"
