"""Carried evidence takes the place of older, if somebody trusted made it; whoever made the bundle decides neither."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from datetime import timedelta

import pytest

from nv2.bundling import kinship
from nv2.bundling.evidence import Evidence, Kind
from nv2.bundling.evidence_manifest import piece
from nv2.bundling.installing import Fate, Placed, floor_of, install
from nv2.errors import EnvironmentFailure, MalformedManifest
from nv2.pki.certificate import Certificate, parse_certificate
from nv2.pki.ocsp import cache_key
from nv2.revocation.carried import Place
from nv2.revocation.circumstances import Link
from tests.world.ca import CA, Pair
from tests.world.carried import (
    ASKED,
    ASKED_CHAIN,
    CRL_URL,
    FOREIGN,
    FOREIGN_ROOT,
    OCSP_URL,
    ROOT,
    SERIAL,
    STRANGER,
    WABBIT,
    Lists,
    Numbers,
    by_crl,
    by_ocsp,
    place,
)
from tests.world.crl import NEXT_UPDATE, NOW, THIS_UPDATE, Revoked, crl, issuing_point
from tests.world.publishing import ocsp_answer

ONLY_AUTHORITIES = 2
"""Number of the field onlyContainsCACerts (RFC 5280, 5.2.5)."""

SECOND, DAY = timedelta(seconds=1), timedelta(days=1)
OLD = crl(WABBIT, number=1)
NEW = crl(WABBIT, number=2, this_update=THIS_UPDATE + SECOND)
UNNUMBERED = crl(WABBIT, number=None)
YOUNGER_UNNUMBERED = crl(WABBIT, number=None, this_update=THIS_UPDATE + SECOND)


def installed(
    evidence: Evidence,
    *places: Place,
    anchors: tuple[Certificate, ...] = (ROOT,),
    numbers: Numbers | None = None,
) -> Placed:
    [found] = install(evidence, anchors, places or (place(),), numbers or Numbers(), NOW)
    return found


def links_of(certificates: Iterable[Certificate], anchors: Iterable[Certificate]) -> list[Link]:
    return [link for links in kinship.kin_of(certificates, anchors).links.values() for link in links]


def kept(where: Place) -> bytes | None:
    found = where.crl.load(CRL_URL)
    return found[0] if found else None


def test_a_crl_of_a_trusted_authority_is_kept_in_every_place() -> None:
    places = place(), place()
    assert installed(by_crl(OLD), *places).fate is Fate.INSTALLED
    assert [kept(where) for where in places] == [OLD, OLD]


@pytest.mark.parametrize(("older", "newer"), [(OLD, NEW), (UNNUMBERED, YOUNGER_UNNUMBERED)])
def test_newer_replaces_older_and_never_the_other_way_round(older: bytes, newer: bytes) -> None:
    where, numbers = place(), Numbers()
    fates = [installed(by_crl(data), where, numbers=numbers).fate for data in (older, older, newer, older)]
    assert fates == [Fate.INSTALLED, Fate.KEPT_NEWER, Fate.INSTALLED, Fate.KEPT_NEWER]
    assert kept(where) == newer


def test_an_older_number_is_not_installed_even_where_nothing_is() -> None:
    numbers = Numbers()
    installed(by_crl(NEW), numbers=numbers)
    found = installed(by_crl(OLD), numbers=numbers)
    assert found.fate is Fate.KEPT_NEWER and "seen before" in found.reason


def test_what_lies_there_and_is_no_use_makes_room() -> None:
    for junk in (b"junk", crl(STRANGER, this_update=NOW, next_update=NEXT_UPDATE)):
        where = place()
        where.crl.store(CRL_URL, junk, None)
        assert installed(by_crl(OLD), where).fate is Fate.INSTALLED
        assert kept(where) == OLD


def test_an_authority_that_is_not_trusted_puts_nothing_in_the_place_of_another() -> None:
    where = place()
    forged = by_crl(crl(STRANGER, number=9, this_update=NOW), pair=FOREIGN)
    found = installed(forged, where)
    assert found.fate is Fate.REFUSED and "trusted here" in found.reason and kept(where) is None
    assert installed(forged, where, anchors=(FOREIGN_ROOT,)).fate is Fate.INSTALLED


def test_a_crl_that_its_issuer_did_not_sign_is_refused_and_its_number_is_not_remembered() -> None:
    numbers = Numbers()
    found = installed(by_crl(crl(WABBIT, signed_by=STRANGER.key, number=99)), numbers=numbers)
    assert found.fate is Fate.REFUSED and numbers.highest == {}
    assert installed(by_crl(OLD), numbers=numbers).fate is Fate.INSTALLED


def test_a_crl_under_an_address_that_no_trusted_certificate_names_is_refused() -> None:
    where = place()
    assert installed(by_crl(OLD, url="http://elsewhere.test/crl"), where).fate is Fate.REFUSED
    assert where.crl.load("http://elsewhere.test/crl") is None


@pytest.mark.parametrize(
    "data",
    [
        (crl(WABBIT, this_update=NOW + timedelta(minutes=6)),),
        (crl(WABBIT, delta_of=1, number=2),),
    ],
)
def test_what_is_from_the_future_or_stands_in_a_wrong_place_is_refused(data: tuple[bytes, ...]) -> None:
    where = place()
    assert installed(by_crl(*data), where).fate is Fate.REFUSED and kept(where) is None


DELTA = crl(WABBIT, [Revoked(SERIAL)], delta_of=2, number=4, this_update=NOW)


@pytest.mark.parametrize(
    ("delta", "said"),
    [
        (crl(WABBIT, number=2), "in the place of"),
        (crl(STRANGER, delta_of=1, number=2), "another issuer"),
        (crl(WABBIT, delta_of=3, number=3), "belongs to CRL 3 or later"),
        (crl(WABBIT, delta_of=1, number=1), "older than the complete one"),
        (crl(WABBIT, delta_of=1, number=3), "seen before"),
        (crl(WABBIT, delta_of=1, number=5, this_update=NOW + timedelta(minutes=6)), "future"),
    ],
)
def test_a_delta_that_is_none_does_not_keep_the_news_of_its_base_away(delta: bytes, said: str) -> None:
    where, numbers = place(), Numbers()
    assert installed(by_crl(OLD, crl(WABBIT, delta_of=1, number=4)), where, numbers=numbers).reason == ""
    found = installed(by_crl(NEW, delta), where, numbers=numbers)
    assert found.fate is Fate.INSTALLED and said in found.reason
    assert where.crl.load(CRL_URL) == (NEW, None)


def test_of_two_crls_of_one_second_the_higher_number_is_the_news() -> None:
    news = crl(WABBIT, [Revoked(SERIAL)], number=2)
    where, numbers = place(), Numbers()
    fates = [installed(by_crl(data), where, numbers=numbers).fate for data in (OLD, news, OLD)]
    assert fates == [Fate.INSTALLED, Fate.INSTALLED, Fate.KEPT_NEWER] and kept(where) == news


def test_the_number_decides_though_the_clock_of_the_authority_went_back() -> None:
    news = crl(WABBIT, [Revoked(SERIAL)], number=2, this_update=THIS_UPDATE - SECOND)
    where = place()
    assert [installed(by_crl(data), where).fate for data in (OLD, news, OLD)] == [
        Fate.INSTALLED,
        Fate.INSTALLED,
        Fate.KEPT_NEWER,
    ]
    assert kept(where) == news


def test_of_two_deltas_the_higher_number_is_the_news() -> None:
    older = crl(WABBIT, delta_of=2, number=3, this_update=NOW)
    where = place()
    for delta, fate in ((older, Fate.INSTALLED), (DELTA, Fate.INSTALLED), (older, Fate.KEPT_NEWER)):
        assert installed(by_crl(NEW, delta), where).fate is fate
    assert where.crl.load(CRL_URL) == (NEW, DELTA)


def test_a_number_is_remembered_only_when_the_crl_lies_where_it_is_looked_for() -> None:
    """Who is killed in between begins again, and leaves nobody's signers undecided."""

    class Killed(Lists):
        def store(self, url: str, base: bytes, delta: bytes | None) -> None:
            raise KeyboardInterrupt

    numbers = Numbers()
    with pytest.raises(KeyboardInterrupt):
        installed(by_crl(NEW), Place(Killed(), place().ocsp), numbers=numbers)
    assert numbers.highest == {}


