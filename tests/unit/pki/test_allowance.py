"""How old may what an authority said be, where a set-up allows more than nextUpdate."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from nv2.pki.certificate import parse_certificate
from nv2.pki.certificate_status import Allowance, CertificateStatus, Status
from nv2.pki.crl import parse_crl, status_by_crl
from nv2.pki.ocsp import status_by_ocsp
from tests.world.ca import CA
from tests.world.crl import HOLD, NEXT_UPDATE, NOW, THIS_UPDATE, Revoked
from tests.world.crl import crl as crl_of
from tests.world.publishing import ocsp_answer

WABBIT = CA("Wabbit")
SERIAL = 0xB01D
PAIR = WABBIT.issue("build", "EC-256", serial=SERIAL, crl_urls=("http://crl.test/wabbit",))
LEAF, ISSUER = (parse_certificate(der) for der in PAIR.chain)
SECOND, DAY = timedelta(seconds=1), timedelta(days=1)
A_WEEK = Allowance(grace=7 * DAY)

Judge = Callable[[Allowance, timedelta], CertificateStatus]


def by_crl(allowance: Allowance, after: timedelta, *entries: Revoked) -> CertificateStatus:
    """The status so long after nextUpdate."""
    base = parse_crl(crl_of(WABBIT, entries))
    return status_by_crl(LEAF, ISSUER, base, None, NEXT_UPDATE + after, None, allowance)


def by_ocsp(allowance: Allowance, after: timedelta, said: str = "good") -> CertificateStatus:
    data = ocsp_answer(WABBIT, PAIR.leaf, NOW, said, life=NEXT_UPDATE - NOW)
    return status_by_ocsp(data, LEAF, ISSUER, NEXT_UPDATE + after, None, None, allowance).status


@pytest.mark.parametrize("judge", [by_crl, by_ocsp])
def test_the_grace_begins_at_next_update_and_ends_to_the_second(judge: Judge) -> None:
    assert judge(Allowance(), timedelta()).status is Status.GOOD
    assert judge(Allowance(), SECOND).status is Status.UNKNOWN
    within = judge(A_WEEK, 7 * DAY)
    assert within.status is Status.GOOD and "within the grace of 7d" in within.reason
    assert within.fresh_until == NEXT_UPDATE
    beyond = judge(A_WEEK, 7 * DAY + SECOND)
    assert beyond.status is Status.UNKNOWN and "more than the grace of 7d ago" in beyond.reason


@pytest.mark.parametrize("judge", [by_crl, by_ocsp])
def test_an_age_limit_is_shorter_than_grace_and_next_update(judge: Judge) -> None:
    life = NEXT_UPDATE - THIS_UPDATE
    limited = Allowance(grace=7 * DAY, max_age=life - timedelta(hours=1))
    assert judge(limited, -timedelta(hours=1)).status is Status.GOOD
    too_old = judge(limited, -timedelta(hours=1) + SECOND)
    assert too_old.status is Status.UNKNOWN and "longer ago than the" in too_old.reason


def test_listed_for_good_is_revoked_however_old_the_list_is_and_a_hold_is_not() -> None:
    for allowance in (Allowance(), A_WEEK, Allowance(max_age=SECOND)):
        listed = by_crl(allowance, 1000 * DAY, Revoked(SERIAL, 1))
        assert listed.status is Status.REVOKED and listed.for_good
        assert by_ocsp(allowance, 1000 * DAY, "revoked").for_good
        assert by_crl(allowance, 1000 * DAY, Revoked(SERIAL, HOLD)).status is Status.UNKNOWN
    held = by_crl(A_WEEK, DAY, Revoked(SERIAL, HOLD))
    assert held.status is Status.REVOKED and not held.for_good


def test_a_grace_without_end_does_not_overflow() -> None:
    assert by_crl(Allowance(grace=timedelta.max), 1000 * DAY).status is Status.GOOD
