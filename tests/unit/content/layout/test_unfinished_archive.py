"""What an interrupted writer left of an archive is gone on with, believed in nothing, and nothing more is in the archive."""

from __future__ import annotations

import fcntl
import io
import os
import tarfile
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from nv2.content.interface import opener
from nv2.content.layout import tar_writer
from nv2.content.layout.store import LayoutStore
from nv2.content.layout.tar_headers import header_of
from nv2.errors import ContentMismatch, EnvironmentFailure, Unreachable
from nv2.oci.descriptor import Descriptor, describe
from nv2.oci.digest import digest_of
from tests.world.artifacts import LAYER, attach_referrer, push_blob, push_image, thread_lock
from tests.world.large_blobs import DATA, HALF, MIB, Source

BLOB = describe(DATA, LAYER)
LOCK = thread_lock()


def never() -> Source:
    raise AssertionError("nothing needs to be read")


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return tmp_path / "image.tar"


@pytest.fixture
def left(archive: Path) -> Path:
    return archive.with_name(".nv2-image.tar.part")


def writing(archive: Path) -> LayoutStore:
    return LayoutStore(archive, create=True, lock=LOCK)


def interrupt(archive: Path, *whole: bytes, blob: Descriptor = BLOB) -> None:
    """A run that brought the blobs `whole`, and `HALF` of `blob`."""
    store = writing(archive)
    for data in whole:
        push_blob(store, data)
    with pytest.raises(Unreachable):
        store.push(blob, lambda: Source(breaks_at=HALF))
    store.close()


def complete(archive: Path, source: Callable[[], io.BytesIO] = Source, *whole: bytes) -> None:
    """A run that brings `DATA` and `whole`, and comes to its end."""
    store = writing(archive)
    store.push(BLOB, source)
    for data in whole:
        push_blob(store, data)
    store.finish()
    store.close()


def members(archive: Path) -> dict[str, bytes]:
    """The files of an archive, as anybody reads it; its directories without content. Between them are zeros."""
    found: dict[str, bytes] = {}
    raw = archive.read_bytes()
    with tarfile.open(archive) as file:
        for member in file.getmembers():
            stream = file.extractfile(member)
            end = member.offset_data + member.size
            assert not any(raw[end : end + -member.size % 512])
            assert member.name not in found
            found[member.name] = stream.read() if stream else b""
    LayoutStore(archive, lock=LOCK)
    return found


def is_as_if_undisturbed(archive: Path, *whole: bytes) -> bool:
    """Whether the archive is, but for the order, what a run alone writes, and nothing stands beside it."""
    undisturbed = archive.parent / "undisturbed" / "image.tar"
    undisturbed.parent.mkdir(exist_ok=True)
    undisturbed.unlink(missing_ok=True)
    complete(undisturbed, Source, *whole)
    same = members(undisturbed) == members(archive)
    alone = [path.name for path in archive.parent.glob(".nv2-*")] == []
    return same and alone and undisturbed.stat().st_size == archive.stat().st_size


def test_what_has_come_is_kept_and_only_the_rest_is_read(archive: Path, left: Path) -> None:
    interrupt(archive)
    assert left.exists() and not archive.exists()
    source = Source()
    complete(archive, lambda: source)
    assert source.begun[0] == HALF
    assert is_as_if_undisturbed(archive)


def test_what_is_whole_is_not_read_again(archive: Path) -> None:
    store = writing(archive)
    for data in (DATA, b"small"):
        push_blob(store, data)
    store.close()
    store = writing(archive)
    store.push(BLOB, never)
    store.push(describe(b"small", LAYER), never)
    store.finish()
    assert is_as_if_undisturbed(archive, b"small")


def test_a_run_can_be_interrupted_again_and_again(archive: Path) -> None:
    for place in (HALF, HALF + MIB, HALF + 2 * MIB):
        store = writing(archive)
        source = Source(breaks_at=place)
        with pytest.raises(Unreachable):
            store.push(BLOB, lambda source=source: source)  # type: ignore[misc]
        store.close()
    source = Source()
    complete(archive, lambda: source)
    assert source.begun[0] == HALF + 2 * MIB
    assert is_as_if_undisturbed(archive)


