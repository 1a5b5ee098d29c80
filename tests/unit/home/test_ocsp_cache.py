from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from nv2.home import ocsp_cache
from nv2.home.ocsp_cache import OcspCache
from nv2.home.paths import Paths
from nv2.pki.ocsp import MAX_RESPONSE

KEY, OTHER = "ab" * 32, "cd" * 32


@pytest.fixture
def cache(paths: Paths) -> OcspCache:
    return OcspCache(paths.ocsp_cache)


@pytest.fixture
def file(paths: Paths) -> Path:
    paths.ocsp_cache.mkdir(parents=True)
    return paths.ocsp_cache / KEY


def complaint(cache: OcspCache) -> str:
    (warning,) = cache.warnings
    return str(warning)


def test_what_is_stored_is_loaded_again_until_something_newer_comes(cache: OcspCache) -> None:
    assert cache.load(KEY) is None
    cache.store(KEY, b"answer")
    assert (cache.load(KEY), cache.load(OTHER)) == (b"answer", None)
    cache.store(KEY, b"newer")
    assert cache.load(KEY) == b"newer"
    assert cache.warnings == []


def test_nobody_else_may_read_or_write_what_is_kept(cache: OcspCache, paths: Paths) -> None:
    cache.store(KEY, b"answer")
    assert (paths.ocsp_cache / KEY).stat().st_mode & 0o777 == 0o600
    assert paths.ocsp_cache.stat().st_mode & 0o777 == 0o700
    assert [path.name for path in paths.ocsp_cache.iterdir()] == [KEY]


@pytest.mark.parametrize("key", ["", "ab", "AB" * 32, "../" + "a" * 61, "ab" * 32 + "\n", "ab" * 33])
def test_a_key_that_is_no_digest_is_no_name_of_a_file(cache: OcspCache, key: str) -> None:
    with pytest.raises(ValueError, match="no key"):
        cache.load(key)
    with pytest.raises(ValueError, match="no key"):
        cache.store(key, b"answer")


def test_a_link_is_not_followed(cache: OcspCache, file: Path, tmp_path: Path) -> None:
    """Research 5.3, 4: a poisoned cache."""
    target = tmp_path / "elsewhere"
    target.write_bytes(b"answer")
    file.symlink_to(target)
    assert cache.load(KEY) is None
    assert "symbolic link" in complaint(cache)
    cache.store(KEY, b"mine")
    assert (target.read_bytes(), cache.load(KEY)) == (b"answer", b"mine")


def test_a_pipe_or_directory_in_the_place_of_an_answer_is_not_read(cache: OcspCache, file: Path) -> None:
    os.mkfifo(file)
    assert cache.load(KEY) is None
    file.unlink()
    file.mkdir()
    assert cache.load(KEY) is None
    cache.store(KEY, b"answer")
    assert len(cache.warnings) == 3


def test_the_file_of_another_user_is_not_read(
    cache: OcspCache, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_bytes(b"answer")
    user = file.stat().st_uid + 1
    if file.stat().st_uid == 0:
        os.chown(file, user, -1)
        user = 0
    monkeypatch.setattr(os, "geteuid", lambda: user)
    assert cache.load(KEY) is None
    assert "another user" in complaint(cache)


def test_what_is_too_long_is_neither_kept_nor_read(cache: OcspCache, file: Path) -> None:
    cache.store(KEY, bytes(MAX_RESPONSE + 1))
    assert not file.exists()
    file.write_bytes(bytes(MAX_RESPONSE + 1))
    assert cache.load(KEY) is None
    assert len(cache.warnings) == 2


def test_a_cache_that_cannot_be_written_costs_a_warning(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    cache = OcspCache(tmp_path / "cache" / "ocsp")
    cache.store(KEY, b"answer")
    assert cache.load(KEY) is None
    assert cache.warnings


def test_the_oldest_answers_make_room(
    cache: OcspCache, paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ocsp_cache, "MAX_ANSWERS", 3)
    keys = [f"{number:064x}" for number in range(5)]
    for age, key in enumerate(keys):
        cache.store(key, b"answer")
        if (path := paths.ocsp_cache / key).exists():
            os.utime(path, (age, age))
    assert [cache.load(key) for key in keys] == [None, None, b"answer", b"answer", b"answer"]
    assert cache.warnings == []


def test_many_at_once_lose_nothing_and_mix_nothing(cache: OcspCache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ocsp_cache, "MAX_ANSWERS", 4)
    answers = [bytes([number]) * 3000 for number in range(40)]
    keys = [f"{number % 8:064x}" for number in range(40)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(cache.store, keys, answers))
        found = list(pool.map(cache.load, keys))
    assert {answer for answer in found if answer is not None} <= set(answers)
    assert cache.warnings == []
