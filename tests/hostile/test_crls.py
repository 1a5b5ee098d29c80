"""CRLs and caches that lie (the attack list's revocation and cache rows; delta CRLs as base CRLs among the weak spots).

Each ends without a yes, and with one reason. What concerns addresses, sizes on the wire and redirects is asked elsewhere.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from nv2.errors import InvalidRevocationData
from nv2.home.crl_cache import CrlCache
from nv2.home.crl_numbers import CrlNumbers
from nv2.home.lock import host_lock
from nv2.pki.certificate import parse_certificate
from nv2.pki.certificate_status import CertificateStatus, Status
from nv2.pki.crl import MAX_CRL, parse_crl, status_by_crl
from tests.world.ca import CA
from tests.world.crl import NOW, REMOVED, REVOKED_AT, URL, Revoked, crl, issuing_point

WABBIT, MALLORY = CA("Wabbit"), CA("Mallory")
SERIAL = 0x5A17_BEEF_0000_CAFE
LEAF, ROOT = map(parse_certificate, WABBIT.issue("build", key="EC-256", serial=SERIAL, crl_urls=(URL,)).chain)
LISTED = [Revoked(SERIAL, 1)]
DAY = timedelta(days=1)
CRITICAL = ("1.3.6.1.4.1.99999.1", True, b"\x05\x00")


def judged(base: bytes, delta: bytes | None = None, **more: Any) -> CertificateStatus:
    changes = parse_crl(delta) if delta is not None else None
    return status_by_crl(LEAF, ROOT, parse_crl(base), changes, NOW, more.get("signed_at"))


def base(**oddities: Any) -> bytes:
    return crl(WABBIT, number=10, **oddities)


def delta(*entries: Revoked, **oddities: Any) -> bytes:
    return crl(WABBIT, entries, **{"number": 11, "delta_of": 10, **oddities})


# fmt: off
LIES: dict[str, tuple[Callable[[], CertificateStatus], str]] = {
    "CRL of another issuer":        (lambda: judged(crl(MALLORY)), "another issuer"),
    "CRL in our issuer's name":     (lambda: judged(crl(WABBIT, signed_by=MALLORY.key)), "not made by"),
    "expired":                      (lambda: judged(crl(WABBIT, next_update=NOW - DAY, this_update=NOW - 2 * DAY)), "expired"),
    "without nextUpdate":           (lambda: judged(crl(WABBIT, next_update=None)), "nextUpdate"),
    "future thisUpdate":            (lambda: judged(crl(WABBIT, this_update=NOW + DAY)), "future"),
    "indirect (IDP)":               (lambda: judged(crl(WABBIT, issuing_point=issuing_point([URL], flags=[4]))), "indirectCRL"),
    "partial reasons":              (lambda: judged(crl(WABBIT, issuing_point=issuing_point(only_some_reasons=[1]))), "some reasons"),
    "another distribution point":   (lambda: judged(crl(WABBIT, issuing_point=issuing_point([URL + "2"]))), "distribution point"),
    "unknown critical extension":   (lambda: judged(crl(WABBIT, extensions=[CRITICAL])), "critical"),
    "unknown critical entry":       (lambda: judged(crl(WABBIT, [Revoked(7, extensions=(CRITICAL,))])), "critical"),
    "5.4 o: a delta as the base":   (lambda: judged(delta()), "delta"),
    "delta of a later base":        (lambda: judged(base(), delta(delta_of=11)), "belongs to"),
    "delta older than the base":    (lambda: judged(base(), delta(number=9, delta_of=1)), "older"),
    "delta of another issuer":      (lambda: judged(base(), crl(MALLORY, number=11, delta_of=10)), "another issuer"),
    "delta that is held back":      (lambda: judged(base(freshest=[URL])), "missing"),
    "removeFromCRL in the base":    (lambda: judged(crl(WABBIT, [Revoked(SERIAL, REMOVED)])), "removeFromCRL"),
}
REVOKED: dict[str, Callable[[], CertificateStatus]] = {
    "removeFromCRL of a compromised key": lambda: judged(base(entries=LISTED), delta(Revoked(SERIAL, REMOVED, NOW))),
    "future invalidityDate":        lambda: judged(crl(WABBIT, [Revoked(SERIAL, 1, invalid_since=NOW + DAY)]), signed_at=NOW),
    "invalidityDate, no time":      lambda: judged(crl(WABBIT, [Revoked(SERIAL, 1, invalid_since=REVOKED_AT)])),
    "listed and expired":           lambda: judged(crl(WABBIT, LISTED, next_update=NOW - DAY, this_update=NOW - 2 * DAY)),
    "a serial written with zeros":  lambda: judged(crl(WABBIT, [Revoked(SERIAL, written=b"\0\0" + SERIAL.to_bytes(8, "big"))])),
}
# fmt: on


def test_an_honest_crl_is_good_so_that_the_lies_are_what_is_refused() -> None:
    assert judged(crl(WABBIT)).status is Status.GOOD
    assert judged(base(), delta()).status is Status.GOOD


@pytest.mark.parametrize("row", LIES)
def test_a_crl_that_lies_leaves_it_open_with_one_reason(row: str) -> None:
    lie, words = LIES[row]
    found = lie()
    assert found.status is Status.UNKNOWN
    assert words in found.reason
    assert "\n" not in found.reason


@pytest.mark.parametrize("row", REVOKED)
def test_no_trick_makes_a_revoked_certificate_good(row: str) -> None:
    assert REVOKED[row]().status is Status.REVOKED


def test_a_huge_crl_is_refused_before_it_is_looked_at() -> None:
    with pytest.raises(InvalidRevocationData, match="more than 67108864 bytes"):
        parse_crl(bytes(MAX_CRL + 1))


def test_a_replay_of_an_older_crl_that_has_not_expired_is_refused(tmp_path: Path) -> None:
    numbers = CrlNumbers(tmp_path, host_lock(tmp_path / "locks"))
    newer, older = parse_crl(crl(WABBIT, LISTED, number=8)), parse_crl(crl(WABBIT, number=7))
    assert numbers.refusal(newer.series(ROOT), newer.number) is None
    assert numbers.refusal(older.series(ROOT), older.number)


def planted(cache: CrlCache, file: Path) -> None:
    """A foreign CRL under our URL."""
    cache.store(URL, crl(MALLORY), None)


def linked(cache: CrlCache, file: Path) -> None:
    planted(cache, file)
    file.symlink_to(file.rename(file.with_name("elsewhere")))


def a_stuck_pipe(cache: CrlCache, file: Path) -> None:
    os.mkfifo(file)


def a_flood(cache: CrlCache, file: Path) -> None:
    with file.open("wb") as sparse:
        sparse.truncate(1 << 40)


@pytest.mark.parametrize("poison", [planted, linked, a_stuck_pipe, a_flood])
def test_a_poisoned_cache_never_says_yes(poison: Callable[[CrlCache, Path], None], tmp_path: Path) -> None:
    directory = tmp_path / "crl"
    cache = CrlCache(directory)
    cache.store(URL + "2", b"", None)
    (first,) = directory.iterdir()
    cache.store(URL, b"", None)
    (file,) = set(directory.iterdir()) - {first}
    file.unlink()
    poison(cache, file)
    found = cache.load(URL)
    if found is None:
        assert len(cache.warnings) == 1
    else:
        assert judged(*found).status is Status.UNKNOWN


def test_a_cache_that_cannot_be_written_is_a_warning(tmp_path: Path) -> None:
    (tmp_path / "cache").touch()
    cache = CrlCache(tmp_path / "cache" / "crl")
    cache.store(URL, crl(WABBIT), None)
    assert len(cache.warnings) == 1
