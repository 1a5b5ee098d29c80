"""What is kept of registries between runs: bounded, bound to its repository, and never believed without its digest."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from nv2.home import content_cache
from nv2.home.content_cache import MAX_FILES, MAX_FOLDER, MAX_KEPT, ContentCache
from nv2.oci.digest import digest_of

DATA = b'{"signed": true}'
DIGEST = digest_of(DATA)


@pytest.fixture
def notes() -> list[str]:
    return []


@pytest.fixture
def cache(tmp_path: Path, notes: list[str]) -> ContentCache:
    return ContentCache(tmp_path / "content", "registry.test/app", notes.append)


def only_file(tmp_path: Path) -> Path:
    (found,) = (path for path in tmp_path.rglob("*") if path.is_file())
    return found


def test_what_was_kept_is_found_by_digest_and_size(cache: ContentCache, notes: list[str]) -> None:
    assert cache.load(DIGEST, len(DATA)) is None
    cache.keep(DIGEST, DATA)
    assert cache.load(DIGEST, len(DATA)) == DATA
    assert cache.load(DIGEST, len(DATA) + 1) is None
    assert notes == []


def test_another_repository_does_not_find_it(cache: ContentCache, tmp_path: Path) -> None:
    cache.keep(DIGEST, DATA)
    for name in ("registry.test/other", "other.test/app"):
        assert ContentCache(tmp_path / "content", name, print).load(DIGEST, len(DATA)) is None


def test_files_and_directories_are_for_the_owner_alone(cache: ContentCache, tmp_path: Path) -> None:
    cache.keep(DIGEST, DATA)
    file = only_file(tmp_path)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [stat.S_IMODE(path.stat().st_mode) for path in (file.parent, file.parent.parent)] == [0o700] * 2


@pytest.mark.parametrize("junk", [b"", b"junk", DATA[:-1], DATA[:-1] + b"!", DATA + b" "])
def test_what_has_another_digest_now_is_not_used_and_is_replaced(
    cache: ContentCache, notes: list[str], tmp_path: Path, junk: bytes
) -> None:
    cache.keep(DIGEST, DATA)
    only_file(tmp_path).write_bytes(junk)
    assert cache.load(DIGEST, len(DATA)) is None
    assert notes[0].startswith("not used: ")
    cache.keep(DIGEST, DATA)
    assert cache.load(DIGEST, len(DATA)) == DATA


def test_a_link_is_not_followed(cache: ContentCache, tmp_path: Path) -> None:
    cache.keep(DIGEST, DATA)
    file = only_file(tmp_path)
    file.rename(tmp_path / "elsewhere")
    file.symlink_to(tmp_path / "elsewhere")
    assert cache.load(DIGEST, len(DATA)) is None


def test_a_file_of_another_user_is_not_read(
    cache: ContentCache, notes: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.keep(DIGEST, DATA)
    real = Path.lstat

    def of_another(path: Path) -> os.stat_result:
        fields = list(real(path))
        fields[4] = os.geteuid() + 1  # st_uid
        return os.stat_result(fields)

    monkeypatch.setattr(Path, "lstat", of_another)
    assert cache.load(DIGEST, len(DATA)) is None
    assert "belongs to another user" in notes[0]


def test_what_is_large_is_not_kept(cache: ContentCache, tmp_path: Path) -> None:
    data = bytes(MAX_KEPT + 1)
    cache.keep(digest_of(data), data)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_what_is_large_is_not_looked_for(cache: ContentCache, notes: list[str]) -> None:
    data = bytes(MAX_KEPT + 1)
    path = cache._path(digest_of(data))
    path.parent.mkdir(parents=True)
    path.write_bytes(data)
    assert cache.load(digest_of(data), len(data)) is None and notes == []


def _fill(cache: ContentCache, monkeypatch: pytest.MonkeyPatch, count: int, size: int) -> list[bytes]:
    """Keep `count` contents of `size` bytes in one folder, one second after the other."""
    monkeypatch.setattr(
        ContentCache, "_path", lambda self, digest: self._directory / "00" / digest.partition(":")[2]
    )
    contents = [number.to_bytes(4, "big") + bytes(size - 4) for number in range(count)]
    for number, data in enumerate(contents):
        cache.keep(digest_of(data), data)
        path = cache._path(digest_of(data))
        os.utime(path, (number + 1, number + 1))
    return contents


@pytest.mark.parametrize(("size", "most"), [(10, MAX_FILES), (64 * 1024, MAX_FOLDER // (64 * 1024))])
def test_the_oldest_make_room_by_number_and_by_size(
    cache: ContentCache, monkeypatch: pytest.MonkeyPatch, size: int, most: int
) -> None:
    contents = _fill(cache, monkeypatch, most + 3, size)
    kept = [cache.load(digest_of(data), size) is not None for data in contents]
    assert kept == [False] * 3 + [True] * most


def test_making_room_takes_nothing_that_is_not_ours(
    cache: ContentCache, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The folder may lead to one of somebody's files."""
    precious = tmp_path / "precious"
    precious.mkdir()
    for number in range(MAX_FILES + 5):
        (precious / f"letter {number}").write_bytes(bytes(10_000))
        os.utime(precious / f"letter {number}", (1, 1))
    (tmp_path / "content").mkdir()
    (tmp_path / "content" / "00").symlink_to(precious)
    _fill(cache, monkeypatch, 3, 100)
    assert len(list(precious.glob("letter *"))) == MAX_FILES + 5