@pytest.mark.parametrize("place", [2000, HALF - 1])
def test_what_has_come_is_not_believed(archive: Path, left: Path, place: int) -> None:
    interrupt(archive)
    spoil(left, place)
    complete(archive)
    assert is_as_if_undisturbed(archive)


def test_what_looks_whole_is_not_believed(archive: Path, left: Path) -> None:
    store = writing(archive)
    for data in (DATA, b"small"):
        push_blob(store, data)
    store.close()
    for place in (MIB, left.stat().st_size - 511):
        spoil(left, place)
    complete(archive, Source, b"small")
    assert is_as_if_undisturbed(archive, b"small")


def spoil(path: Path, place: int) -> None:
    with path.open("r+b") as file:
        file.seek(place)
        byte = file.read(1)
        file.seek(place)
        file.write(bytes([byte[0] ^ 1]))


def test_wherever_the_unfinished_archive_was_cut_or_spoiled_the_next_one_is_whole(
    archive: Path, left: Path
) -> None:
    """Every header, the places around it, and some of the content."""
    sha512 = Descriptor(LAYER, digest_of(b"long name", "sha512"), 9)
    blobs = ((describe(b"small", LAYER), b"small"), (sha512, b"long name"), (BLOB, DATA))

    def bring() -> dict[str, bytes]:
        store = writing(archive)
        for blob, data in blobs:
            store.push(blob, opener(data))
        store.finish()
        found = members(archive)
        archive.unlink()
        return found

    whole = bring()
    interrupt(archive, b"small")
    store = writing(archive)
    store.push(sha512, opener(b"long name"))
    store.close()
    unfinished = left.read_bytes()
    places = [block * 512 + near for block in range(8) for near in (0, 1, 148, 345, 511)]
    places += [len(unfinished) - back for back in (1, 511, 513, 1025, 1537, 2049, 2561)]
    for place in (*places, HALF):
        for change in (os.truncate, spoil):
            left.write_bytes(unfinished)
            change(left, place)
            assert bring() == whole, (place, change)
            assert not left.exists()


def test_no_strange_header_gets_into_the_archive(archive: Path, left: Path) -> None:
    interrupt(archive)
    head = left.read_bytes()[:1024]
    strange = tarfile.TarInfo(f"blobs/sha256/{BLOB.digest[7:]}")
    strange.size, strange.mode, strange.uname = len(DATA), 0o4755, "somebody"
    left.write_bytes(head + strange.tobuf(tarfile.PAX_FORMAT) + DATA)
    complete(archive)
    with tarfile.open(archive) as file:
        assert {(member.mode, member.uname) for member in file if member.isfile()} == {(0o644, "")}


ELSEWHERE = header_of("blobs/../") + header_of("blobs/../elsewhere/")
TWICE = header_of("blobs/") + header_of("blobs/sha256/")
WITH_CONTENT = header_of("blobs/sha256/", 512) + bytes(512)
WITHOUT_DIRECTORY = header_of("blobs/sha512/" + "0" * 128, 1) + bytes(512)
WHOLE = header_of(f"blobs/sha256/{BLOB.digest[7:]}", BLOB.size) + DATA


@pytest.mark.parametrize("strange", [ELSEWHERE, TWICE, WITH_CONTENT, WITHOUT_DIRECTORY, WHOLE])
@pytest.mark.parametrize("place", [0, 1024, 2048])
def test_what_looks_like_headers_where_members_were_being_moved_is_not_in_the_archive(
    archive: Path, left: Path, strange: bytes, place: int
) -> None:
    """Whoever makes a layer chooses what it looks like. `place` is where what is good ends."""
    interrupt(archive)
    left.write_bytes(left.read_bytes()[:place] + strange + bytes(512))
    complete(archive)
    assert is_as_if_undisturbed(archive)


def test_what_was_not_asked_for_is_not_in_the_archive(archive: Path, left: Path) -> None:
    others = [bytes([number]) * (MIB + number) for number in range(1, 6)]
    store = writing(archive)
    for data in (others[0], DATA, others[1], b"secret", others[2], b"small"):
        push_blob(store, data)
    store.close()
    assert others[2] in left.read_bytes()
    complete(archive, never, b"small")
    assert is_as_if_undisturbed(archive, b"small")
    assert not [data for data in (b"secret", *others) if data in archive.read_bytes()]


