"""Certificates that name CRLs: which are fetched, in which order, and what the answers come to."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509

from nv2.errors import EnvironmentFailure, Nv2Error
from nv2.pki.certificate import parse_certificate
from nv2.pki.chain import Chain, parse_chain
from nv2.plain_text import rfc3339
from nv2.revocation.caches import Caches
from nv2.revocation.circumstances import MAX_ADDRESSES
from nv2.revocation.online import OnlineRevocation
from nv2.trust.level import Validation
from nv2.trust.verdict import Finding, Outcome
from tests.world.ca import CA, TIME_STAMPING, Pair, name_of
from tests.world.crl import HOLD, NEXT_UPDATE, NOW, REMOVED, Revoked, crl, points
from tests.world.publishing import Publishing, Service
from tests.world.rounds import Rounds

ROOT, BUILDS, SPARE, DELTA = (f"http://crl.test/{name}.crl" for name in ("root", "builds", "spare", "delta"))
SERIAL = 0xB01D

root = CA("Wabbit")
builds = root.intermediate("Builds", crl_urls=(ROOT,), serial=0xCA)


def pair(*urls: str, ca: CA = root, **oddities: Any) -> Pair:
    return ca.issue("revocable", key="EC-256", crl_urls=urls, serial=SERIAL, **oddities)


def chain_of(*urls: str, ca: CA = root) -> Chain:
    return parse_chain(pair(*urls, ca=ca).chain)


class Kept:
    """A cache in memory."""

    def __init__(self, kept: Mapping[str, tuple[bytes, bytes | None]] | None = None) -> None:
        self.kept = dict(kept or {})
        self.warnings: list[Nv2Error] = []

    def load(self, url: str) -> tuple[bytes, bytes | None] | None:
        return self.kept.get(url)

    def store(self, url: str, base: bytes, delta: bytes | None) -> None:
        self.kept[url] = base, delta


class Numbers:
    """The highest numbers, in memory."""

    def __init__(self) -> None:
        self.highest: dict[str, int] = {}
        self.warnings: list[Nv2Error] = []

    def refusal(self, series: str, number: int | None) -> str | None:
        self.highest.setdefault(series, number or 0)
        return self.older(series, number)

    def older(self, series: str, number: int | None) -> str | None:
        seen = self.highest.get(series, 0)
        return f"number {seen} was seen before" if (number or 0) < seen else None


def check(
    chain: Chain,
    services: Mapping[str, Service],
    cache: Kept | None = None,
    numbers: Numbers | None = None,
) -> tuple[Finding, Publishing]:
    published = Publishing(services)
    checker = OnlineRevocation(lambda: published, threading.Lock, Caches(crl=cache, numbers=numbers))
    return checker.check(chain, NOW, None), published


def test_a_certificate_that_no_crl_lists_is_good_and_it_is_said_who_told() -> None:
    finding, published = check(chain_of(BUILDS), {BUILDS: crl(root)})
    assert (finding.validation, finding.outcome) == (Validation.REVOCATION, Outcome.PASSED)
    assert (
        finding.reason
        == f"certificate #1 ({_subject()}) is good, by CRL at {BUILDS}, until {rfc3339(NEXT_UPDATE)}"
    )
    assert published.asked == [BUILDS]


def _subject() -> str:
    return chain_of(BUILDS).leaf.subject


def test_a_certificate_that_is_listed_fails_as_notation_says_it_and_more() -> None:
    finding, _ = check(chain_of(BUILDS), {BUILDS: crl(root, [Revoked(SERIAL, reason=1)])})
    assert finding.outcome is Outcome.FAILED
    said = f'signing certificate with subject "{_subject()}" is revoked: certificate #1, CRL at {BUILDS}: revoked at '
    assert finding.reason.startswith(said) and "keyCompromise" in finding.reason


@pytest.mark.parametrize(
    ("service", "why"),
    [
        (404, "answered 404"),
        (302, "answered 302"),
        (b"<html>", "CRL at"),
        (crl(CA("Stranger")), "CRL at"),
        (crl(root, next_update=None), "nextUpdate"),
        (crl(root, next_update=NOW - timedelta(minutes=1)), "expired"),
        (crl(root, bad_signature=True), "CRL at"),
        (crl(root, delta_of=1, number=2), "a delta CRL is published where a complete one belongs"),
    ],
)
def test_whatever_else_comes_is_never_a_yes(service: Service, why: str) -> None:
    finding, _ = check(chain_of(BUILDS), {BUILDS: service})
    assert finding.outcome is Outcome.UNKNOWN and finding.hint
    assert f'"{_subject()}" revocation status is unknown: certificate #1, CRL at {BUILDS}: ' in finding.reason
    assert why in finding.reason and "\n" not in finding.reason


def test_a_server_that_is_gone_leaves_it_unknown() -> None:
    finding, _ = check(chain_of(BUILDS), {})
    assert finding.outcome is Outcome.UNKNOWN
    assert finding.reason.endswith(f"CRL at {BUILDS}: the connection was refused")


def test_places_are_tried_in_order_until_one_can_tell() -> None:
    chain = chain_of(BUILDS, SPARE)
    finding, published = check(chain, {BUILDS: 503, SPARE: crl(root)})
    assert finding.outcome is Outcome.PASSED and published.asked == [BUILDS, SPARE]
    finding, published = check(chain, {BUILDS: crl(root), SPARE: crl(root)})
    assert published.asked == [BUILDS]
    finding, _ = check(chain, {BUILDS: 503, SPARE: 404})
    assert "answered 503; " in finding.reason and finding.reason.endswith("answered 404")


def test_an_authority_cannot_make_us_ask_without_end() -> None:
    urls = [f"http://crl.test/{n}" for n in range(9)]
    finding, published = check(chain_of(*urls), {})
    assert len(published.requests) == MAX_ADDRESSES
    assert finding.reason.endswith("; 5 more addresses were not asked")


def test_every_certificate_but_the_last_is_asked_about() -> None:
    chain = chain_of(BUILDS, ca=builds)
    good: dict[str, Service] = {BUILDS: crl(builds), ROOT: crl(root)}
    assert check(chain, good)[0].outcome is Outcome.PASSED
    finding, _ = check(chain, {**good, ROOT: crl(root, [Revoked(0xCA)])})
    assert finding.outcome is Outcome.FAILED and "is revoked: certificate #2, " in finding.reason
    finding, _ = check(chain, {BUILDS: crl(builds)})
    assert finding.outcome is Outcome.UNKNOWN and "certificate #2, " in finding.reason


def test_revoked_weighs_more_than_unknown() -> None:
    finding, _ = check(chain_of(BUILDS, ca=builds), {ROOT: crl(root, [Revoked(0xCA)])})
    assert finding.outcome is Outcome.FAILED


def test_who_names_nobody_is_good_with_a_note() -> None:
    quiet = root.intermediate("Quiet")
    finding, _ = check(chain_of(BUILDS, ca=quiet), {BUILDS: crl(quiet)})
    assert finding.outcome is Outcome.PASSED
    assert (
        finding.reason.endswith("names no OCSP responder and no CRL") and "certificate #2" in finding.reason
    )


def test_a_crl_that_is_named_without_an_address_leaves_it_unknown() -> None:
    directory = x509.DistributionPoint([x509.DirectoryName(name_of("Wabbit"))], None, None, None)
    chain = parse_chain(pair(extensions=points(directory)).chain)
    finding, published = check(chain, {})
    assert finding.outcome is Outcome.UNKNOWN and published.requests == []
    assert finding.reason.endswith("unknown: certificate #1, it names a CRL, and no address of it")


def test_a_timestamping_certificate_is_called_so() -> None:
    chain = Chain(tuple(map(parse_certificate, pair(BUILDS, eku=(TIME_STAMPING,)).chain)))
    for service, said in (
        (crl(root, [Revoked(SERIAL)]), "is revoked"),
        (404, "revocation status is unknown"),
    ):
        finding, _ = check(chain, {BUILDS: service})
        assert finding.reason.startswith(f'timestamping certificate with subject "{_subject()}" {said}: ')


def test_all_certificates_are_asked_about_at_once() -> None:
    published = Publishing({BUILDS: crl(builds), ROOT: crl(root)})
    rounds = Rounds(published)
    checker = OnlineRevocation(lambda: rounds, threading.Lock)
    assert checker.check(chain_of(BUILDS, ca=builds), NOW, None).outcome is Outcome.PASSED
    assert rounds.requests == ["1 GET /builds.crl", "1 GET /root.crl"] and rounds.waited == 1


def test_a_second_place_of_one_is_asked_without_waiting_for_the_others() -> None:
    published = Publishing({SPARE: crl(builds), ROOT: crl(root)})
    rounds = Rounds(published)
    checker = OnlineRevocation(lambda: rounds, threading.Lock)
    assert checker.check(chain_of(BUILDS, SPARE, ca=builds), NOW, None).outcome is Outcome.PASSED
    assert rounds.waited == 2 and published.asked == [BUILDS, ROOT, SPARE]


def announcing(**more: Any) -> bytes:
    return crl(root, freshest=(DELTA,), number=5, **more)


def delta(entries: Iterable[Revoked] = ()) -> bytes:
    return crl(root, entries, delta_of=5, number=6)


def test_a_delta_that_is_announced_is_fetched_and_counts() -> None:
    finding, published = check(chain_of(BUILDS), {BUILDS: announcing(), DELTA: delta()})
    assert finding.outcome is Outcome.PASSED and published.asked == [BUILDS, DELTA]
    finding, _ = check(chain_of(BUILDS), {BUILDS: announcing(), DELTA: delta([Revoked(SERIAL)])})
    assert finding.outcome is Outcome.FAILED
    held = announcing(entries=[Revoked(SERIAL, HOLD)])
    freed = delta([Revoked(SERIAL, REMOVED, at=NOW - timedelta(minutes=5))])
    assert check(chain_of(BUILDS), {BUILDS: held, DELTA: freed})[0].outcome is Outcome.PASSED


def test_a_delta_that_cannot_be_had_leaves_it_unknown() -> None:
    finding, _ = check(chain_of(BUILDS), {BUILDS: announcing()})
    assert finding.outcome is Outcome.UNKNOWN
    assert finding.reason.endswith(f"; delta CRL at {DELTA}: the connection was refused")


@pytest.mark.parametrize(
    "forged", [{"bad_signature": True}, {"issuer": "Stranger"}, {"signed_by": CA("Stranger").key}]
)
def test_a_delta_is_not_asked_for_where_a_forged_crl_says(forged: Mapping[str, Any]) -> None:
    inside = "http://10.0.0.5/shutdown"
    base = crl(**{"ca": root, "freshest": (inside,), **forged})
    finding, published = check(chain_of(BUILDS), {BUILDS: base, inside: delta()})
    assert finding.outcome is Outcome.UNKNOWN and published.asked == [BUILDS]


def test_who_is_listed_for_good_is_revoked_without_the_delta() -> None:
    finding, _ = check(chain_of(BUILDS), {BUILDS: announcing(entries=[Revoked(SERIAL, 1)])})
    assert finding.outcome is Outcome.FAILED


def test_an_older_crl_does_not_take_back_what_a_newer_one_listed() -> None:
    numbers = Numbers()
    newer = crl(root, [Revoked(SERIAL)], number=8)
    assert check(chain_of(BUILDS), {BUILDS: newer}, numbers=numbers)[0].outcome is Outcome.FAILED
    finding, _ = check(chain_of(BUILDS), {BUILDS: crl(root, number=7)}, numbers=numbers)
    assert finding.outcome is Outcome.UNKNOWN and "number 8 was seen before" in finding.reason


def test_nor_does_an_older_delta() -> None:
    numbers = Numbers()
    newer, older = (crl(root, delta_of=5, number=number) for number in (8, 7))
    assert check(chain_of(BUILDS), {BUILDS: announcing(), DELTA: newer}, numbers=numbers)[0].outcome is Outcome.PASSED  # fmt: skip
    finding, _ = check(chain_of(BUILDS), {BUILDS: announcing(), DELTA: older}, numbers=numbers)
    assert finding.outcome is Outcome.UNKNOWN and "number 8 was seen before" in finding.reason


def test_a_crl_cannot_make_us_ask_for_deltas_without_end() -> None:
    base = crl(root, freshest=[f"http://crl.test/{n}" for n in range(9)], number=5)
    _, published = check(chain_of(BUILDS), {BUILDS: base})
    assert len(published.requests) == 1 + MAX_ADDRESSES


def test_a_fresh_crl_in_the_cache_is_used_without_asking() -> None:
    cache = Kept({BUILDS: (crl(root), None)})
    finding, published = check(chain_of(BUILDS), {}, cache)
    assert finding.outcome is Outcome.PASSED and published.requests == []


@pytest.mark.parametrize("delta_", [None, delta([Revoked(SERIAL)])])
def test_a_cached_delta_belongs_to_its_base(delta_: bytes | None) -> None:
    cache = Kept({BUILDS: (announcing(), delta_)})
    finding, published = check(
        chain_of(BUILDS), {BUILDS: announcing(), DELTA: delta([Revoked(SERIAL)])}, cache
    )
    assert finding.outcome is Outcome.FAILED
    assert bool(published.requests) is (delta_ is None)


@pytest.mark.parametrize(
    "kept",
    [
        (b"junk", None),
        (crl(root), b"junk"),
        (crl(CA("Stranger")), None),
        (crl(root, bad_signature=True), None),
        (crl(root, next_update=NOW - timedelta(minutes=1)), None),
        (crl(root, delta_of=1, number=2), None),
    ],
    ids=["junk", "junk delta", "another issuer's", "forged", "expired", "a delta"],
)
def test_what_is_in_the_cache_is_judged_like_anything_else_and_replaced(
    kept: tuple[bytes, bytes | None],
) -> None:
    cache, fresh = Kept({BUILDS: kept}), crl(root, [Revoked(SERIAL)], number=9)
    finding, published = check(chain_of(BUILDS), {BUILDS: fresh}, cache)
    assert finding.outcome is Outcome.FAILED and published.asked == [BUILDS]
    assert cache.kept == {BUILDS: (fresh, None)}


def test_a_revocation_in_the_cache_is_not_asked_away() -> None:
    cache = Kept({BUILDS: (crl(root, [Revoked(SERIAL, 1)]), None)})
    finding, published = check(chain_of(BUILDS), {BUILDS: crl(root)}, cache)
    assert finding.outcome is Outcome.FAILED and published.requests == []


def test_only_what_could_tell_is_kept() -> None:
    cache = Kept()
    for service in (crl(CA("Stranger")), crl(root, next_update=None), b"junk", 404):
        check(chain_of(BUILDS), {BUILDS: service}, cache)
    assert cache.kept == {}
    base, change = announcing(), delta()
    check(chain_of(BUILDS), {BUILDS: base, DELTA: change}, cache)
    assert cache.kept == {BUILDS: (base, change)}


def test_a_cache_that_cannot_be_used_is_a_warning_and_no_more() -> None:
    class Full(Kept):
        def store(self, url: str, base: bytes, delta: bytes | None) -> None:
            self.warnings.append(EnvironmentFailure("no space left on device", at="/cache"))

    said: list[str] = []
    published = Publishing({BUILDS: crl(root)})
    checker = OnlineRevocation(lambda: published, threading.Lock, Caches(crl=Full()), said.append)
    for _ in range(2):
        assert checker.check(chain_of(BUILDS), NOW, None).outcome is Outcome.PASSED
    assert said == ["/cache: no space left on device"]


def test_one_answer_serves_all_signatures_of_a_run() -> None:
    published = Publishing({BUILDS: crl(builds), ROOT: crl(root)})
    checker = OnlineRevocation(lambda: published, threading.Lock)
    other = builds.issue("other", key="EC-256", crl_urls=(BUILDS,), serial=0xB02D)
    threads = [
        threading.Thread(target=checker.check, args=(chain, NOW, None))
        for chain in (chain_of(BUILDS, ca=builds), parse_chain(other.chain)) * 4
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(published.asked) == [BUILDS, ROOT]


def test_an_authentic_signing_time_before_the_key_became_bad_saves_the_signature() -> None:
    entry = Revoked(SERIAL, 1, invalid_since=NOW - timedelta(days=2))
    checker = OnlineRevocation(lambda: Publishing({BUILDS: crl(root, [entry])}), threading.Lock)
    for signed_at, outcome in ((NOW - timedelta(days=3), Outcome.PASSED), (NOW - timedelta(days=1), Outcome.FAILED), (None, Outcome.FAILED)):  # fmt: skip
        assert checker.check(chain_of(BUILDS), NOW, signed_at).outcome is outcome
