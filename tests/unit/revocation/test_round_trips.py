"""How often whoever verifies has to wait for responders and CRL servers: all that can be asked at once is asked at once.

The numbers are limits. Whoever makes one smaller writes the smaller one here.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from nv2.content.memory import MemoryStore
from nv2.envelope import formats
from nv2.oci import media_types as mt
from nv2.pki.certificate import Certificate, parse_certificate
from nv2.revocation.online import OnlineRevocation
from nv2.trust.anchors import StoreAnchors, StoreName, StoreType
from nv2.trust.denial import Denial, DenialKind, DenialList, spki_hash
from nv2.trust.level import LEVELS, Level, custom_level
from nv2.trust.trust import Trust
from nv2.trust.verdict import ArtifactVerdict, Verdict
from nv2.verification import evaluate
from tests.world.ca import CA, Pair
from tests.world.crl import crl
from tests.world.publishing import Publishing, Service, ocsp_answer
from tests.world.rounds import Rounds
from tests.world.signed import NOW, artifact, attach, sealed
from tests.world.tsa import TSA

ROOT, CLOCKS = CA("Wabbit"), CA("Clocks")
UPPER, LOWER, CLOCK_OCSP, CRL, CLOCK_CRL = (
    f"http://{name}.test" for name in ("upper", "lower", "clock", "crl", "clock-crl")
)

BELOW = ROOT.intermediate("Below", ocsp_urls=(UPPER,))
BY_OCSP = BELOW.issue("build", "EC-256", ocsp_urls=(LOWER,))
BY_CRL = ROOT.issue("build", "EC-256", crl_urls=(CRL,))
STRANGER = CA("Stranger").issue("build", "EC-256", ocsp_urls=(LOWER,))
OCSP_CLOCK = TSA("Clock", authority=CLOCKS, ocsp_urls=(CLOCK_OCSP,))
CRL_CLOCK = TSA("Clock", authority=CLOCKS, crl_urls=(CLOCK_CRL,))

LIFE: Mapping[str, Any] = {"this_update": NOW - timedelta(hours=1), "next_update": NOW + timedelta(days=1)}
SERVICES: Mapping[str, Service] = {
    UPPER: ocsp_answer(ROOT, BELOW.certificate, NOW),
    LOWER: ocsp_answer(BELOW, BY_OCSP.leaf, NOW),
    CLOCK_OCSP: ocsp_answer(CLOCKS, OCSP_CLOCK.pair.leaf, NOW),
    CRL: crl(ROOT, **LIFE),
    CLOCK_CRL: crl(CLOCKS, **LIFE),
}


def _load(name: StoreName) -> tuple[Certificate, ...]:
    return (parse_certificate((ROOT if name.type is StoreType.CA else CLOCKS).certificate),)


class Judged:
    """A signature of `pair`, with a timestamp of `clock` if there is one, judged; and what was asked."""

    def __init__(
        self,
        pair: Pair,
        clock: TSA | None,
        services: Mapping[str, Service] = SERVICES,
        level: Level = LEVELS["strict"],
        token: Mapping[str, Any] | None = None,
        denials: DenialList | None = None,
    ) -> None:
        store = MemoryStore()
        image = artifact(store)
        envelope = formats.parse(mt.JWS, sealed(image, pair))
        if clock is not None:
            envelope = formats.with_timestamp(envelope, clock.token(envelope.signature, **(token or {})))
        attach(store, image, envelope.raw, media_type=mt.JWS)
        stores = [StoreType.CA, *([StoreType.TSA] if clock else [])]
        anchors = StoreAnchors(tuple(StoreName(kind, "test") for kind in stores), _load)
        trust = Trust("test", level, anchors, (), denials=denials)
        self.published = Publishing(services)
        self.rounds = Rounds(self.published)
        checker = OnlineRevocation(lambda: self.rounds, threading.Lock)
        self.verdict: ArtifactVerdict = evaluate(store, image, trust, revocation=checker, now=NOW)


@pytest.mark.parametrize(
    ("pair", "clock", "requests"),
    [
        (BY_OCSP, None, 2),
        (BY_CRL, None, 1),
        (BY_OCSP, OCSP_CLOCK, 3),
        (BY_CRL, CRL_CLOCK, 2),
        (BY_OCSP, CRL_CLOCK, 3),
    ],
    ids=[
        "leaf and intermediate",
        "a CRL",
        "with a timestamp",
        "two CRLs, with a timestamp",
        "OCSP, and a CRL of the timestamp",
    ],
)
def test_everybody_is_asked_in_one_round_trip(pair: Pair, clock: TSA | None, requests: int) -> None:
    judged = Judged(pair, clock)
    assert judged.verdict.verdict is Verdict.TRUSTED, judged.verdict
    assert (len(judged.rounds.requests), judged.rounds.waited) == (requests, 1), judged.rounds.requests
    assert len(set(judged.published.asked)) == requests


def test_what_only_another_method_knows_takes_one_round_trip_more() -> None:
    pair = ROOT.issue("build", "EC-256", ocsp_urls=(LOWER,), crl_urls=(CRL,))
    judged = Judged(pair, OCSP_CLOCK, {**SERVICES, LOWER: 503})
    assert judged.verdict.verdict is Verdict.TRUSTED, judged.verdict
    assert (judged.published.asked, judged.rounds.waited) == ([LOWER, CLOCK_OCSP, CRL], 2)


def test_nobody_is_asked_about_the_signer_where_the_level_skips_it() -> None:
    level = custom_level("strict", {"revocation": "skip"}, at="here")
    judged = Judged(BY_OCSP, OCSP_CLOCK, level=level)
    assert (judged.verdict.verdict, judged.published.asked) == (Verdict.TRUSTED, [CLOCK_OCSP])


def test_nobody_is_asked_about_the_signer_where_the_timestamp_does_not_hold() -> None:
    judged = Judged(BY_OCSP, OCSP_CLOCK, token={"imprint": b"x" * 32})
    assert judged.verdict.verdict is Verdict.NOT_TRUSTED
    assert judged.published.asked == []


def test_nobody_is_asked_at_all_where_the_timestamping_authority_is_denied() -> None:
    clock = parse_certificate(OCSP_CLOCK.pair.leaf)
    denial = Denial(DenialKind.KEY, (spki_hash(clock),), "stolen", "2026-01-02T03:04:05Z")
    judged = Judged(BY_OCSP, OCSP_CLOCK, denials=DenialList([denial]))
    assert judged.verdict.verdict is Verdict.NOT_TRUSTED
    assert "of the timestamping authority" in judged.verdict.reason and "stolen" in judged.verdict.reason
    assert judged.published.asked == []


def test_the_signer_of_a_chain_that_nobody_trusts_is_not_asked_about_while_its_timestamp_is() -> None:
    judged = Judged(STRANGER, OCSP_CLOCK, level=LEVELS["audit"])
    assert judged.published.asked == [CLOCK_OCSP]