def test_what_a_run_could_not_finish_makes_room_as_well(
    cache: ContentCache, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = tmp_path / "content" / "00"
    folder.mkdir(parents=True)
    for number in range(MAX_FILES):
        (folder / f".nv2-{number:016x}.tmp").write_bytes(b"half")
        os.utime(folder / f".nv2-{number:016x}.tmp", (0, 0))
    _fill(cache, monkeypatch, 3, 100)
    assert len(list(folder.iterdir())) == MAX_FILES


def test_a_directory_that_cannot_be_written_is_said_once_and_costs_nothing_else(
    tmp_path: Path, notes: list[str]
) -> None:
    (tmp_path / "content").write_text("a file stands here")
    cache = ContentCache(tmp_path / "content", "registry.test/app", notes.append)
    assert cache.load(DIGEST, len(DATA)) is None
    for _ in range(2):
        cache.keep(DIGEST, DATA)
    assert len([note for note in notes if note.startswith("nothing is kept")]) == 1


def test_many_writers_and_readers_never_see_half_a_content(
    cache: ContentCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(content_cache, "MAX_FILES", 3)
    contents = [bytes([number]) * 50_000 for number in range(8)]
    monkeypatch.setattr(
        ContentCache, "_path", lambda self, digest: self._directory / "00" / digest.partition(":")[2]
    )

    def work(number: int) -> bool:
        data = contents[number % 8]
        cache.keep(digest_of(data), data)
        return cache.load(digest_of(data), len(data)) in (data, None)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(200)))


KEEPING = (
    "import sys; from pathlib import Path; from nv2.home.content_cache import ContentCache;"
    "from nv2.oci.digest import digest_of; cache = ContentCache(Path(sys.argv[1]), 'registry.test/app', sys.exit);"
    "[cache.keep(digest_of(data), data) for data in (word.encode() for word in sys.argv[2:])]"
)


def test_processes_share_it(cache: ContentCache, notes: list[str], tmp_path: Path) -> None:
    command = [sys.executable, "-c", KEEPING, str(tmp_path / "content"), "of all"]
    running = [subprocess.Popen([*command, f"of {number}"]) for number in range(3)]
    assert [process.wait(200) for process in running] == [0, 0, 0]
    for data in (b"of all", b"of 0", b"of 1", b"of 2"):
        assert cache.load(digest_of(data), len(data)) == data
    assert notes == []


def test_it_may_be_removed_at_any_time(cache: ContentCache, tmp_path: Path) -> None:
    cache.keep(DIGEST, DATA)
    file = only_file(tmp_path)
    file.unlink()
    file.parent.rmdir()
    assert cache.load(DIGEST, len(DATA)) is None
    cache.keep(DIGEST, DATA)
    assert cache.load(DIGEST, len(DATA)) == DATA
