from __future__ import annotations

from datetime import datetime

from nv2.pki.chain import Chain, parse_chain
from nv2.revocation import NOTHING_TO_ASK, OnDemand, WithoutNetwork
from nv2.trust.level import Validation
from nv2.trust.verdict import Finding, Outcome
from tests.world.ca import CA, self_signed
from tests.world.signed import NOW

URL = ("http://pki.wabbit-networks.io/x",)


def check(chain: Chain) -> Finding:
    return WithoutNetwork().check(chain, NOW, None)


def test_a_chain_that_says_nothing_about_revocation_passes_and_says_so() -> None:
    finding = check(parse_chain(CA("Wabbit").issue("build", key="EC-256").chain))
    assert finding == Finding(Validation.REVOCATION, Outcome.PASSED, NOTHING_TO_ASK)


def test_a_certificate_that_names_a_responder_or_a_crl_leaves_it_unknown() -> None:
    ca = CA("Wabbit")
    for urls in ({"ocsp_urls": URL}, {"crl_urls": URL}):
        finding = check(parse_chain(ca.issue("revocable", key="EC-256", **urls).chain))
        assert finding.outcome is Outcome.UNKNOWN
        assert finding.reason.startswith("certificate #1 (CN=revocable")


def test_an_intermediate_counts_as_well() -> None:
    intermediate = CA("Wabbit").intermediate("Builds", crl_urls=URL)
    finding = check(parse_chain(intermediate.issue("build", key="EC-256").chain))
    assert finding.reason.startswith("certificate #2 (CN=Builds CA")


def test_nobody_can_revoke_the_last_certificate() -> None:
    assert (
        check(parse_chain(CA("Odd", crl_urls=URL).issue("build", key="EC-256").chain)).outcome
        is Outcome.PASSED
    )
    assert (
        check(parse_chain(self_signed("alone", key="EC-256", crl_urls=URL).chain)).outcome is Outcome.PASSED
    )


class Told:
    """A checker that finds everything revoked, and counts."""

    def __init__(self) -> None:
        self.made = 0
        self.asked = 0
        self.begun = 0

    def make(self) -> Told:
        self.made += 1
        return self

    def check(self, chain: Chain, now: datetime, signed_at: datetime | None) -> Finding:
        self.asked += 1
        return Finding(Validation.REVOCATION, Outcome.FAILED, "revoked")

    def begin(self, chain: Chain, now: datetime, signed_at: datetime | None) -> None:
        self.begun += 1


def test_whoever_asks_is_not_even_made_for_chains_that_name_nobody() -> None:
    told = Told()
    ca = CA("Odd", crl_urls=URL)  # of the last certificate, which is not asked about
    finding = OnDemand(told.make).check(parse_chain(ca.issue("build", key="EC-256").chain), NOW, None)
    assert (finding.outcome, finding.reason, told.made) == (Outcome.PASSED, NOTHING_TO_ASK, 0)


def test_a_chain_that_names_somebody_is_asked_about() -> None:
    told, ca = Told(), CA("Wabbit")
    for urls in ({"ocsp_urls": URL}, {"crl_urls": URL}):
        chain = parse_chain(ca.issue("revocable", key="EC-256", **urls).chain)
        assert OnDemand(told.make).check(chain, NOW, None).outcome is Outcome.FAILED
    assert told.asked == 2
