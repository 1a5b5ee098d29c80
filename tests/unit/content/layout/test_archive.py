"""A layout in a tar archive: read where it stands, and refused where two programs could read it differently."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from nv2.content.interface import opener
from nv2.content.layout import tar_index
from nv2.content.layout.store import LayoutStore
from nv2.errors import BadAnswer, ContentMismatch, EnvironmentFailure, MalformedManifest
from nv2.oci import media_types as mt
from nv2.oci.descriptor import Descriptor
from nv2.oci.digest import digest_of
from tests.unit.content.layout.on_disk import blob_path, reopened
from tests.world.artifacts import attach_referrer, push_image, thread_lock

Names = list[tuple[str, bytes]]
SHA512 = Descriptor(mt.OCTET_STREAM, digest_of(b"layer", "sha512"), 5)


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return tmp_path / "image.tar"


def member(name: str, kind: bytes = tarfile.REGTYPE, **fields: object) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type = kind
    for field, value in fields.items():
        setattr(made, field, value)
    return made


def pack(directory: Path, archive: Path, *more: tarfile.TarInfo, form: int = tarfile.GNU_FORMAT) -> None:
    """The layout in `directory`, and then `more`, each with as many zeros as its size says."""
    with tarfile.open(archive, "w", format=form) as file:
        file.add(directory, ".")
        for each in more:
            file.addfile(each, io.BytesIO(bytes(each.size)))


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_names_too_long_for_a_header_are_found(
    store: LayoutStore, directory: Path, archive: Path, form: int
) -> None:
    store.push(SHA512, opener(b"layer"))
    pack(directory, archive, form=form)
    assert reopened(archive).fetch(SHA512, 5) == b"layer"


def test_what_docker_save_adds_is_left_out(store: LayoutStore, directory: Path, archive: Path) -> None:
    image = push_image(store, b"layer")
    store.tag(image, "v1")
    layer = member("0a1b/layer.tar", tarfile.SYMTYPE, linkname="../blobs/sha256/0a1b")
    pack(directory, archive, member("manifest.json", size=700), member("repositories", size=3), layer)
    assert reopened(archive).resolve("v1") == image


def test_opening_reads_headers_and_no_content(
    store: LayoutStore, directory: Path, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = push_image(store, bytes(1_000_000))
    attach_referrer(store, image)
    pack(directory, archive)
    read: list[int] = []
    exactly = tar_index.exactly

    def counted(stream: io.FileIO, position: int, count: int) -> bytes:
        read.append(count)
        return exactly(stream, position, count)

    monkeypatch.setattr(tar_index, "exactly", counted)
    with_index = reopened(archive)
    assert sum(read) < 20_000
    read.clear()
    assert with_index.resolve(image.digest) == image
    assert len(with_index.referrers(image).descriptors) == 1
    assert read == []


def test_an_archive_that_was_opened_to_be_read_is_not_written_to(
    store: LayoutStore, directory: Path, archive: Path
) -> None:
    image = push_image(store, b"layer")
    pack(directory, archive)
    before = archive.read_bytes()
    opened = reopened(archive)
    with pytest.raises(EnvironmentFailure, match="opened to be read"):
        opened.tag(image, "v1")
    with pytest.raises(EnvironmentFailure, match="opened to be read"):
        opened.remove(image)
    opened.finish()
    assert archive.read_bytes() == before


def test_a_directory_that_is_called_like_an_archive_stays_one(archive: Path) -> None:
    archive.mkdir()
    made = LayoutStore(archive, create=True, lock=thread_lock())
    assert made.resolve(push_image(made, b"layer").digest)


def test_an_archive_that_is_replaced_meanwhile_is_read_no_further(
    store: LayoutStore, directory: Path, archive: Path, tmp_path: Path
) -> None:
    image = push_image(store, b"layer")
    pack(directory, archive)
    opened = reopened(archive)
    push_image(store, b"another")
    pack(directory, tmp_path / "new.tar")
    os.replace(tmp_path / "new.tar", archive)
    with pytest.raises(EnvironmentFailure, match="changed while it was read"):
        opened.resolve(image.digest)
    archive.unlink()
    with pytest.raises(EnvironmentFailure, match="changed while it was read"):
        opened.fetch(image, 1000)


def sparse(name: str) -> tarfile.TarInfo:
    return member(name, pax_headers={"GNU.sparse.major": "1"})


JUNK: dict[str, tuple[tarfile.TarInfo, str]] = {
    "a name with ..": (member("blobs/../../outside"), "leads out of the archive"),
    "a name of something else with ..": (member("../notes.txt"), "leads out of the archive"),
    "an absolute name": (member("/etc/passwd"), "leads out of the archive"),
    "a symbolic link": (
        member("blobs/sha256/00", tarfile.SYMTYPE, linkname="/etc/passwd"),
        "no regular file",
    ),
    "a link for a directory": (member("blobs", tarfile.SYMTYPE, linkname="/"), "no regular file"),
    "a hard link": (member("blobs/sha256/00", tarfile.LNKTYPE, linkname="index.json"), "no regular file"),
    "a device": (member("blobs/sha256/00", tarfile.CHRTYPE), "no regular file"),
    "a pipe": (member("blobs/sha256/00", tarfile.FIFOTYPE), "no regular file"),
    "index.json twice": (member("index.json"), "twice"),
    "index.json twice, spelt differently": (member(".//./index.json"), "twice"),
    "a sparse file": (member("blobs/sha256/00", tarfile.GNUTYPE_SPARSE), "sparse"),
    "a sparse file in an extension": (sparse("blobs/sha256/00"), "sparse"),
    "an unknown kind": (member("blobs/sha256/00", b"Z"), "unknown"),
    "a link with content": (member("other", tarfile.SYMTYPE, size=5), "with content"),
    "a long name without a file": (member("x", tarfile.GNUTYPE_LONGNAME, size=5), "belongs to no file"),
    "an extension of junk": (member("x", tarfile.XHDTYPE, size=5), "cannot be read"),
    "a size that is no number": (member("x", pax_headers={"size": "-1"}), "no number"),
    "an empty name": (member("x", pax_headers={"path": ""}), "no name"),
}


@pytest.mark.parametrize("junk", JUNK)
def test_an_odd_archive_is_refused_with_its_place(
    store: LayoutStore, directory: Path, archive: Path, junk: str
) -> None:
    push_image(store, b"layer")
    odd, message = JUNK[junk]
    pack(directory, archive, odd, form=tarfile.PAX_FORMAT if odd.pax_headers else tarfile.GNU_FORMAT)
    with pytest.raises(MalformedManifest, match=message) as caught:
        reopened(archive)
    assert str(archive) in (caught.value.at or "")
    assert "byte" in (caught.value.at or "") or "belongs" in message


def cut(size: int) -> Callable[[bytes], bytes]:
    return lambda data: data[:size]


def spoilt(data: bytes) -> bytes:
    return data[:512] + b"x" + data[513:]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param(gzip.compress, "compressed", id="gzip"),
        pytest.param(lambda data: b"\x28\xb5\x2f\xfd" + data, "compressed", id="zstd"),
        pytest.param(cut(0), "no header", id="nothing"),
        pytest.param(cut(100), "no header", id="a part of a header"),
        pytest.param(lambda data: data.rstrip(b"\0"), "ends in the middle|no end mark", id="cut off"),
        pytest.param(cut(512), "no end mark", id="no end"),
        pytest.param(lambda _: bytes(10_240), "a header is empty", id="nothing but the end"),
        pytest.param(spoilt, "no header", id="a wrong checksum"),
        pytest.param(lambda data: data[:512] + bytes(512) + data[512:], "a header is empty", id="a gap"),
        pytest.param(lambda _: b"PK\x03\x04" + bytes(2000), "no header", id="zip"),
    ],
)
def test_what_is_no_whole_tar_archive_is_refused(
    store: LayoutStore,
    directory: Path,
    archive: Path,
    change: Callable[[bytes], bytes],
    message: str,
) -> None:
    push_image(store, b"layer")
    pack(directory, archive)
    archive.write_bytes(change(archive.read_bytes()))
    with pytest.raises(MalformedManifest, match=message):
        reopened(archive)


def test_a_compressed_archive_is_refused_with_the_command_that_helps(archive: Path) -> None:
    archive.write_bytes(gzip.compress(b"archive"))
    with pytest.raises(MalformedManifest) as caught:
        reopened(archive)
    assert caught.value.hint == "decompress it first: gzip -dc image.tar > image.tar"


def test_an_archive_without_a_layout_says_who_writes_one(tmp_path: Path, archive: Path) -> None:
    (tmp_path / "other").mkdir()
    pack(tmp_path / "other", archive, member("manifest.json", size=4))
    with pytest.raises(EnvironmentFailure, match="no file oci-layout") as caught:
        reopened(archive)
    assert "docker save" in (caught.value.hint or "")


def test_content_that_does_not_fit_its_digest_is_refused(
    store: LayoutStore, directory: Path, archive: Path
) -> None:
    image = push_image(store, b"layer")
    pack(directory, archive)
    manifest = blob_path(directory, image).read_bytes()
    archive.write_bytes(archive.read_bytes().replace(manifest, manifest.replace(b"2", b"3", 1)))
    with pytest.raises(ContentMismatch):
        reopened(archive).resolve(image.digest)


@pytest.mark.parametrize(
    ("limit", "value", "message"),
    [("MAX_HEADERS", 3, "more than 3 headers"), ("MAX_EXTENSION", 20, "extension")],
)
def test_an_archive_above_the_limits_is_not_indexed(
    store: LayoutStore,
    directory: Path,
    archive: Path,
    monkeypatch: pytest.MonkeyPatch,
    limit: str,
    value: int,
    message: str,
) -> None:
    store.push(SHA512, opener(b"layer"))
    pack(directory, archive)
    monkeypatch.setattr(tar_index, limit, value)
    with pytest.raises(BadAnswer, match=message):
        reopened(archive)


def test_a_size_beyond_every_disk_is_refused(store: LayoutStore, directory: Path, archive: Path) -> None:
    pack(directory, archive)
    header = member("blobs/sha256/00", size=2**80).tobuf(tarfile.GNU_FORMAT)
    archive.write_bytes(header + archive.read_bytes())
    with pytest.raises(MalformedManifest, match="ends in the middle of a file"):
        reopened(archive)