class Full(Lists):
    """A cache on a disk that is full."""

    def store(self, url: str, base: bytes, delta: bytes | None) -> None:
        self.warnings.append(EnvironmentFailure("no space left on device", at=url))


def test_what_one_place_does_not_take_is_said_and_kept_in_the_others() -> None:
    other, numbers = place(), Numbers()
    found = installed(by_crl(NEW), Place(Full(), other.ocsp), other, numbers=numbers)
    assert found.fate is Fate.FAILED and kept(other) == NEW
    assert set(numbers.highest.values()) == {2}


def test_a_crl_about_others_is_not_put_under_an_address_that_it_does_not_answer_for() -> None:
    """Its authority signed it, for another address; on this one whoever made the bundle wrote it."""
    for point in (
        issuing_point(["http://wabbit.test/others"]),
        issuing_point(flags=[ONLY_AUTHORITIES]),
    ):
        where = place()
        installed(by_crl(OLD), where)
        others = crl(WABBIT, number=7, this_update=NOW, issuing_point=point)
        found = installed(by_crl(others), where)
        assert found.fate is Fate.REFUSED and found.reason and kept(where) == OLD


def test_a_crl_about_one_of_those_who_name_its_address_is_kept() -> None:
    where, authority = place(), WABBIT.intermediate("Below", crl_urls=(CRL_URL,)).issue("leaf", "EC-256")
    evidence = by_crl(crl(WABBIT, number=1, issuing_point=issuing_point(flags=[ONLY_AUTHORITIES])))
    more = tuple(parse_certificate(der) for der in authority.chain)
    named = evidence._replace(certificates=(*evidence.certificates, *more))
    assert installed(named, where).fate is Fate.INSTALLED


