"""What is gathered about chains: every piece anew, and every gap said."""

from __future__ import annotations

from datetime import timedelta

from nv2.bundling.arrival import Freshness, arriving, left_open, notation_warnings
from nv2.bundling.chains import chains_of
from nv2.bundling.evidence import Evidence, Kind
from nv2.bundling.gathering import NOT_TRUSTED, gather
from nv2.bundling.places import places_of
from nv2.oci import media_types as mt
from nv2.oci.descriptor import describe
from nv2.pki.certificate_status import STRICT, Allowance
from nv2.pki.chain import Chain, parse_chain
from nv2.pki.ocsp import cache_key
from tests.world.ca import CA, OCSP_SIGNING, Pair
from tests.world.carried import (
    ASKED,
    ASKED_CHAIN,
    CHAIN,
    CRL_URL,
    FOREIGN,
    FOREIGN_ROOT,
    LISTED,
    OCSP_URL,
    SERIAL,
    STRANGER,
    WABBIT,
    Numbers,
    by_crl,
    by_ocsp,
    no_lock,
)
from tests.world.crl import NEXT_UPDATE, NOW, Revoked, crl
from tests.world.publishing import Publishing, Service, ocsp_answer
from tests.world.signed import sealed

DAY = timedelta(days=1)
SPARE, DELTA = "http://wabbit.test/spare", "http://wabbit.test/delta"


def issued(**names: object) -> Pair:
    return WABBIT.issue("several", "EC-256", serial=SERIAL, **names)


def gathered(
    *chains: Chain, services: dict[str, Service], trusted: bool = True, numbers: Numbers | None = None
) -> tuple[Evidence, list[str]]:
    network = Publishing(services)
    found = gather(chains, lambda _: trusted, network, numbers, no_lock, NOW)
    return found, network.asked


def addresses(found: Evidence) -> list[tuple[Kind, str]]:
    return [(piece.kind, piece.address) for piece in found.pieces]


def test_everything_that_a_certificate_names_is_fetched_although_the_first_answer_could_tell() -> None:
    pair = issued(ocsp_urls=(OCSP_URL,), crl_urls=(CRL_URL, SPARE))
    services: dict[str, Service] = {
        OCSP_URL: ocsp_answer(WABBIT, pair.leaf, NOW),
        CRL_URL: crl(WABBIT),
        SPARE: crl(WABBIT),
    }
    found, asked = gathered(parse_chain(pair.chain), services=services)
    assert sorted(asked) == sorted(services) and found.gaps == ()
    assert set(addresses(found)) == {(Kind.OCSP, OCSP_URL), (Kind.CRL, CRL_URL), (Kind.CRL, SPARE)}
    assert {certificate.der for certificate in found.certificates} == set(pair.chain)


def test_a_delta_comes_with_its_base_under_the_address_of_the_base() -> None:
    services: dict[str, Service] = {
        CRL_URL: crl(WABBIT, freshest=[DELTA]),
        DELTA: crl(WABBIT, delta_of=1, number=2),
    }
    found, _ = gathered(CHAIN, services=services)
    assert addresses(found) == [(Kind.CRL, CRL_URL), (Kind.DELTA, CRL_URL)]


def test_what_says_revoked_is_gathered_too() -> None:
    found, _ = gathered(CHAIN, services={CRL_URL: crl(WABBIT, [Revoked(SERIAL, 1)])})
    assert addresses(found) == [(Kind.CRL, CRL_URL)] and found.gaps == ()


def test_what_cannot_be_had_or_would_not_count_is_a_gap_with_its_reason() -> None:
    stranger = CA("Somebody")
    for service, reason in (
        (404, "answered 404"),
        (b"junk", "not a CRL"),
        (crl(stranger), "another issuer"),
        (crl(WABBIT, next_update=NOW - DAY, this_update=NOW - 2 * DAY), "expired at"),
    ):
        found, _ = gathered(CHAIN, services={CRL_URL: service})
        assert found.pieces == () and reason in str(found.gaps[0]), service
        assert found.gaps[0].certificate == CHAIN.leaf.thumbprint


