from __future__ import annotations

import hashlib
import json
import os
from base64 import b64decode, b64encode
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from nv2.home import crl_cache
from nv2.home.crl_cache import LARGE, CrlCache
from nv2.home.paths import Paths

URL = "http://crl.example.com/a.crl"
NAME = hashlib.sha256(URL.encode()).hexdigest()
BIG = bytes(range(256)) * (LARGE // 256)


@pytest.fixture
def cache(paths: Paths) -> CrlCache:
    return CrlCache(paths.crl_cache)


@pytest.fixture
def file(paths: Paths) -> Path:
    paths.crl_cache.mkdir(parents=True)
    return paths.crl_cache / NAME


def complaint(cache: CrlCache) -> str:
    (warning,) = cache.warnings
    return str(warning)


@pytest.mark.parametrize("base", [b"", b"a", b"ab", b"abc", bytes(5), BIG, BIG + b"x"])
@pytest.mark.parametrize("delta", [None, b"", b"d", BIG])
def test_what_is_stored_is_loaded_again(cache: CrlCache, base: bytes, delta: bytes | None) -> None:
    assert cache.load(URL) is None
    cache.store(URL, base, delta)
    assert cache.load(URL) == (base, delta)
    assert cache.load(URL + "2") is None
    assert cache.warnings == []


@pytest.mark.parametrize("delta", [None, b"delta"])
def test_the_file_is_the_one_that_notation_writes(cache: CrlCache, paths: Paths, delta: bytes | None) -> None:
    cache.store(URL, b"base?>", delta)
    text = (paths.cache / "crl" / NAME).read_text()
    fields = {"baseCRL": "YmFzZT8+"} | ({"deltaCRL": "ZGVsdGE="} if delta else {})
    assert text == json.dumps(fields, separators=(",", ":"))


def test_a_file_that_notation_wrote_is_read_large_ones_too(cache: CrlCache, file: Path) -> None:
    for data in (b"small", BIG):
        file.write_text(json.dumps({"baseCRL": b64encode(data).decode()}, separators=(",", ":")))
        assert cache.load(URL) == cache.load(URL) == (data, None)


def test_the_copy_of_a_large_one_is_read_instead_of_decoding(cache: CrlCache, paths: Paths) -> None:
    cache.store(URL, BIG, b"delta")
    (base, delta) = sorted((paths.cache / "nv2" / "crl").iterdir())
    assert (base.read_bytes(), delta.read_bytes()) == (BIG, b"delta")
    stamp = base.stat().st_mtime_ns
    base.write_bytes(BIG[::-1])
    os.utime(base, ns=(stamp, stamp))
    assert cache.load(URL) == (BIG[::-1], b"delta")


def test_a_copy_of_what_notation_has_replaced_is_out_of_date(cache: CrlCache, paths: Paths) -> None:
    cache.store(URL, BIG, None)
    newer = json.dumps({"baseCRL": b64encode(BIG[::-1]).decode()}, separators=(",", ":"))
    (paths.crl_cache / NAME).write_text(newer)
    assert cache.load(URL) == (BIG[::-1], None)


def test_a_copy_of_another_size_does_not_count_whatever_its_time_stamp(cache: CrlCache, paths: Paths) -> None:
    cache.store(URL, BIG, None)
    file = paths.crl_cache / NAME
    stamp = file.stat().st_mtime_ns
    file.write_bytes(b'{"baseCRL":"YQ=="}')
    os.utime(file, ns=(stamp, stamp))
    assert cache.load(URL) == (b"a", None)


def test_a_copy_without_its_original_does_not_count(cache: CrlCache, paths: Paths) -> None:
    cache.store(URL, BIG, None)
    (paths.crl_cache / NAME).unlink()
    assert cache.load(URL) is None


def test_a_small_one_takes_the_place_of_a_large_one_and_its_copy(cache: CrlCache, paths: Paths) -> None:
    cache.store(URL, BIG, BIG)
    cache.store(URL, b"small", None)
    assert cache.load(URL) == (b"small", None)
    assert list((paths.cache / "nv2" / "crl").iterdir()) == []


def test_files_and_directories_are_the_owners_alone(cache: CrlCache, paths: Paths) -> None:
    cache.store(URL, BIG, BIG)
    made = [paths.crl_cache, *paths.crl_cache.iterdir(), *(paths.cache / "nv2" / "crl").iterdir()]
    assert [oct(path.stat().st_mode & 0o777) for path in made] == ["0o700", *["0o600"] * 3]


def linked(file: Path) -> None:
    target = file.with_name("target")
    target.write_bytes(b'{"baseCRL":"YQ=="}')
    file.symlink_to(target)


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "empty": (lambda file: file.touch(), "not a CRL"),
    "half": (lambda file: file.write_bytes(b'{"baseCRL":"YQ'), "not a CRL"),
    "another document": (lambda file: file.write_bytes(b'{"crl":"YQ=="}'), "not a CRL"),
    "no base": (lambda file: file.write_bytes(b'{"deltaCRL":"YQ=="}'), "not a CRL"),
    "not base64": (lambda file: file.write_bytes(b'{"baseCRL":"Y\\u0051=="}'), "base64"),
    "cut base64": (lambda file: file.write_bytes(b'{"baseCRL":"YQ="}'), "base64"),
    "more fields": (lambda file: file.write_bytes(b'{"baseCRL":"YQ==","x":"YQ=="}'), "base64"),
    "two deltas": (
        lambda file: file.write_bytes(b'{"baseCRL":"YQ==","deltaCRL":"YQ==","deltaCRL":"YQ=="}'),
        "base64",
    ),
    "link": (linked, "symbolic link"),
    "directory": (lambda file: file.mkdir(), "is a directory"),
    "pipe": (os.mkfifo, "regular file"),
}


