"""A layout in a tar archive that is written: seen whole or not at all, and nothing of it is lost."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import tarfile
import threading
from pathlib import Path
from typing import BinaryIO

import pytest

from nv2.content.interface import opener
from nv2.content.layout.store import LayoutStore
from nv2.content.layout.tar_writer import SMALL
from nv2.errors import ContentMismatch, EnvironmentFailure, NotFound
from nv2.oci import media_types as mt
from nv2.oci.descriptor import Descriptor, describe
from nv2.oci.digest import digest_of
from tests.world.artifacts import attach_referrer, push_blob, push_image, push_index, thread_lock

LOCK = thread_lock()
LARGE = bytes(range(256)) * (SMALL // 64)


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return tmp_path / "image.tar"


def writing(archive: Path) -> LayoutStore:
    return LayoutStore(archive, create=True, lock=LOCK)


def reading(archive: Path) -> LayoutStore:
    return LayoutStore(archive, lock=LOCK)


def tagged(archive: Path, tag: str, content: bytes = b"layer") -> Descriptor:
    """An image under `tag`, written by a writer of its own."""
    store = writing(archive)
    image = push_image(store, content)
    attach_referrer(store, image)
    store.tag(image, tag)
    store.finish()
    store.close()
    return image


def test_what_was_written_is_there_with_its_referrers(archive: Path) -> None:
    image = tagged(archive, "v1", LARGE)
    assert reading(archive).resolve("v1") == image
    assert len(reading(archive).referrers(image).descriptors) == 1


def test_any_program_that_reads_tar_reads_it_and_the_index_stands_last(archive: Path, tmp_path: Path) -> None:
    image = tagged(archive, "v1", LARGE)
    with tarfile.open(archive) as file:
        names = file.getnames()
        file.extractall(tmp_path / "unpacked", filter="data")
    assert (names[0], names[-1]) == ("oci-layout", "index.json")
    assert len(names) == len(set(names))
    assert reading(tmp_path / "unpacked").resolve("v1") == image


def test_nothing_is_there_before_it_is_finished(archive: Path) -> None:
    store = writing(archive)
    store.tag(push_image(store, LARGE), "v1")
    assert not archive.exists()
    store.close()
    assert not archive.exists()


def test_the_writer_sees_what_it_wrote_before_others_do(archive: Path) -> None:
    first = tagged(archive, "v1")
    store = writing(archive)
    image = push_image(store, LARGE)
    store.tag(image, "v2")
    assert (store.resolve("v2"), store.resolve("v1")) == (image, first)
    assert store.fetch(describe(LARGE, mt.OCTET_STREAM), len(LARGE)) == LARGE
    with pytest.raises(NotFound):
        reading(archive).resolve("v2")
    store.close()


def test_another_tag_leaves_what_was_there(archive: Path) -> None:
    images = [tagged(archive, "v1"), tagged(archive, "v2", LARGE)]
    archive.chmod(0o640)
    images.append(tagged(archive, "v3", b"third"))
    store = reading(archive)
    assert [store.resolve(tag) for tag in ("v1", "v2", "v3")] == images
    assert all(len(store.referrers(image).descriptors) == 1 for image in images)
    assert archive.stat().st_mode & 0o777 == 0o640


def test_what_others_wrote_meanwhile_stays(archive: Path) -> None:
    one, other = writing(archive), writing(archive)
    for store, tag in ((one, "v1"), (other, "v2")):
        image = push_image(store, tag.encode())
        attach_referrer(store, image)
        store.tag(image, tag)
    one.finish()
    other.finish()
    found = reading(archive)
    for tag in ("v1", "v2"):
        assert len(found.referrers(found.resolve(tag)).descriptors) == 1


def test_an_archive_that_was_replaced_meanwhile_is_not_written_over(archive: Path, tmp_path: Path) -> None:
    tagged(archive, "v1")
    store = writing(archive)
    store.tag(push_image(store, b"layer"), "v2")
    tagged(tmp_path / "other.tar", "v3", b"other")
    os.replace(tmp_path / "other.tar", archive)
    before = archive.read_bytes()
    with pytest.raises(EnvironmentFailure, match="another program replaced the archive"):
        store.finish()
    assert archive.read_bytes() == before
    store.close()


def test_what_is_removed_is_not_in_the_archive_any_more(archive: Path) -> None:
    image = tagged(archive, "v1")
    store = writing(archive)
    store.remove(image)
    assert image.digest not in store.digests()
    with pytest.raises(NotFound):
        store.resolve(image.digest)
    with pytest.raises(NotFound):
        store.fetch(image, image.size)
    store.finish()
    with tarfile.open(archive) as members:
        assert not any(image.digest[7:] in name for name in members.getnames())
    with pytest.raises(NotFound):
        reading(archive).resolve(image.digest)


def test_what_is_removed_and_comes_again_is_there(archive: Path) -> None:
    image = tagged(archive, "v1")
    store = writing(archive)
    store.remove(image)
    store.tag(push_image(store, b"layer"), "v1")
    store.finish()
    assert reading(archive).resolve("v1") == image


def test_only_what_is_to_be_kept_is_in_the_archive(archive: Path) -> None:
    first = tagged(archive, "v1", LARGE)
    store = writing(archive)
    kept, gone = push_blob(store, LARGE[::-1]), push_blob(store, b"gone")
    store.keep_only({kept.digest, first.digest})
    assert store.digests() == {kept.digest, first.digest}
    again = push_blob(store, b"gone")
    store.finish()
    with tarfile.open(archive) as members:
        files = {name[-64:] for name in members.getnames() if len(name) > 64}
    assert files == {each.digest[7:] for each in (kept, first, again)}
    assert gone == again


def test_what_is_removed_stays_where_another_writer_needs_it(archive: Path) -> None:
    image = tagged(archive, "v1")
    ours, other = writing(archive), writing(archive)
    ours.remove(image)
    index = push_index(other, [image])
    other.tag(index, "all")
    other.finish()
    ours.finish()
    found = reading(archive)
    assert found.fetch(image, image.size)
    assert found.resolve("all").digest == index.digest
    with pytest.raises(NotFound):
        found.resolve("v1")


def test_an_archive_to_which_nothing_new_comes_is_not_written_again(archive: Path) -> None:
    tagged(archive, "v1")
    before = archive.stat()
    tagged(archive, "v1")
    assert archive.stat().st_ino == before.st_ino


@pytest.mark.parametrize("content", [b"small", LARGE])
def test_a_blob_that_is_not_what_it_should_be_leaves_no_trace(archive: Path, content: bytes) -> None:
    store = writing(archive)
    wrong = describe(content, mt.OCTET_STREAM)
    with pytest.raises(ContentMismatch):
        store.push(wrong, opener(content[:-1] + b"!"))
    assert not store.exists(wrong)
    image = push_image(store, b"layer")
    store.tag(image, "v1")
    store.finish()
    with tarfile.open(archive) as file:
        assert not [name for name in file.getnames() if wrong.digest[7:] in name or ".nv2-" in name]
    assert reading(archive).resolve("v1") == image


def test_several_threads_fill_their_places_at_once(archive: Path) -> None:
    """Each waits in the middle of its blob until all others are there as well."""
    together = threading.Barrier(4, timeout=30)

    class Slow(io.BytesIO):
        waited = False

        def read(self, size: int | None = -1, /) -> bytes:
            if self.tell() > SMALL and not self.waited:
                self.waited = True
                together.wait()
            return super().read(size)

    store = writing(archive)
    contents = [bytes([number]) * (3 * SMALL) for number in range(4)]

    def push(content: bytes) -> None:
        def open_slowly() -> BinaryIO:
            return Slow(content)

        store.push(describe(content, mt.OCTET_STREAM), open_slowly)

    threads = [threading.Thread(target=push, args=(content,)) for content in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    store.finish()
    found = reading(archive)
    for content in contents:
        assert found.fetch(describe(content, mt.OCTET_STREAM), len(content)) == content


def test_a_name_too_long_for_a_header_is_written(archive: Path) -> None:
    content = Descriptor(mt.OCTET_STREAM, digest_of(LARGE, "sha512"), len(LARGE))
    store = writing(archive)
    store.push(content, opener(LARGE))
    store.finish()
    assert reading(archive).fetch(content, len(LARGE)) == LARGE


def test_after_an_interruption_nothing_is_written(archive: Path) -> None:
    store = writing(archive)
    push_blob(store, b"small")
    store.close()
    with pytest.raises(EnvironmentFailure, match="interrupted"):
        push_blob(store, b"more")
    with pytest.raises(EnvironmentFailure, match="interrupted"):
        store.finish()
    assert list(archive.parent.iterdir()) == []


def test_what_is_no_archive_is_not_written_over(archive: Path) -> None:
    archive.write_bytes(b"a letter to wabbit, and no archive" * 100)
    before = archive.read_bytes()
    with pytest.raises(Exception, match="no header of a tar archive"):
        writing(archive)
    assert archive.read_bytes() == before


KILLED = """
import os, signal, sys
from pathlib import Path
from nv2.content.layout.store import LayoutStore
from tests.world.artifacts import push_image, thread_lock
store = LayoutStore(Path(sys.argv[1]), create=True, lock=thread_lock())
store.tag(push_image(store, bytes(3_000_000)), "v2")
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_writer_that_is_killed_leaves_the_old_archive(archive: Path) -> None:
    image = tagged(archive, "v1")
    before = archive.read_bytes()
    root = Path(__file__).parents[4]
    words = [sys.executable, "-c", KILLED, str(archive)]
    ended = subprocess.run(
        words, cwd=root, env={**os.environ, "PYTHONPATH": f"{root / 'src'}:{root}"}, check=False
    )
    assert ended.returncode == -signal.SIGKILL
    assert archive.read_bytes() == before
    assert tagged(archive, "v3") == image
    assert reading(archive).resolve("v3") == image
