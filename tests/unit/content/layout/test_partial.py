"""A large blob that was interrupted on its way into a layout goes on, and is believed in nothing."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from nv2.content.layout import partial
from nv2.content.layout.store import LayoutStore
from nv2.errors import ContentMismatch, EnvironmentFailure, Unreachable
from nv2.oci.descriptor import Descriptor, describe
from tests.unit.cli.command_line import ENVIRONMENT
from tests.unit.cli.test_interruption import SOURCE
from tests.world.artifacts import thread_lock
from tests.world.images import image
from tests.world.large_blobs import DATA, HALF, Source
from tests.world.registry import Registry
from tests.world.wire import Ask, Wire

BLOB = describe(DATA, "application/octet-stream")


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LayoutStore:
    monkeypatch.setattr("nv2.content.layout.directory.RESUMABLE", 1024)
    return LayoutStore(tmp_path / "there", create=True, lock=thread_lock())


def interrupt(store: LayoutStore, blob: Descriptor = BLOB) -> None:
    with pytest.raises(Unreachable):
        store.push(blob, lambda: Source(breaks_at=HALF))


def left(tmp_path: Path) -> Path:
    return tmp_path / "there" / partial.partial_name(BLOB)


def is_whole(store: LayoutStore) -> bool:
    return store.fetch(BLOB, len(DATA)) == DATA


def test_what_has_come_is_kept_and_only_the_rest_is_read(store: LayoutStore, tmp_path: Path) -> None:
    interrupt(store)
    assert left(tmp_path).read_bytes() == DATA[:HALF]
    assert not store.exists(BLOB)
    source = Source()
    store.push(BLOB, lambda: source)
    assert source.begun[0] == HALF
    assert is_whole(store) and not left(tmp_path).exists()


def test_all_of_it_without_its_name_needs_no_byte_more(store: LayoutStore, tmp_path: Path) -> None:
    left(tmp_path).write_bytes(DATA)
    source = Source()
    store.push(BLOB, lambda: source)
    assert source.begun == [len(DATA)]
    assert is_whole(store)


@pytest.mark.parametrize(
    "there", [b"x" * HALF, bytes(HALF), b"x" * 2 * len(DATA)], ids=["other", "zeros", "long"]
)
def test_what_was_left_is_not_believed(store: LayoutStore, tmp_path: Path, there: bytes) -> None:
    left(tmp_path).write_bytes(there)
    store.push(BLOB, Source)
    assert is_whole(store) and not left(tmp_path).exists()


@pytest.mark.parametrize("bad", [b"x" * len(DATA), DATA + b"more", DATA[:-1]], ids=["other", "long", "short"])
def test_what_has_another_digest_is_not_kept(store: LayoutStore, tmp_path: Path, bad: bytes) -> None:
    interrupt(store)
    with pytest.raises(ContentMismatch):
        store.push(BLOB, lambda: Source(bad))
    assert not left(tmp_path).exists() and not store.exists(BLOB)
    store.push(BLOB, Source)
    assert is_whole(store)


def test_a_source_that_cannot_be_wound_begins_anew(store: LayoutStore) -> None:
    class Pipe(Source):
        def seekable(self) -> bool:
            return False

    interrupt(store)
    source = Pipe()
    store.push(BLOB, lambda: source)
    assert source.begun[0] == 0
    assert is_whole(store)


def test_what_another_is_writing_is_left_alone(store: LayoutStore, tmp_path: Path) -> None:
    interrupt(store)
    with left(tmp_path).open("r+b") as others:
        fcntl.flock(others, fcntl.LOCK_EX)
        store.push(BLOB, Source)
        assert is_whole(store)
        assert left(tmp_path).read_bytes() == DATA[:HALF]


def test_many_writers_at_once_come_to_one_blob(store: LayoutStore, tmp_path: Path) -> None:
    interrupt(store)
    writers = [threading.Thread(target=store.push, args=(BLOB, Source)) for _ in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert is_whole(store)
    assert list((tmp_path / "there").glob(".nv2-*")) == []


def test_a_link_in_its_place_is_not_followed(store: LayoutStore, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    for link in (os.symlink, os.link):
        precious.write_text("mine")
        link(precious, left(tmp_path))
        store.push(BLOB, Source)
        assert precious.read_text() == "mine"
        assert is_whole(store)
        (tmp_path / "there/blobs/sha256" / BLOB.digest.partition(":")[2]).unlink()
        left(tmp_path).unlink()


def test_what_the_disk_refuses_is_not_kept(
    store: LayoutStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt(store)

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr("nv2.content.layout.partial.os.write", full)
        with pytest.raises(EnvironmentFailure, match="no space left"):
            store.push(BLOB, Source)
    assert not left(tmp_path).exists()


def test_after_a_week_nobody_goes_on(store: LayoutStore, tmp_path: Path) -> None:
    interrupt(store)
    stray, young = tmp_path / "there/.nv2-0123", tmp_path / "there/.nv2-4567"
    for path in (stray, young):
        path.write_bytes(b"half")
    for path in (stray, left(tmp_path)):
        os.utime(path, (0, 0))
    source = Source()
    store.push(BLOB, lambda: source)
    assert (source.begun[0], stray.exists(), young.exists()) == (0, False, True)


def test_small_blobs_leave_nothing(tmp_path: Path) -> None:
    store = LayoutStore(tmp_path / "there", create=True, lock=thread_lock())
    interrupt(store)
    assert list((tmp_path / "there").glob(".nv2-*")) == []


PROGRAM = (
    "import nv2.content.layout.directory as d; d.RESUMABLE = 1024; from nv2.cli.__main__ import run; run()"
)


def test_a_killed_copy_goes_on_where_it_was(tmp_path: Path) -> None:
    made = image("x" * 4_000_000)
    (_, layer) = made.blobs[1]
    held = threading.Event()

    def half(ask: Ask) -> Iterator[bytes]:
        whole = ask()
        yield whole[: len(whole) - 1_000_000]
        held.wait(200)

    with Wire(Registry()) as wire:
        repository = wire.registry.repository("app")
        for _, data in made.blobs:
            repository.add_blob(data)
        repository.add(made.manifest, made.descriptor.media_type, "v1")
        wire.strike("GET", str(made.blobs[1][0].digest), half)  # type: ignore[arg-type]
        words = [sys.executable, "-c", PROGRAM, "copy", f"{wire.address}/app:v1", "layout:there:v1"]
        environment = {"PYTHONPATH": SOURCE, **{name: str(tmp_path / v) for name, v in ENVIRONMENT.items()}}
        place = tmp_path / "there" / partial.partial_name(made.blobs[1][0])
        small = tmp_path / "there/blobs/sha256" / made.blobs[0][0].digest.partition(":")[2]
        with subprocess.Popen(words, cwd=tmp_path, env=environment) as process:
            # Until the large blob waits, and all others have their names: what else is cut off, nobody goes on with.
            while not (place.exists() and place.stat().st_size > 1_000_000 and small.exists()):
                assert process.poll() is None
                time.sleep(0.01)
            process.send_signal(signal.SIGKILL)
        there = place.stat().st_size
        held.set()
        wire.strikes.clear()
        ended = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert ended.returncode == 0, ended.stderr
        ranges = [request.headers.get("range") for request in wire.registry.asked("GET", "/blobs/")]
    assert f"bytes={there}-" in ranges
    assert (tmp_path / "there/blobs/sha256" / made.blobs[1][0].digest.partition(":")[2]).read_bytes() == layer
    assert list((tmp_path / "there").glob(".nv2-*")) == []


def test_a_store_that_is_closed_meanwhile_writes_no_more_and_keeps_what_has_come(
    store: LayoutStore, tmp_path: Path
) -> None:
    class Closing(Source):
        def read(self, size: int | None = -1, /) -> bytes:
            if self.tell() >= HALF:
                store.close()
            return super().read(size)

    with pytest.raises(EnvironmentFailure, match="interrupted"):
        store.push(BLOB, Closing)
    assert left(tmp_path).read_bytes() == DATA[:HALF]
    assert not store.exists(BLOB)


def test_a_store_that_is_closed_at_the_last_moment_gives_the_blob_no_name(
    store: LayoutStore, tmp_path: Path
) -> None:
    class Closing(Source):
        def read(self, size: int | None = -1, /) -> bytes:
            found = super().read(size)
            if not found:
                store.close()
            return found

    with pytest.raises(EnvironmentFailure, match="interrupted"):
        store.push(BLOB, Closing)
    assert left(tmp_path).read_bytes() == DATA
    assert not store.exists(BLOB)


def test_a_closed_store_begins_no_blob(store: LayoutStore, tmp_path: Path) -> None:
    store.close()
    with pytest.raises(EnvironmentFailure, match="interrupted"):
        store.push(BLOB, Source)
    assert not left(tmp_path).exists()
