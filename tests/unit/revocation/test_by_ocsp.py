"""Certificates that name OCSP responders: who is asked, in which order, and what the answers come to."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509

from nv2.errors import Nv2Error
from nv2.pki.certificate import parse_certificate
from nv2.pki.chain import parse_chain
from nv2.pki.ocsp import cache_key
from nv2.revocation.caches import Caches
from nv2.revocation.online import OnlineRevocation
from nv2.transport.interface import Request, Response
from nv2.trust.verdict import Finding, Outcome
from tests.world.ca import CA, OCSP_SIGNING, Pair
from tests.world.crl import NOW, Revoked, crl
from tests.world.network import answer
from tests.world.publishing import Publishing, Service, ocsp_answer
from tests.world.rounds import Rounds

OCSP, SPARE, CRL, RESPONDERS = (
    "http://ocsp.test",
    "http://spare.test",
    "http://crl.test/a",
    "http://crl.test/r",
)

root = CA("Wabbit")
PAIR = root.issue("revocable", key="EC-256", ocsp_urls=(OCSP,))
BOTH = root.issue("revocable", key="EC-256", ocsp_urls=(OCSP, SPARE), crl_urls=(CRL,), serial=0xB01D)
NO_CHECK = [(x509.OCSPNoCheck(), False)]


class Kept:
    """A cache in memory."""

    def __init__(self, kept: Mapping[str, bytes] | None = None) -> None:
        self.kept = dict(kept or {})
        self.warnings: list[Nv2Error] = []

    def load(self, key: str) -> bytes | None:
        return self.kept.get(key)

    def store(self, key: str, response: bytes) -> None:
        self.kept[key] = response


def check(
    pair: Pair, services: Mapping[str, Service], cache: Kept | None = None
) -> tuple[Finding, Publishing]:
    published = Publishing(services)
    checker = OnlineRevocation(lambda: published, threading.Lock, Caches(ocsp=cache))
    return checker.check(parse_chain(pair.chain), NOW, None), published


def said(pair: Pair, said_: str = "good", **more: Any) -> bytes:
    return ocsp_answer(root, pair.leaf, NOW, said_, **more)


def test_a_certificate_that_its_responder_calls_good_is_good() -> None:
    finding, published = check(PAIR, {OCSP: said(PAIR)})
    assert finding.outcome is Outcome.PASSED and f" is good, by OCSP at {OCSP}, until 20" in finding.reason
    assert len(published.requests) == 1


def test_one_that_its_responder_calls_revoked_fails() -> None:
    finding, _ = check(PAIR, {OCSP: said(PAIR, "revoked")})
    assert finding.outcome is Outcome.FAILED
    assert f"is revoked: certificate #1, OCSP at {OCSP}: " in finding.reason


@pytest.mark.parametrize(
    "service",
    [
        None,
        404,
        b"junk",
        said(PAIR, "unknown"),
        said(PAIR, life=timedelta(days=-2)),
        said(BOTH),
        ocsp_answer(CA("Stranger"), PAIR.leaf, NOW),
        b"\x30\x03\x0a\x01\x06",
    ],
    ids=[
        "gone",
        "404",
        "junk",
        "unknown",
        "expired",
        "another certificate",
        "another issuer",
        "unauthorized",
    ],
)
def test_whatever_else_comes_is_never_a_yes(service: Service | None) -> None:
    finding, _ = check(PAIR, {} if service is None else {OCSP: service})
    assert finding.outcome is Outcome.UNKNOWN
    assert f"revocation status is unknown: certificate #1, OCSP at {OCSP}: " in finding.reason


def test_responders_are_asked_in_order_and_then_the_crl() -> None:
    finding, published = check(BOTH, {OCSP: said(BOTH), SPARE: 500, CRL: 500})
    assert finding.outcome is Outcome.PASSED and published.asked == [OCSP]
    finding, published = check(BOTH, {OCSP: 503, SPARE: said(BOTH, "revoked"), CRL: crl(root)})
    assert finding.outcome is Outcome.FAILED and published.asked == [OCSP, SPARE]
    finding, published = check(BOTH, {OCSP: 503, SPARE: 404, CRL: crl(root)})
    assert finding.outcome is Outcome.PASSED and published.asked == [OCSP, SPARE, CRL]
    finding, _ = check(BOTH, {OCSP: 503, SPARE: 404, CRL: 500})
    assert finding.reason.endswith(
        f"OCSP at {OCSP}: answered 503; OCSP at {SPARE}: answered 404; CRL at {CRL}: answered 500"
    )


def test_a_responder_that_does_not_know_does_not_keep_the_crl_from_being_asked() -> None:
    finding, _ = check(BOTH, {OCSP: said(BOTH, "unknown"), CRL: crl(root, [Revoked(0xB01D)])})
    assert finding.outcome is Outcome.FAILED


def test_a_responder_that_does_without_sha_1_is_asked_by_sha_256() -> None:
    yes = said(PAIR, hash_name="sha256")
    asked: list[str] = []

    def responder(request: Request) -> Response:
        asked.append(request.url)
        return answer(request, 200, yes if len(asked) > 1 else b"\x30\x03\x0a\x01\x06")

    assert check(PAIR, {OCSP: responder})[0].outcome is Outcome.PASSED
    assert len(set(asked)) == 2


def test_a_cold_check_costs_one_round_however_long_the_chain_is() -> None:
    builds = root.intermediate("Builds", ocsp_urls=(SPARE,))
    pair = builds.issue("revocable", key="EC-256", ocsp_urls=(OCSP,))
    leaf, intermediate = (
        ocsp_answer(builds, pair.leaf, NOW),
        ocsp_answer(root, builds.certificate, NOW),
    )
    rounds = Rounds(Publishing({OCSP: leaf, SPARE: intermediate}))
    checker = OnlineRevocation(lambda: rounds, threading.Lock)
    assert checker.check(parse_chain(pair.chain), NOW, None).outcome is Outcome.PASSED
    assert rounds.waited == 1 and len(rounds.requests) == 2


def responder(**more: Any) -> Pair:
    return root.issue("CN=ocsp", key="EC-256", eku=(OCSP_SIGNING,), **more)


def test_a_delegated_responder_that_need_not_be_checked_is_not() -> None:
    by = responder(crl_urls=(RESPONDERS,), extensions=NO_CHECK)
    finding, published = check(PAIR, {OCSP: said(PAIR, by=by)})
    assert finding.outcome is Outcome.PASSED and published.asked == [OCSP]


def test_a_delegated_responder_is_itself_looked_up_in_a_crl() -> None:
    by = responder(crl_urls=(RESPONDERS,), serial=0x0C59)
    yes = said(PAIR, by=by)
    finding, published = check(PAIR, {OCSP: yes, RESPONDERS: crl(root)})
    assert finding.outcome is Outcome.PASSED and RESPONDERS in published.asked
    finding, _ = check(PAIR, {OCSP: yes, RESPONDERS: crl(root, [Revoked(0x0C59, 1)])})
    assert finding.outcome is Outcome.UNKNOWN and "the responder CN=ocsp is revoked" in finding.reason
    finding, _ = check(PAIR, {OCSP: yes})
    assert finding.outcome is Outcome.UNKNOWN and "is of unknown revocation status" in finding.reason


def test_when_the_artifact_was_signed_does_not_save_a_responder_that_was_revoked() -> None:
    by = responder(crl_urls=(RESPONDERS,), serial=0x0C59)
    bad_since = Revoked(0x0C59, 1, invalid_since=NOW - timedelta(days=1))
    published = Publishing({OCSP: said(PAIR, by=by), RESPONDERS: crl(root, [bad_since])})
    checker = OnlineRevocation(lambda: published, threading.Lock)
    finding = checker.check(parse_chain(PAIR.chain), NOW, NOW - timedelta(days=2))
    assert finding.outcome is Outcome.UNKNOWN and "the responder CN=ocsp is revoked" in finding.reason


def test_a_revoked_responder_cannot_revoke_either() -> None:
    by = responder(crl_urls=(RESPONDERS,), serial=0x0C59)
    no = said(PAIR, "revoked", by=by)
    finding, _ = check(PAIR, {OCSP: no, RESPONDERS: crl(root, [Revoked(0x0C59, 1)])})
    assert finding.outcome is Outcome.UNKNOWN


def test_a_responder_that_names_nothing_is_like_any_certificate_that_names_nothing() -> None:
    assert check(PAIR, {OCSP: said(PAIR, by=responder())})[0].outcome is Outcome.PASSED
    only_ocsp = responder(ocsp_urls=(SPARE,))
    assert check(PAIR, {OCSP: said(PAIR, by=only_ocsp)})[0].outcome is Outcome.UNKNOWN


def key_of(pair: Pair) -> str:
    leaf, issuer = (parse_certificate(der) for der in pair.chain)
    return cache_key(OCSP, leaf, issuer)


def test_an_answer_is_kept_and_serves_the_next_run() -> None:
    cache = Kept()
    yes = said(PAIR)
    check(PAIR, {OCSP: yes}, cache)
    assert cache.kept == {key_of(PAIR): yes}
    finding, published = check(PAIR, {}, cache)
    assert finding.outcome is Outcome.PASSED and published.requests == []


@pytest.mark.parametrize(
    "kept",
    [b"junk", said(PAIR, life=timedelta(days=-2)), said(BOTH), ocsp_answer(CA("Stranger"), PAIR.leaf, NOW)],
    ids=["junk", "expired", "another certificate", "another issuer"],
)
def test_what_is_in_the_cache_is_judged_like_anything_else_and_replaced(kept: bytes) -> None:
    cache, no = Kept({key_of(PAIR): kept}), said(PAIR, "revoked")
    assert check(PAIR, {OCSP: no}, cache)[0].outcome is Outcome.FAILED
    assert cache.kept == {key_of(PAIR): no}


def test_what_could_not_tell_is_not_kept() -> None:
    cache = Kept()
    for service in (b"junk", said(PAIR, "unknown"), said(PAIR, life=timedelta(days=-2)), 500):
        check(PAIR, {OCSP: service}, cache)
    assert cache.kept == {}