def test_an_older_number_than_was_seen_is_a_gap() -> None:
    numbers = Numbers()
    gathered(CHAIN, services={CRL_URL: crl(WABBIT, number=5)}, numbers=numbers)
    found, _ = gathered(CHAIN, services={CRL_URL: crl(WABBIT, number=4)}, numbers=numbers)
    assert found.pieces == () and "seen before" in found.gaps[0].reason


def test_nobody_is_asked_about_a_chain_that_is_not_trusted() -> None:
    found, asked = gathered(CHAIN, services={CRL_URL: crl(WABBIT)}, trusted=False)
    assert asked == [] and found.pieces == () and [gap.reason for gap in found.gaps] == [NOT_TRUSTED]


def test_what_a_trusted_chain_asks_already_is_no_gap_of_another_that_is_not() -> None:
    middle = WABBIT.intermediate("Middle", crl_urls=(CRL_URL,), serial=0xCA)
    one, other = (parse_chain(middle.issue(name, "EC-256").chain) for name in ("one", "other"))
    network = Publishing({CRL_URL: crl(WABBIT)})
    found = gather((one, other), lambda chain: chain == one, network, None, no_lock, NOW)
    assert addresses(found) == [(Kind.CRL, CRL_URL)] and found.gaps == ()


def test_one_crl_serves_all_certificates_of_its_issuer() -> None:
    other = parse_chain(WABBIT.issue("other", "EC-256", serial=7, crl_urls=(CRL_URL,)).chain)
    found, asked = gathered(CHAIN, other, services={CRL_URL: crl(WABBIT)})
    assert asked == [CRL_URL] and addresses(found) == [(Kind.CRL, CRL_URL)]


def test_the_crl_about_a_delegated_responder_comes_along_with_its_certificate() -> None:
    responder = WABBIT.issue("responder", "EC-256", eku=(OCSP_SIGNING,), serial=9, crl_urls=(SPARE,))
    services: dict[str, Service] = {
        OCSP_URL: ocsp_answer(WABBIT, ASKED.leaf, NOW, by=responder),
        SPARE: crl(WABBIT),
    }
    found, _ = gathered(ASKED_CHAIN, services=services)
    assert set(addresses(found)) == {(Kind.OCSP, OCSP_URL), (Kind.CRL, SPARE)}
    assert responder.leaf in {certificate.der for certificate in found.certificates}


def test_the_chains_of_envelopes_are_found_once_and_junk_is_reported() -> None:
    subject = describe(b"artifact", mt.IMAGE_MANIFEST)
    envelopes = [(mt.JWS, sealed(subject, LISTED)), (mt.JWS, sealed(subject, LISTED)), (mt.JWS, b"junk")]
    found = chains_of(envelopes, ())
    assert found.chains == (CHAIN,) and len(found.problems) == 1


def at(evidence: Evidence, after: timedelta, allowance: Allowance = STRICT) -> list[Freshness]:
    return [each.freshness for each in arriving(evidence, NEXT_UPDATE + after, lambda _: allowance)]


def test_a_piece_is_fresh_then_counts_by_grace_and_then_is_stale() -> None:
    found, _ = gathered(CHAIN, services={CRL_URL: crl(WABBIT)})
    second = timedelta(seconds=1)
    assert at(found, timedelta()) == [Freshness.FRESH] and at(found, second) == [Freshness.STALE]
    a_day = Allowance(grace=DAY)
    assert at(found, DAY, a_day) == [Freshness.BY_GRACE] and at(found, DAY + second, a_day) == [
        Freshness.STALE
    ]


def test_a_certificate_is_left_open_when_no_piece_about_it_is_fresh() -> None:
    pair = issued(ocsp_urls=(OCSP_URL,), crl_urls=(CRL_URL,))
    answer = ocsp_answer(WABBIT, pair.leaf, NOW, life=DAY)
    found, _ = gathered(parse_chain(pair.chain), services={OCSP_URL: answer, CRL_URL: crl(WABBIT)})

    def open_at(instant: timedelta) -> list[bytes]:
        pieces = arriving(found, NOW + instant, lambda _: STRICT)
        return [certificate.der for certificate in left_open(found, pieces)]

    assert open_at(2 * DAY) == [], "the CRL tells when the answer is stale"
    assert open_at(8 * DAY) == [pair.leaf]