def test_of_two_answers_of_one_instant_revoked_is_the_news() -> None:
    key = cache_key(OCSP_URL, *ASKED_CHAIN.certificates)
    good, revoked = (ocsp_answer(WABBIT, ASKED.leaf, NOW, status) for status in ("good", "revoked"))
    where = place()
    fates = [installed(by_ocsp(data), where).fate for data in (good, revoked, good)]
    assert fates == [Fate.INSTALLED, Fate.INSTALLED, Fate.KEPT_NEWER]
    assert where.ocsp.load(key) == revoked


def test_a_delta_travels_with_its_base() -> None:
    base, delta = (
        crl(WABBIT, number=1, freshest=[CRL_URL]),
        crl(WABBIT, [Revoked(SERIAL)], delta_of=1, number=2),
    )
    where = place()
    assert installed(by_crl(base, delta), where).fate is Fate.INSTALLED
    assert where.crl.load(CRL_URL) == (base, delta)
    assert installed(by_crl(base), where).fate is Fate.KEPT_NEWER
    assert where.crl.load(CRL_URL) == (base, delta)


def test_a_younger_answer_replaces_an_older_one_and_never_the_other_way_round() -> None:
    key = cache_key(OCSP_URL, *ASKED_CHAIN.certificates)
    old = ocsp_answer(WABBIT, ASKED.leaf, NOW - DAY, life=2 * DAY)
    young = ocsp_answer(WABBIT, ASKED.leaf, NOW, "revoked")
    where = place()
    assert installed(by_ocsp(old), where).fate is Fate.INSTALLED
    assert installed(by_ocsp(young), where).fate is Fate.INSTALLED
    assert installed(by_ocsp(young), where).fate is Fate.KEPT_NEWER
    assert installed(by_ocsp(old), where).fate is Fate.KEPT_NEWER
    assert where.ocsp.load(key) == young


def test_an_answer_of_the_future_is_refused() -> None:
    found = installed(by_ocsp(ocsp_answer(WABBIT, ASKED.leaf, NOW + DAY)))
    assert found.fate is Fate.REFUSED and "future" in found.reason


def test_who_may_not_issue_certificates_vouches_for_none() -> None:
    no_authority = WABBIT.intermediate("No authority", basic_constraints=(False, None))
    below = no_authority.issue("below", "EC-256", crl_urls=(CRL_URL,))
    leaf, parent, root = (parse_certificate(der) for der in below.chain)
    for anchors in ((root,), (leaf,)):
        named = {(link.certificate, link.issuer) for link in links_of((leaf, parent, root), anchors)}
        assert (leaf, parent) not in named
    assert (parent, root) in named


