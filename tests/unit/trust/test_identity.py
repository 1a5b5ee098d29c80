from __future__ import annotations

import pytest

from nv2.errors import PolicyError
from nv2.pki.certificate import parse_certificate
from nv2.trust.identity import ANYONE, parse_identities, parse_identity
from tests.world.ca import self_signed

LEAF = parse_certificate(
    self_signed("CN=build,OU=CI,O=wabbit-networks.io,L=Seattle,ST=WA,C=US", "EC-256").leaf
)


@pytest.mark.parametrize(
    "text",
    [
        "*",
        "x509.subject: C=US, ST=WA, O=wabbit-networks.io",
        "x509.subject:C=US,S=WA,O=wabbit-networks.io,CN=build",
        "x509.subject: O=wabbit-networks.io, L=Seattle, ST=WA, C=US, OU=CI, CN=build",
    ],
)
def test_an_identity_matches_whoever_has_all_its_attributes(text: str) -> None:
    assert parse_identity(text, "here").matches(LEAF)


@pytest.mark.parametrize(
    "text",
    [
        "x509.subject: C=US, ST=WA, O=acme-rockets.io",
        "x509.subject: C=US, ST=WA, O=wabbit-networks.io, CN=other",
        "x509.subject: C=US, ST=WA, O=wabbit-networks.io, STREET=Main",
        "x509.subject: C=US, ST=WA, O=Wabbit-networks.io",
    ],
)
def test_an_identity_with_another_attribute_does_not_match(text: str) -> None:
    assert not parse_identity(text, "here").matches(LEAF)


@pytest.mark.parametrize(
    "text", ["plugin.id: x", "x509.san:wabbit", "X509.subject: C=US, ST=WA, O=wabbit-networks.io"]
)
def test_an_identity_of_a_kind_that_only_plugins_know_matches_nobody(text: str) -> None:
    assert not parse_identity(text, "here").matches(LEAF)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "C=US",
        "x509.subject",
        "x509.subject:",
        "x509.subject:  ",
        "x509.subject: C=US, ST=WA",
        "x509.subject: C=US, ST=WA, O=a, O=b",
        "x509.subject: C=US+L=x, ST=WA, O=a",
        "x509.subject: C=US, ST=WA, O=#616263",
        "x509.subject: *",
        "**",
    ],
)
def test_a_malformed_identity_is_refused_at_its_place_with_advice(text: str) -> None:
    with pytest.raises(PolicyError) as caught:
        parse_identity(text, "trustedIdentities[3]")
    assert caught.value.at == "trustedIdentities[3]"
    assert caught.value.hint


def test_anyone_must_stand_alone() -> None:
    assert parse_identities(("*",), "ids") == (ANYONE,)
    with pytest.raises(PolicyError) as caught:
        parse_identities(("x509.subject: C=US, ST=WA, O=a", "*"), "ids")
    assert caught.value.at == "ids[1]"


def test_overlapping_identities_are_refused() -> None:
    short, long = "x509.subject: C=US, ST=WA, O=a", "x509.subject: CN=b, C=US, S=WA, O=a"
    for texts in ((short, long), (long, short), (short, short)):
        with pytest.raises(PolicyError) as caught:
            parse_identities(texts, "ids")
        assert caught.value.at == "ids[1]"
        assert "ids[0]" in caught.value.message


def test_different_identities_stand_side_by_side() -> None:
    texts = ("x509.subject: C=US, ST=WA, O=a", "x509.subject: C=US, ST=WA, O=b", "plugin: x", "plugin: x")
    assert [identity.text for identity in parse_identities(texts, "ids")] == list(texts)