def test_a_stale_delta_makes_its_base_useless() -> None:
    services: dict[str, Service] = {
        CRL_URL: crl(WABBIT, freshest=[DELTA]),
        DELTA: crl(WABBIT, delta_of=1, number=2, next_update=NOW + DAY),
    }
    found, _ = gathered(CHAIN, services=services)
    assert left_open(found, arriving(found, NOW + DAY, lambda _: STRICT)) == ()
    assert left_open(found, arriving(found, NOW + 2 * DAY, lambda _: STRICT)) == (CHAIN.leaf,)


def test_it_is_said_what_notation_cannot_use() -> None:
    good, _ = gathered(CHAIN, services={CRL_URL: crl(WABBIT)})
    assert notation_warnings(good) == ()
    root = CA("Asked", ocsp_urls=(OCSP_URL,))
    unasked, _ = gathered(parse_chain(root.issue("leaf", "EC-256").chain), services={})
    assert notation_warnings(unasked) == (), "nobody asks about a root"
    missing, _ = gathered(CHAIN, services={})
    assert "1 of 1 could not be had" in notation_warnings(missing)[0]
    asked, _ = gathered(ASKED_CHAIN, services={OCSP_URL: ocsp_answer(WABBIT, ASKED.leaf, NOW)})
    assert "OCSP responders alone" in notation_warnings(asked)[0]


def test_a_delta_that_is_none_does_not_come_along_with_the_list_that_revokes() -> None:
    """Nobody looks at a delta where the complete list tells already: whoever sits on the line could send anything."""
    news = crl(WABBIT, [Revoked(SERIAL, 1)], number=2, freshest=[DELTA])
    forged = crl(WABBIT, signed_by=STRANGER.key, delta_of=1, number=3)
    for junk in (
        forged,
        crl(STRANGER, delta_of=1, number=3),
        crl(WABBIT, delta_of=3, number=3),
        crl(WABBIT),
    ):
        found, _ = gathered(CHAIN, services={CRL_URL: news, DELTA: junk})
        assert addresses(found) == [(Kind.CRL, CRL_URL)]
    right = crl(WABBIT, delta_of=1, number=3)
    found, _ = gathered(CHAIN, services={CRL_URL: news, DELTA: right})
    assert addresses(found) == [(Kind.CRL, CRL_URL), (Kind.DELTA, CRL_URL)]


def test_two_issuers_who_name_one_address_have_a_place_each() -> None:
    lists = [by_crl(crl(WABBIT)), by_crl(crl(STRANGER), pair=FOREIGN)]
    asked = by_ocsp(ocsp_answer(WABBIT, ASKED.leaf, NOW))
    every = (*lists, asked)
    evidence = Evidence(
        NOW,
        tuple(dict.fromkeys(found for each in every for found in each.certificates)),
        tuple(piece for each in every for piece in each.pieces),
    )
    ours, theirs = places_of(evidence)
    assert [place.crl.load(CRL_URL) for place in (ours, theirs)] == [
        (each.pieces[0].data, None) for each in lists
    ]
    leaf, issuer = ASKED_CHAIN.certificates
    assert ours.ocsp.load(cache_key(OCSP_URL, leaf, issuer)) == asked.pieces[0].data
    assert theirs.ocsp.load(cache_key(OCSP_URL, leaf, FOREIGN_ROOT)) is None


def test_every_signer_brings_the_answer_about_himself() -> None:
    other = WABBIT.issue("also asked", "EC-256", serial=SERIAL + 9, ocsp_urls=("http://wabbit.test/other",))
    services: dict[str, Service] = {
        OCSP_URL: ocsp_answer(WABBIT, ASKED.leaf, NOW),
        "http://wabbit.test/other": ocsp_answer(WABBIT, other.leaf, NOW),
    }
    chains = ASKED_CHAIN, parse_chain(other.chain)
    found, _ = gathered(*chains, services=services)
    about = {piece.certificate for piece in found.pieces}
    assert about == {chain.certificates[0].thumbprint for chain in chains}