def test_who_may_not_issue_certificates_makes_no_authorities_either() -> None:
    no_authority = WABBIT.intermediate("No authority", basic_constraints=(False, None))
    own = no_authority.intermediate("Own", serial=0x55)
    planted = own.issue("planted", "EC-256", crl_urls=(CRL_URL,))
    found = installed(by_crl_of(own, planted))
    assert found.fate is Fate.REFUSED and "trusted here" in found.reason


def by_crl_of(authority: CA, pair: Pair) -> Evidence:
    certificates = tuple(parse_certificate(der) for der in pair.chain)
    return Evidence(
        NOW,
        certificates,
        (piece(Kind.CRL, CRL_URL, certificates[1].thumbprint, "", crl(authority, number=9)),),
    )


def test_an_authority_below_a_trusted_one_speaks_for_whom_it_issued() -> None:
    below = WABBIT.intermediate("Below", serial=0x56)
    found = installed(by_crl_of(below, below.issue("built", "EC-256", crl_urls=(CRL_URL,))))
    assert found.fate is Fate.INSTALLED


def test_an_answer_is_kept_under_the_certificate_that_it_is_about() -> None:
    other = WABBIT.issue("other", "EC-256", serial=0x57, ocsp_urls=(OCSP_URL,))
    evidence = by_ocsp(ocsp_answer(WABBIT, ASKED.leaf, NOW))
    certificates = (parse_certificate(other.leaf), *evidence.certificates)
    where = place()
    assert installed(evidence._replace(certificates=certificates), where).fate is Fate.INSTALLED
    assert where.ocsp.load(cache_key(OCSP_URL, *ASKED_CHAIN.certificates)) is not None


def test_an_answer_of_somebody_else_is_refused() -> None:
    found = installed(by_ocsp(ocsp_answer(STRANGER, ASKED.leaf, NOW)))
    assert found.fate is Fate.REFUSED and found.reason


def test_the_floor_under_the_clock_is_what_trusted_authorities_signed() -> None:
    good = installed(by_crl(OLD))
    refused = installed(by_crl(crl(STRANGER, this_update=NOW), pair=FOREIGN))
    assert floor_of([refused]) is None and floor_of([good, refused]) == THIS_UPDATE
    where = place()
    assert [installed(by_crl(OLD), where).fate for _ in range(2)][1] is Fate.KEPT_NEWER
    assert floor_of([installed(by_crl(OLD), where)]) == THIS_UPDATE, "what is there already proves it as well"


def test_an_anchor_in_the_middle_brings_what_stands_above_it_and_not_its_siblings() -> None:
    middle, sibling = WABBIT.intermediate("Middle"), WABBIT.intermediate("Sibling")
    leaves = [ca.issue("build", "EC-256") for ca in (middle, sibling)]
    every = [parse_certificate(der) for pair in leaves for der in pair.chain]
    anchor = parse_certificate(leaves[0].chain[1])
    links = links_of(every, (anchor,))
    named = {(link.certificate.subject, link.issuer.subject) for link in links}
    leaf = parse_certificate(leaves[0].leaf)
    assert named == {(leaf.subject, anchor.subject), (anchor.subject, ROOT.subject)}
    assert all(link.certificate.thumbprint != parse_certificate(leaves[1].leaf).thumbprint for link in links)


MIDDLE_URL = "http://wabbit.test/middle"
MIDDLE = WABBIT.intermediate("Middle", crl_urls=(MIDDLE_URL,))
PINNED = MIDDLE.issue("pinned", "EC-256", crl_urls=(CRL_URL,))
ABOUT_MIDDLE = crl(WABBIT, number=1)


def above(issuer: CA, data: bytes, *between: bytes) -> Evidence:
    """A list that `issuer` made, under an address that only a certificate above `PINNED` names."""
    chain = (PINNED.leaf, *between, *issuer.chain)
    by = parse_certificate(issuer.certificate).thumbprint
    return Evidence(
        NOW,
        tuple(parse_certificate(der) for der in dict.fromkeys(chain)),
        (piece(Kind.CRL, MIDDLE_URL, by, "", data),),
    )


def impostor() -> Evidence:
    """Anybody can issue a certificate for the key of an authority in the middle, and write any address into it."""
    crossed = CA("Middle", parent=STRANGER, crl_urls=(MIDDLE_URL,)).certificate
    return above(STRANGER, crl(STRANGER, number=1), crossed)


