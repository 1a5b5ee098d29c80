"""Bundles of somebody who wants something: each is refused with a place, and nothing is unpacked, written or asked."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from nv2.bundling.checking import check_tags
from nv2.bundling.contents import (
    BUNDLE,
    REFERENCE,
    TRUST,
    Contents,
    Image,
    build_contents,
    layout_tags,
    parse_contents,
)
from nv2.bundling.trust_manifest import (
    CERTIFICATES,
    MAX_FILE,
    MAX_FILES,
    POLICY,
    POLICY_NAME,
    TITLE,
    unpack_trust,
)
from nv2.content.interface import opener
from nv2.content.layout.store import LayoutStore
from nv2.errors import ArtifactError, BadAnswer, MalformedManifest, Nv2Error
from nv2.notary.bundles import open_bundle
from nv2.oci import media_types as mt
from nv2.oci.descriptor import Descriptor, describe
from nv2.oci.manifest import EMPTY_CONFIG
from nv2.oci.reference import parse_registry
from tests.world.artifacts import attach_referrer, push_image, push_manifest, thread_lock

CREATED = datetime(2026, 11, 22, tzinfo=UTC)
NAME = "registry.example.com/app:v1"
Members = list[tuple[tarfile.TarInfo, bytes]]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "b.tar"


@pytest.fixture
def good(file: Path) -> Path:
    """A whole bundle with one image and one referrer."""
    store = LayoutStore(file, create=True, lock=thread_lock())
    image = push_image(store, b"layer")
    attach_referrer(store, image)
    referrer = store.referrers(image).descriptors[0]
    images = (Image(parse_registry(NAME), image),)
    data, index = build_contents(Contents(CREATED, images, (Descriptor(*referrer[:4]),)))
    store.push(index, opener(data))
    for descriptor, tag in layout_tags(images):
        store.tag(descriptor, tag)
    store.finish()
    return file


def members(file: Path) -> Members:
    with tarfile.open(file) as archive:
        return [(info, _content(archive, info)) for info in archive]


def _content(archive: tarfile.TarFile, info: tarfile.TarInfo) -> bytes:
    stream = archive.extractfile(info) if info.isfile() else None
    return stream.read() if stream else b""


def pack(file: Path, found: Members) -> None:
    with tarfile.open(file, "w", format=tarfile.PAX_FORMAT) as archive:
        for info, data in found:
            info.size = len(data) if info.isfile() else 0
            archive.addfile(info, io.BytesIO(data))


def add(file: Path, name: str, data: bytes = b"", kind: bytes = tarfile.REGTYPE, link: str = "") -> None:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    pack(file, [*members(file), (info, data)])


def edit(file: Path, name: str, change: Callable[[Any], None]) -> None:
    """Change the JSON of one member, and leave its name as it is."""

    def changed(data: bytes) -> bytes:
        document = json.loads(data)
        change(document)
        return json.dumps(document).encode()

    pack(file, [(info, changed(data) if info.name == name else data) for info, data in members(file)])


def refused(file: Path, said: str) -> None:
    before = sorted(path.name for path in file.parent.iterdir())
    with pytest.raises((ArtifactError, BadAnswer), match=said) as caught:
        open_bundle(str(file))
    assert caught.value.at, "an error without a place"
    assert sorted(path.name for path in file.parent.iterdir()) == before


def test_the_bundle_that_is_tampered_with_below_is_good(good: Path) -> None:
    opened = open_bundle(str(good))
    assert (len(opened.contents.images), len(opened.contents.referrers)) == (1, 1)
    assert opened.contents.created == CREATED


@pytest.mark.parametrize(
    ("name", "kind", "link", "said"),
    [
        ("../evil", tarfile.REGTYPE, "", "leads out of the archive"),
        ("blobs/../../evil", tarfile.REGTYPE, "", "leads out of the archive"),
        ("/etc/evil", tarfile.REGTYPE, "", "leads out of the archive"),
        ("evil", tarfile.SYMTYPE, "/etc", "does not belong to an image layout"),
        ("evil", tarfile.REGTYPE, "", "does not belong to an image layout"),
        ("evil", tarfile.CHRTYPE, "", "does not belong to an image layout"),
        ("evil/", tarfile.DIRTYPE, "", "does not belong to an image layout"),
        ("blobs/sha256/" + "0" * 64, tarfile.SYMTYPE, "/etc/passwd", "is no regular file"),
        ("blobs/sha256/" + "0" * 64, tarfile.LNKTYPE, "index.json", "is no regular file"),
        ("blobs/sha256/" + "0" * 64, tarfile.FIFOTYPE, "", "is no regular file"),
        ("blobs/sha256/" + "0" * 64, tarfile.REGTYPE, "", "its contents do not name it"),
        ("blobs/sha256/letter.txt", tarfile.REGTYPE, "", "its contents do not name it"),
        ("blobs/md5/letter", tarfile.REGTYPE, "", "its contents do not name it"),
        ("index.json", tarfile.REGTYPE, "", "in the archive twice"),
    ],
)
def test_a_member_that_does_not_belong_there_is_refused(
    good: Path, name: str, kind: bytes, link: str, said: str
) -> None:
    add(good, name, kind=kind, link=link)
    refused(good, said)


def test_every_file_is_compared_with_its_digest(good: Path) -> None:
    found = members(good)
    blobs = [
        number for number, (info, data) in enumerate(found) if info.name.startswith("blobs/sha256/") and data
    ]
    assert len(blobs) >= 6
    for number in blobs:
        changed = list(found)
        info, data = changed[number]
        changed[number] = (info, data[:-1] + bytes([data[-1] ^ 1]))
        pack(good, changed)
        with pytest.raises(Nv2Error):
            open_bundle(str(good))


def test_every_file_is_needed(good: Path) -> None:
    found = members(good)
    for number, (info, _) in enumerate(found):
        if info.isfile():
            pack(good, found[:number] + found[number + 1 :])
            with pytest.raises(Nv2Error):
                open_bundle(str(good))


def test_a_bundle_that_was_cut_off_is_refused_wherever_that_was(good: Path) -> None:
    data = good.read_bytes()
    for end in range(0, len(data) - 1024, 512):
        good.write_bytes(data[:end])
        with pytest.raises(Nv2Error):
            open_bundle(str(good))


def test_a_layout_without_contents_is_no_bundle(file: Path) -> None:
    store = LayoutStore(file, create=True, lock=thread_lock())
    push_image(store, b"layer")
    store.finish()
    refused(file, "is no bundle")


def test_contents_that_are_listed_twice_are_refused(good: Path) -> None:
    store = LayoutStore(good, push=True, lock=thread_lock())
    image = store.resolve("v1")
    data, index = build_contents(Contents(CREATED.replace(day=1), (Image(parse_registry(NAME), image),)))
    store.push(index, opener(data))
    store.finish()
    refused(good, "contents of 2 bundles")


def test_a_referrer_that_was_slipped_in_is_refused(good: Path) -> None:
    store = LayoutStore(good, push=True, lock=thread_lock())
    attach_referrer(store, store.resolve("v1"), b"another")
    store.finish()
    refused(good, "its contents do not name it")


def test_a_tag_for_other_programs_that_the_contents_do_not_have_is_refused(good: Path) -> None:
    store = LayoutStore(good, push=True, lock=thread_lock())
    store.tag(store.resolve("v1"), "v2")
    store.finish()
    refused(good, "differ about the tag")


def test_a_tag_that_is_moved_for_other_programs_is_refused(good: Path) -> None:
    def move(index: Any) -> None:
        tags = [entry for entry in index["manifests"] if mt.REF_NAME in entry.get("annotations", {})]
        others = [entry for entry in index["manifests"] if entry not in tags]
        others[0]["annotations"] = tags[0].pop("annotations")

    edit(good, "index.json", move)
    refused(good, "differ about the tag")


def _contents(**changes: Any) -> dict[str, Any]:
    """Contents of one image, which is not there: the document is refused before anybody looks."""
    image = describe(b"{}", mt.IMAGE_MANIFEST).to_json()
    image["annotations"] = {REFERENCE: NAME}
    document = {
        "schemaVersion": 2,
        "mediaType": mt.IMAGE_INDEX,
        "artifactType": BUNDLE,
        "manifests": [image],
        "annotations": {mt.CREATED: "2026-11-22T00:00:00Z"},
    }
    return {**document, **changes}


def _image(reference: str, data: bytes = b"{}", **changes: Any) -> dict[str, Any]:
    return {**describe(data, mt.IMAGE_MANIFEST).to_json(), "annotations": {REFERENCE: reference}, **changes}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"manifests": []}, "brings no image"),
        ({"manifests": [_image("app:v1")]}, "a registry is missing"),
        ({"manifests": [_image("registry.example.com/app")]}, "does not name this manifest"),
        (
            {"manifests": [_image(f"registry.example.com/app@sha256:{'0' * 64}")]},
            "does not name this manifest",
        ),
        ({"manifests": [_image("registry.example.com/../app:v1")]}, "invalid repository"),
        ({"manifests": [_image(NAME, mediaType="text/plain")]}, "is no manifest"),
        ({"manifests": [_image(NAME), _image(NAME, b"{ }")]}, "names two manifests"),
        ({"annotations": {}}, "does not say when it was made"),
        ({"annotations": {mt.CREATED: "2026-11-22T00:00:00"}}, "does not say when it was made"),
        ({"annotations": {mt.CREATED: "yesterday"}}, "does not say when it was made"),
        ({"subject": describe(b"x", mt.IMAGE_MANIFEST).to_json()}, "is not the contents of a bundle"),
    ],
)
def test_contents_that_cannot_be_are_refused(file: Path, changes: dict[str, Any], said: str) -> None:
    store = LayoutStore(file, create=True, lock=thread_lock())
    descriptor = push_manifest(store, _contents(**changes), mt.IMAGE_INDEX)
    store.attach(descriptor, [descriptor._replace(artifact_type=BUNDLE)])
    store.finish()
    refused(file, said)


def test_an_archive_that_is_compressed_is_not_unpacked(good: Path, tmp_path: Path) -> None:
    import gzip

    good.write_bytes(gzip.compress(good.read_bytes()))
    refused(good, "no header of a tar archive|compressed")


def test_a_listing_of_what_the_contents_do_not_name_is_refused(good: Path) -> None:
    layer = describe(b"layer", "application/octet-stream").to_json()
    edit(good, "index.json", lambda index: index["manifests"].append(layer))
    refused(good, "is listed in index.json, and not in the contents")


def with_another(file: Path, **more: Any) -> None:
    """A bundle that names one manifest more, beside its image."""
    store = LayoutStore(file, create=True, lock=thread_lock())
    image, other = push_image(store, b"layer"), push_image(store, b"other", **more)
    data, index = build_contents(Contents(CREATED, (Image(parse_registry(NAME), image),), (other,)))
    store.push(index, opener(data))
    store.attach(other, [other])
    store.tag(image, "v1")
    store.finish()


def test_a_referrer_of_nothing_in_the_bundle_is_refused(file: Path) -> None:
    with_another(file, subject=describe(b"absent", mt.IMAGE_MANIFEST))
    refused(file, "refers to nothing in the bundle")


def made_by_a_newer_one(file: Path, said: str) -> None:
    with pytest.raises(MalformedManifest, match=said) as caught:
        open_bundle(str(file))
    assert caught.value.hint is not None and "a newer nv2" in caught.value.hint


def test_a_kind_that_is_not_known_yet_is_refused_and_it_is_said_who_may_know_it(file: Path) -> None:
    with_another(file)
    made_by_a_newer_one(file, "its kind is not known here")


def test_so_is_a_bundle_of_a_later_version(good: Path) -> None:
    def later(index: Any) -> None:
        [entry] = [each for each in index["manifests"] if each.get("artifactType") == BUNDLE]
        entry["artifactType"] = BUNDLE.replace("v1", "v2")

    edit(good, "index.json", later)
    made_by_a_newer_one(good, "of a kind that is not known here: 'application/vnd.nv2.bundle.v2")


@pytest.mark.parametrize("change", [{"size": 999}, {"mediaType": mt.IMAGE_INDEX}])
def test_a_listing_that_says_something_else_of_the_same_digest_is_refused(
    good: Path, change: dict[str, Any]
) -> None:
    """Who goes by it would read the image as an index, or refuse it."""

    def confuse(index: Any) -> None:
        [tagged] = [entry for entry in index["manifests"] if mt.REF_NAME in entry.get("annotations", {})]
        tagged.update(change)

    edit(good, "index.json", confuse)
    refused(good, "bytes instead of 999|came as")


@pytest.mark.parametrize("change", [{"size": 999}, {"media_type": mt.IMAGE_INDEX}])
def test_so_is_one_of_content_that_does_not_name_its_own_type(good: Path, change: dict[str, Any]) -> None:
    bundle = open_bundle(str(good))
    listed = [entry._replace(**change) for entry in bundle.store.listed()]
    with pytest.raises(MalformedManifest, match="differ about its media type or size"):
        check_tags(listed, bundle.contents, bundle.manifests, "b.tar")


@pytest.mark.parametrize("created", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_an_instant_that_no_calendar_in_utc_has_is_none(file: Path, created: str) -> None:
    with pytest.raises(MalformedManifest, match="does not say when"):
        parse_contents(json.dumps(_contents(annotations={mt.CREATED: created})).encode(), "contents")


def test_a_tag_that_would_name_two_images_for_other_programs_names_none() -> None:
    names = ("a-b.example/app:v1", "a.b.example/app:v1", "a.b.example/other:v2")
    images = [Image(parse_registry(name), describe(name.encode(), mt.IMAGE_MANIFEST)) for name in names]
    assert [tag for _, tag in layout_tags(images)] == ["v2"]
    alias = Image(images[1].reference, images[0].descriptor)
    assert [tag for _, tag in layout_tags((images[0], alias))] == ["a.b.example.app-v1"]


def _trust(*layers: dict[str, Any]) -> bytes:
    document = {
        "schemaVersion": 2,
        "mediaType": mt.IMAGE_MANIFEST,
        "artifactType": TRUST,
        "config": describe(EMPTY_CONFIG, mt.EMPTY).to_json(),
        "layers": [_layer(POLICY_NAME, POLICY), *layers],
    }
    return json.dumps(document).encode()


def _layer(title: str, media_type: str = CERTIFICATES, size: int = 2) -> dict[str, Any]:
    return {
        **describe(b"{}", media_type).to_json(),
        "size": size,
        "annotations": {TITLE: title},
    }


STORE = "truststore/x509/ca/acme/"


@pytest.mark.parametrize(
    ("layers", "said"),
    [
        ([_layer(STORE + "root\0.crt")], "no file of a trust store"),
        ([_layer(STORE + "root\n.crt")], "no file of a trust store"),
        ([_layer(STORE + "\x1b[2J.crt")], "no file of a trust store"),
        ([_layer(STORE + "\ud800.crt")], "no file of a trust store|surrogate|UTF-8"),
        ([_layer(STORE + "\u00e9" * 101)], "no file of a trust store"),
        ([_layer(STORE + "..")], "no file of a trust store"),
        ([_layer(STORE + "../../../evil")], "no file of a trust store"),
        ([_layer("truststore/x509/ca/../root.crt")], "."),
        ([_layer(STORE + "root.crt"), _layer(STORE + "ROOT.crt")], "does not belong here"),
        ([_layer(STORE + "\u00e9.crt"), _layer(STORE + "e\u0301.crt")], "does not belong here"),
        ([_layer(STORE + "root.crt", "text/plain")], "does not belong here"),
        ([_layer(POLICY_NAME, POLICY)], "no file of a trust store"),
        ([_layer(f"{STORE}{number}", size=MAX_FILE) for number in range(17)], "bytes of trust"),
        ([_layer(STORE + "root.crt", size=MAX_FILE + 1)], "a file of more than"),
        ([_layer(f"{STORE}{number}") for number in range(MAX_FILES)], "files of trust"),
    ],
)
def test_files_of_trust_that_cannot_be_are_refused(layers: list[dict[str, Any]], said: str) -> None:
    with pytest.raises(MalformedManifest, match=said):
        unpack_trust(_trust(*layers), lambda descriptor: b"x" * min(descriptor.size, 9), "trust")


def test_files_of_trust_with_names_in_any_script_are_read() -> None:
    found = unpack_trust(_trust(_layer(STORE + "\u00e9t\u00e9.crt")), lambda _: b"{}", "trust")
    assert [str(file) for file in found.files] == [STORE + "\u00e9t\u00e9.crt"]


@pytest.mark.parametrize("name", ["path", "size"])
def test_a_name_or_size_for_all_files_is_refused_and_a_comment_is_not(good: Path, name: str) -> None:
    """Programs differ in whether it holds for the next file or for all."""
    plain = good.read_bytes()

    def begins_with(records: dict[str, str]) -> None:
        good.write_bytes(tarfile.TarInfo.create_pax_global_header(records) + plain)

    begins_with({"comment": "made by hand"})
    assert open_bundle(str(good)).contents.images
    begins_with({name: "0"})
    refused(good, "one name or size for all files")


def test_a_file_with_two_names_is_refused(good: Path) -> None:
    """A long name of GNU, and one of pax: programs differ in which one counts."""
    plain, block = good.read_bytes(), 512
    long_name = tarfile.TarInfo("././@LongLink")
    long_name.type, long_name.size = tarfile.GNUTYPE_LONGNAME, 5
    pax = tarfile.TarInfo("blobs/x")
    pax.pax_headers = {"path": "blobs/x"}
    named_twice = long_name.tobuf(tarfile.GNU_FORMAT) + b"blobs".ljust(block, b"\0")
    good.write_bytes(named_twice + pax.tobuf(tarfile.PAX_FORMAT)[: 2 * block] + plain)
    refused(good, "two extensions say different things")