@pytest.mark.parametrize("mistake", BROKEN)
def test_an_entry_that_is_broken_is_ignored_with_a_warning_and_replaced(
    cache: CrlCache, file: Path, mistake: str
) -> None:
    make, words = BROKEN[mistake]
    make(file)
    assert cache.load(URL) is None
    assert words in complaint(cache)
    assert str(file) in complaint(cache)
    if not file.is_dir():
        cache.store(URL, b"new", None)
        assert cache.load(URL) == (b"new", None)


def test_an_entry_of_another_user_is_ignored_with_a_warning(
    cache: CrlCache, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.store(URL, b"base", None)
    os.chown(file, os.getuid(), -1)
    own = file.stat().st_uid
    real = Path.lstat

    def foreign(path: Path) -> os.stat_result:
        fields = list(real(path))
        fields[4] = own + 1
        return os.stat_result(fields)

    monkeypatch.setattr(Path, "lstat", foreign)
    assert cache.load(URL) is None
    assert "another user" in complaint(cache)


def test_a_file_that_is_too_long_is_not_read_to_its_end(
    cache: CrlCache, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_bytes(b'{"baseCRL":"' + b"A" * 100 + b'"}')
    monkeypatch.setattr(crl_cache, "_MAX_FILE", 100)
    assert cache.load(URL) is None
    assert "longer than 100 bytes" in complaint(cache)


def test_a_crl_that_would_not_be_read_again_is_not_kept(
    cache: CrlCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crl_cache, "MAX_CRL", 5)
    cache.store(URL, b"abc", b"def")
    assert cache.load(URL) is None
    assert "not kept" in complaint(cache)


def test_a_directory_that_cannot_be_made_is_a_warning(cache: CrlCache, paths: Paths) -> None:
    paths.cache.parent.mkdir(parents=True)
    paths.cache.write_text("a file stands here")
    cache.store(URL, b"base", None)
    assert len(cache.warnings) == 1
    assert cache.load(URL) is None


def test_many_writers_and_readers_never_see_a_mixture(paths: Paths) -> None:
    # Of one size: nothing but the time stamps tells whose copy one is.
    versions = [(bytes([n]) * LARGE, bytes([n])) for n in range(6)]

    def work(version: tuple[bytes, bytes]) -> None:
        cache = CrlCache(paths.crl_cache)
        for _ in range(4):
            cache.store(URL, *version)
            found = cache.load(URL)
            assert found is None or found in versions

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, versions))
    last = CrlCache(paths.crl_cache).load(URL)
    assert last in versions


def test_a_copy_that_is_replaced_while_it_is_read_does_not_count(
    cache: CrlCache, paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.store(URL, BIG, b"old delta")
    read = crl_cache._read
    newer = [(BIG[::-1], b"new delta")]

    def meanwhile(path: Path) -> bytes:
        found = read(path)
        if newer:
            CrlCache(paths.crl_cache).store(URL, *newer.pop())
        return found

    monkeypatch.setattr(crl_cache, "_read", meanwhile)
    assert cache.load(URL) == (BIG[::-1], b"new delta")


def test_what_is_on_the_disk_decodes_to_what_was_stored(cache: CrlCache, file: Path) -> None:
    data = os.urandom(3 * 256 * 1024 + 1)
    cache.store(URL, data, None)
    assert b64decode(json.loads(file.read_bytes())["baseCRL"]) == data


def test_who_does_not_learn_writes_no_copy_of_what_notation_wrote(paths: Paths, file: Path) -> None:
    file.write_text(json.dumps({"baseCRL": b64encode(BIG).decode()}, separators=(",", ":")))
    own = paths.cache / "own"
    assert CrlCache(paths.crl_cache, own, learn=False).load(URL) == (BIG, None)
    assert not own.exists()
    assert CrlCache(paths.crl_cache, own).load(URL) == (BIG, None)
    assert own.exists()