def held(where: Place) -> bytes | None:
    found = where.crl.load(MIDDLE_URL)
    return found[0] if found else None


ANCHOR = parse_certificate(PINNED.leaf)


def test_a_list_about_what_stands_above_a_pinned_certificate_fills_an_empty_place_and_grows_newer() -> None:
    where = place()
    newer = crl(WABBIT, number=2, this_update=NOW)
    for data in (ABOUT_MIDDLE, newer):
        assert (
            installed(above(WABBIT, data, MIDDLE.certificate), where, anchors=(ANCHOR,)).fate
            is Fate.INSTALLED
        )
    assert held(where) == newer


def test_what_only_claims_an_address_takes_the_place_of_nobody_elses_list() -> None:
    where = place()
    assert installed(above(WABBIT, ABOUT_MIDDLE, MIDDLE.certificate), where).fate is Fate.INSTALLED
    found = installed(impostor(), where, anchors=(ANCHOR,))
    assert found.fate is Fate.REFUSED and "another authority" in found.reason
    assert held(where) == ABOUT_MIDDLE


def test_whom_an_anchor_vouches_for_takes_the_place_of_what_was_only_claimed() -> None:
    where = place()
    assert installed(impostor(), where, anchors=(ANCHOR,)).fate is Fate.INSTALLED
    assert installed(above(WABBIT, ABOUT_MIDDLE, MIDDLE.certificate), where).fate is Fate.INSTALLED
    assert held(where) == ABOUT_MIDDLE


def test_junk_is_in_nobodys_way() -> None:
    where = place()
    where.crl.store(MIDDLE_URL, b"junk", None)
    evidence = above(WABBIT, ABOUT_MIDDLE, MIDDLE.certificate)
    assert installed(evidence, where, anchors=(ANCHOR,)).fate is Fate.INSTALLED


def test_what_is_only_claimed_moves_no_clock() -> None:
    assert floor_of([installed(impostor(), anchors=(ANCHOR,))]) is None
    assert floor_of([installed(above(WABBIT, ABOUT_MIDDLE, MIDDLE.certificate))]) == THIS_UPDATE


def calls_for(certificates: Iterable[Certificate]) -> int:
    """How many functions are called to find the kin of `certificates`."""
    counted = [0]

    def count(_: object, event: str, __: object) -> None:
        counted[0] += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        kinship.kin_of(certificates, (ANCHOR,))
    finally:
        sys.setprofile(before)
    return counted[0]


def test_strangers_are_not_compared_with_each_other() -> None:
    """Or a bundle of thousands of authorities would take minutes."""
    crossed = []
    for number in range(40):
        other = CA(f"Other {number}")
        certificates = CA("Middle", parent=other).certificate, other.certificate
        crossed += [parse_certificate(der) for der in certificates]
    few, many = (calls_for((ANCHOR, *crossed[:end])) for end in (40, 80))
    assert many < 3 * few, "twice as many cost twice as much, and not four times"


def test_many_authorities_of_one_name_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kinship, "MAX_TRIED", 0)
    with pytest.raises(MalformedManifest, match="of one name"):
        installed(by_crl(OLD))


def test_where_an_authority_answers_for_others_than_before_time_decides_and_not_the_number() -> None:
    """Numbers count within one scope (RFC 5280, 5.2.3)."""
    partition = issuing_point([CRL_URL])
    later, earlier = (
        crl(WABBIT, number=1, this_update=THIS_UPDATE + step, issuing_point=partition)
        for step in (SECOND, -SECOND)
    )
    where = place()
    fates = [installed(by_crl(data), where).fate for data in (crl(WABBIT, number=9), earlier, later)]
    assert fates == [Fate.INSTALLED, Fate.KEPT_NEWER, Fate.INSTALLED] and kept(where) == later


def test_a_delta_arrives_later_than_its_base() -> None:
    where = place()
    for data in ((NEW,), (NEW, DELTA)):
        assert installed(by_crl(*data), where).fate is Fate.INSTALLED
    assert where.crl.load(CRL_URL) == (NEW, DELTA)
    assert installed(by_crl(NEW), where).fate is Fate.KEPT_NEWER