def test_what_was_not_asked_for_goes_without_a_second_file(
    archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk need not hold the archive twice."""
    interrupt(archive, bytes([1]) * MIB * 2, DATA[::-1])
    seen: list[list[str]] = []
    fsync = os.fsync

    def look(file: int) -> None:
        seen.append(sorted(path.name for path in archive.parent.iterdir()))
        fsync(file)

    monkeypatch.setattr("nv2.content.layout.tar_writer.os.fsync", look)
    complete(archive)
    assert seen[0] == [".nv2-image.tar.part"]
    assert is_as_if_undisturbed(archive)


def test_a_broken_source_leaves_what_came_to_the_same_run_and_nothing_of_it_to_the_archive(
    archive: Path,
) -> None:
    store = writing(archive)
    with pytest.raises(Unreachable):
        store.push(BLOB, lambda: Source(breaks_at=HALF))
    source = Source()
    store.push(BLOB, lambda: source)
    other = describe(DATA[::-1], LAYER)
    with pytest.raises(Unreachable):
        store.push(other, lambda: Source(DATA[::-1], breaks_at=HALF))
    store.finish()
    assert source.begun[0] == HALF
    assert is_as_if_undisturbed(archive)


@pytest.mark.parametrize("bad", [b"x" * len(DATA), DATA + b"more", DATA[:-1]], ids=["other", "long", "short"])
def test_what_has_another_digest_is_not_gone_on_with(archive: Path, bad: bytes) -> None:
    interrupt(archive)
    store = writing(archive)
    with pytest.raises(ContentMismatch):
        store.push(BLOB, lambda: Source(bad))
    store.close()
    source = Source()
    complete(archive, lambda: source)
    assert source.begun[0] == 0
    assert is_as_if_undisturbed(archive)


def test_a_source_that_cannot_be_wound_is_read_from_its_beginning(archive: Path) -> None:
    class Pipe(Source):
        def seekable(self) -> bool:
            return False

    interrupt(archive)
    source = Pipe()
    complete(archive, lambda: source)
    assert source.begun[0] == 0
    assert is_as_if_undisturbed(archive)


def test_content_that_ends_with_zeros_is_whole(archive: Path) -> None:
    data = DATA + bytes(MIB)
    store = writing(archive)
    push_blob(store, data)
    store.close()
    store = writing(archive)
    store.push(describe(data, LAYER), never)
    store.finish()
    assert data in members(archive).values()


def test_a_false_size_spoils_nothing(archive: Path) -> None:
    interrupt(archive)
    store = writing(archive)
    with pytest.raises(ContentMismatch):
        store.push(BLOB._replace(size=BLOB.size + 1), Source)
    source = Source()
    store.push(BLOB, lambda: source)
    store.finish()
    assert source.begun[0] == HALF
    assert is_as_if_undisturbed(archive)


def test_another_writer_at_the_same_time_has_a_file_of_his_own(archive: Path, left: Path) -> None:
    ours, other = writing(archive), writing(archive)
    ours.tag(push_image(ours, DATA), "ours")
    before = left.read_bytes()
    other.tag(push_image(other, DATA[::-1]), "other")
    other.close()
    assert left.read_bytes() == before
    assert list(archive.parent.iterdir()) == [left]
    third = writing(archive)
    third.tag(push_image(third, DATA[::-1]), "third")
    ours.finish()
    third.finish()
    store = LayoutStore(archive, lock=LOCK)
    assert store.tag_names() == ("ours", "third")
    assert list(archive.parent.iterdir()) == [archive]


def test_many_writers_at_once_after_an_interruption_come_to_one_archive(archive: Path) -> None:
    interrupt(archive)

    def write(tag: str) -> None:
        store = writing(archive)
        store.tag(push_image(store, DATA, tag.encode()), tag)
        store.finish()
        store.close()

    tags = [f"v{number}" for number in range(8)]
    writers = [threading.Thread(target=write, args=(tag,)) for tag in tags]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert LayoutStore(archive, lock=LOCK).tag_names() == tuple(tags)
    assert list(archive.parent.iterdir()) == [archive]


def test_the_archive_is_locked_until_it_has_its_name(
    archive: Path, left: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the next writer could go on with what is about to be the archive."""
    locked: list[bool] = []
    replace = os.replace

    def look(source: str, target: str) -> None:
        with Path(source).open("r+b") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                locked.append(False)
            except BlockingIOError:
                locked.append(True)
        replace(source, target)

    monkeypatch.setattr("nv2.content.layout.tar_writer.os.replace", look)
    complete(archive)
    assert locked == [True]
    assert not left.exists()


def planted_link(left: Path, precious: Path) -> None:
    left.symlink_to(precious)


def planted_name(left: Path, precious: Path) -> None:
    left.hardlink_to(precious)


def planted_pipe(left: Path, _: Path) -> None:
    os.mkfifo(left)


def planted_directory(left: Path, _: Path) -> None:
    left.mkdir()


@pytest.mark.parametrize("plant", [planted_link, planted_name, planted_pipe, planted_directory])
def test_what_a_stranger_put_in_its_place_is_not_touched(
    archive: Path, left: Path, tmp_path: Path, plant: Callable[[Path, Path], None]
) -> None:
    precious = tmp_path / "precious"
    precious.write_bytes(DATA)
    plant(left, precious)
    before = left.lstat()
    complete(archive)
    assert precious.read_bytes() == DATA
    assert (left.lstat().st_ino, left.lstat().st_mode) == (before.st_ino, before.st_mode)
    assert DATA in members(archive).values()


def test_a_file_of_another_user_is_not_gone_on_with(
    archive: Path, left: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """He could write to it after it was hashed, and to the archive that it becomes."""
    interrupt(archive)
    theirs = left.stat()
    monkeypatch.setattr("nv2.content.layout.alone.os.geteuid", lambda: theirs.st_uid + 1)
    source = Source()
    complete(archive, lambda: source)
    assert source.begun[0] == 0
    assert archive.stat().st_ino != theirs.st_ino
    assert left.stat().st_size == theirs.st_size


def test_what_the_disk_refuses_is_not_kept(
    archive: Path, left: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt(archive)
    store = writing(archive)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tar_writer, "_write", full)
    with pytest.raises(EnvironmentFailure, match="no space left"):
        store.push(BLOB, Source)
    store.close()
    assert list(archive.parent.iterdir()) == []


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_what_the_disk_refuses_at_the_end_is_not_kept(
    archive: Path, call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    store = writing(archive)
    store.push(BLOB, Source)
    monkeypatch.setattr(f"nv2.content.layout.tar_writer.os.{call}", full)
    with pytest.raises(EnvironmentFailure, match="no space left"):
        store.finish()
    store.close()
    assert list(archive.parent.iterdir()) == []


def test_an_interruption_at_the_last_moment_leaves_all_to_the_next_run(
    archive: Path, left: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    store = writing(archive)
    store.tag(push_image(store, DATA), "v1")
    with monkeypatch.context() as meanwhile:
        meanwhile.setattr("nv2.content.layout.tar_writer.os.replace", interrupted)
        with pytest.raises(KeyboardInterrupt):
            store.finish()
    store.close()
    assert b"index.json" in left.read_bytes()
    store = writing(archive)
    store.push(BLOB, never)
    store.finish()
    assert is_as_if_undisturbed(archive)
    assert LayoutStore(archive, lock=LOCK).tag_names() == ()


def test_what_an_archive_had_is_copied_once_more_only_as_far_as_it_was_not(
    archive: Path, left: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = writing(archive)
    first = push_image(store, DATA)
    attach_referrer(store, first)
    store.tag(first, "v1")
    store.finish()
    store.close()

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    store = writing(archive)
    store.tag(push_image(store, b"other"), "v2")
    with monkeypatch.context() as meanwhile:
        meanwhile.setattr("nv2.content.layout.tar_writer.os.fsync", interrupted)
        with pytest.raises(KeyboardInterrupt):
            store.finish()
    store.close()
    spoil(left, left.read_bytes().index(DATA[:MIB]) + 5)
    store = writing(archive)
    store.tag(push_image(store, b"other"), "v2")
    store.finish()
    found = LayoutStore(archive, lock=LOCK)
    assert found.tag_names() == ("v1", "v2")
    assert found.fetch(BLOB, len(DATA)) == DATA
    assert len(found.referrers(first).descriptors) == 1
    members(archive)


def test_what_was_removed_meanwhile_does_not_come_back(archive: Path) -> None:
    store = writing(archive)
    first = push_image(store, DATA)
    store.tag(first, "v1")
    store.finish()
    interrupted = writing(archive)
    push_image(interrupted, DATA, DATA[::-1])
    interrupted.close()
    store = writing(archive)
    store.remove(first)
    store.finish()
    assert not [name for name in members(archive) if first.digest[7:] in name]


def test_what_grows_beside_a_private_archive_is_as_private(archive: Path, left: Path) -> None:
    complete(archive)
    archive.chmod(0o640)
    store = writing(archive)
    push_blob(store, DATA[::-1])
    other = writing(archive)
    push_blob(other, DATA[::-1])
    beside = [path for path in archive.parent.iterdir() if path != archive]
    assert (len(beside), left in beside) == (2, True)
    assert {path.stat().st_mode & 0o777 for path in beside} == {0o600}
    other.close()
    store.finish()
    assert archive.stat().st_mode & 0o777 == 0o640


def test_after_a_week_nobody_goes_on_and_what_was_left_is_removed(archive: Path, left: Path) -> None:
    interrupt(archive)
    old = [left, left.with_name(".nv2-other.tar.part"), left.with_name(".nv2-0123456789abcdef.tar")]
    others = [left.with_name(name) for name in (".nv2-settings", "x.part", ".nv2-young.tar.part")]
    for path in (*old[1:], *others):
        path.write_bytes(b"half")
    for path in (*old, *others[:2]):
        os.utime(path, (0, 0))
    link = left.with_name(".nv2-link.tar.part")
    link.symlink_to(others[1])
    with left.with_name(".nv2-busy.tar.part").open("wb") as busy:
        os.utime(busy.name, (0, 0))
        fcntl.flock(busy, fcntl.LOCK_EX)
        source = Source()
        complete(archive, lambda: source)
    assert source.begun[0] == 0
    assert [path.name for path in old if path.exists()] == []
    assert all(path.exists() for path in (*others, link, Path(busy.name)))


def test_what_is_little_is_not_kept(archive: Path) -> None:
    store = writing(archive)
    push_image(store, b"layer")
    store.close()
    assert list(archive.parent.iterdir()) == []


def test_a_writer_that_is_closed_meanwhile_writes_no_more_and_keeps_what_has_come(
    archive: Path, left: Path
) -> None:
    store = writing(archive)

    class Closing(Source):
        def read(self, size: int | None = -1, /) -> bytes:
            if self.tell() >= HALF:
                store.close()
            return super().read(size)

    with pytest.raises(EnvironmentFailure, match="interrupted"):
        store.push(BLOB, Closing)
    assert left.read_bytes().endswith(DATA[:HALF])
    with pytest.raises(EnvironmentFailure, match="interrupted"):
        store.finish()
    source = Source()
    complete(archive, lambda: source)
    assert source.begun[0] == HALF


def test_two_who_bring_the_same_blob_to_one_archive_leave_it_there_once(archive: Path) -> None:
    store = writing(archive)
    together = threading.Barrier(2, timeout=60)

    class Slow(Source):
        def read(self, size: int | None = -1, /) -> bytes:
            if self.tell() == HALF:
                together.wait()
            return super().read(size)

    writers = [threading.Thread(target=store.push, args=(BLOB, Slow)) for _ in range(2)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    store.finish()
    assert is_as_if_undisturbed(archive)


def test_a_small_file_that_comes_twice_is_there_once(archive: Path) -> None:
    """As manifests do that two copies in one run share."""
    growing = tar_writer.GrowingTar(str(archive))
    for _ in range(2):
        growing.write("blobs/sha256/small", [b"small"])
    growing.finish(str(archive), None)
    with tarfile.open(archive) as file:
        assert file.getnames() == ["blobs", "blobs/sha256", "blobs/sha256/small"]


def test_a_file_system_without_locks_has_archives_all_the_same(
    archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", unknown)
    interrupt(archive)
    assert list(archive.parent.iterdir()) == []
    complete(archive)
    assert is_as_if_undisturbed(archive)
