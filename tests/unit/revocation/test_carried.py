"""Carried evidence beside what can be fetched: when it counts, and what no newer news can undo."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from nv2.pki.certificate import Certificate
from nv2.pki.certificate_status import CLOCK_SKEW, Allowance
from nv2.pki.chain import Chain
from nv2.pki.ocsp import cache_key
from nv2.revocation.caches import Caches
from nv2.revocation.carried import Carried, Place
from nv2.revocation.online import OnlineRevocation
from nv2.trust.verdict import Finding, Outcome
from tests.world.carried import (
    ASKED,
    ASKED_CHAIN,
    CHAIN,
    CRL_URL,
    OCSP_URL,
    ROOT,
    SERIAL,
    WABBIT,
    Numbers,
    no_lock,
    place,
)
from tests.world.crl import HOLD, NEXT_UPDATE, NOW, THIS_UPDATE, Revoked, crl
from tests.world.publishing import Publishing, Service, ocsp_answer

DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)
LATER = NEXT_UPDATE + DAY
LISTED = Revoked(SERIAL, 1)
A_WEEK = Allowance(grace=7 * DAY)


def holding(*lists: bytes, is_fetched: bool = False) -> Place:
    found = place(is_fetched=is_fetched)
    for data in lists:
        found.crl.store(CRL_URL, data, None)
    return found


def says(
    *places: Place,
    now: datetime = NOW,
    chain: Chain = CHAIN,
    allowance: Allowance | dict[Certificate, Allowance] = Allowance(),  # noqa: B008  # immutable
    floor: datetime | None = None,
    clock_behind: timedelta = CLOCK_SKEW,
    alone: bool = False,
    numbers: Numbers | None = None,
    services: dict[str, Service] | None = None,
    caches: Place | None = None,
) -> tuple[Finding, list[str]]:
    """The finding, and who was asked."""
    network = Publishing(services or {})

    def rule(issuer: Certificate) -> Allowance:
        return allowance if isinstance(allowance, Allowance) else allowance.get(issuer, Allowance())

    carried = Carried(places, rule, floor, clock_behind, alone=alone)
    kept = Caches(*(caches.caches if caches else (None, None)), numbers, carried)
    checker = OnlineRevocation(lambda: network, no_lock, kept)
    return checker.check(chain, now, None), network.asked


def outcome(*places: Place, **more: object) -> Outcome:
    return says(*places, **more)[0].outcome  # type: ignore[arg-type]


def test_what_is_listed_is_revoked_however_old_the_list_is_and_whatever_the_network_says() -> None:
    services: dict[str, Service] = {
        CRL_URL: crl(WABBIT, this_update=LATER, next_update=LATER + DAY, number=9)
    }
    finding, asked = says(holding(crl(WABBIT, [LISTED])), now=LATER, services=services)
    assert finding.outcome is Outcome.FAILED and asked == []


def test_a_hold_that_is_out_of_date_is_no_longer_known() -> None:
    assert outcome(holding(crl(WABBIT, [Revoked(SERIAL, HOLD)]))) is Outcome.FAILED
    assert outcome(holding(crl(WABBIT, [Revoked(SERIAL, HOLD)])), now=LATER) is Outcome.UNKNOWN


def test_past_next_update_it_counts_by_grace_alone_and_only_where_nobody_else_can_tell() -> None:
    old = holding(crl(WABBIT))
    finding, asked = says(old, now=LATER)
    assert finding.outcome is Outcome.UNKNOWN and "expired at" in finding.reason and asked == [CRL_URL]
    finding, asked = says(old, now=LATER, allowance=A_WEEK)
    assert finding.outcome is Outcome.PASSED and "within the grace of 7d" in finding.reason
    assert asked == [CRL_URL]
    news = crl(WABBIT, [LISTED], this_update=LATER - DAY, next_update=LATER + DAY, number=2)
    assert outcome(old, now=LATER, allowance=A_WEEK, services={CRL_URL: news}) is Outcome.FAILED


def test_the_grace_is_that_of_the_issuer() -> None:
    old = holding(crl(WABBIT))
    assert outcome(old, now=LATER, allowance={ROOT: A_WEEK}) is Outcome.PASSED
    assert outcome(old, now=LATER, allowance={CHAIN.leaf: A_WEEK}) is Outcome.UNKNOWN


def test_what_this_machine_fetched_itself_has_no_grace() -> None:
    assert outcome(holding(crl(WABBIT), is_fetched=True), now=LATER, allowance=A_WEEK) is Outcome.UNKNOWN


def test_what_was_carried_is_no_younger_for_lying_in_the_cache_as_well() -> None:
    cache = place()
    cache.crl.store(CRL_URL, crl(WABBIT), None)
    cache.ocsp.store(cache_key(OCSP_URL, *ASKED_CHAIN.certificates), ocsp_answer(WABBIT, ASKED.leaf, NOW))
    for chain in (CHAIN, ASKED_CHAIN):
        limit = NOW - THIS_UPDATE
        assert outcome(caches=cache, chain=chain, allowance=Allowance(max_age=limit)) is Outcome.PASSED
        found = outcome(caches=cache, chain=chain, allowance=Allowance(max_age=limit - SECOND))
        assert found is Outcome.UNKNOWN
        assert outcome(caches=cache, chain=chain, now=LATER, allowance=A_WEEK) is Outcome.UNKNOWN


def test_what_lies_in_the_cache_ages_by_the_floor_too() -> None:
    cache = place()
    cache.crl.store(CRL_URL, crl(WABBIT), None)
    for floor, expected in ((NEXT_UPDATE, Outcome.PASSED), (NEXT_UPDATE + SECOND, Outcome.UNKNOWN)):
        assert outcome(caches=cache, floor=floor, clock_behind=30 * DAY) is expected


def test_alone_nobody_is_asked() -> None:
    services: dict[str, Service] = {CRL_URL: crl(WABBIT)}
    finding, asked = says(place(), alone=True, services=services)
    assert finding.outcome is Outcome.UNKNOWN and asked == []
    assert "nothing was carried here" in finding.reason


def test_of_two_pieces_the_younger_one_decides() -> None:
    held = crl(WABBIT, [Revoked(SERIAL, HOLD)], number=1)
    released = crl(WABBIT, this_update=THIS_UPDATE + SECOND, number=2)
    for places in ((holding(held), holding(released)), (holding(released), holding(held))):
        assert outcome(*places, alone=True) is Outcome.PASSED


def test_an_older_number_than_was_seen_does_not_count() -> None:
    numbers = Numbers()
    assert outcome(holding(crl(WABBIT, number=5)), alone=True, numbers=numbers) is Outcome.PASSED
    finding, _ = says(holding(crl(WABBIT, number=4)), alone=True, numbers=numbers)
    assert finding.outcome is Outcome.UNKNOWN and "seen before" in finding.reason


def test_a_clock_behind_the_floor_leaves_it_open_but_for_who_is_listed() -> None:
    good, bad = holding(crl(WABBIT)), holding(crl(WABBIT, [LISTED]))
    floor = NOW + CLOCK_SKEW
    assert outcome(good, floor=floor) is Outcome.PASSED
    finding, asked = says(good, floor=floor + SECOND, services={CRL_URL: crl(WABBIT)})
    assert finding.outcome is Outcome.UNKNOWN and "clock of this machine is behind" in finding.reason
    assert asked == []
    assert outcome(bad, floor=floor + SECOND) is Outcome.FAILED


def test_ages_are_counted_from_the_floor_where_a_setting_allows_a_clock_behind_it() -> None:
    old = holding(crl(WABBIT))
    allowed = {"clock_behind": 30 * DAY, "alone": True}
    assert outcome(old, floor=NEXT_UPDATE, **allowed) is Outcome.PASSED
    assert outcome(old, floor=NEXT_UPDATE + SECOND, **allowed) is Outcome.UNKNOWN


@pytest.mark.parametrize(("said", "expected"), [("good", Outcome.PASSED), ("revoked", Outcome.FAILED), ("unknown", Outcome.UNKNOWN)])  # fmt: skip
def test_an_answer_counts_for_the_certificate_that_it_is_about(said: str, expected: Outcome) -> None:
    where = place()
    where.ocsp.store(
        cache_key(OCSP_URL, *ASKED_CHAIN.certificates), ocsp_answer(WABBIT, ASKED.leaf, NOW, said)
    )
    assert outcome(where, chain=ASKED_CHAIN, alone=True) is expected


def test_junk_and_other_authorities_lists_say_nothing() -> None:
    from tests.world.carried import STRANGER

    for data in (b"junk", crl(STRANGER, [LISTED])):
        assert outcome(holding(data), alone=True) is Outcome.UNKNOWN


def test_the_same_list_in_several_places_is_one_reason() -> None:
    expired = crl(WABBIT)
    finding, _ = says(holding(expired), holding(expired), now=LATER, alone=True)
    assert finding.outcome is Outcome.UNKNOWN and finding.reason.count("expired") == 1


def test_where_nobody_is_asked_nobody_is_told_to_make_responders_reachable() -> None:
    hints = [says(holding(crl(WABBIT)), now=LATER, alone=alone)[0].hint or "" for alone in (True, False)]
    assert "new bundle" in hints[0] and "must be reachable" in hints[1]
    assert not says(holding(crl(WABBIT)), alone=True)[0].hint
