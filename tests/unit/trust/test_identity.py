from __future__ import annotations

import warnings

import pytest
from cryptography import x509
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import NameOID

from nv2.errors import PolicyError
from nv2.pki.certificate import Certificate, parse_certificate
from nv2.pki.rfc4514 import parse_name
from nv2.trust.identity import ANYONE, Name, overlaps, parse_identities, parse_identity
from tests.world.ca import name_of, self_signed

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


BASE = "O=acme,ST=WA,C=US"


def parse(text: str) -> Name:
    return Name(parse_name(text, "here", PolicyError))


def subject(text: str | x509.Name) -> Certificate:
    return parse_certificate(self_signed(name_of(text), key="EC-256").leaf)


def attribute(
    oid: x509.ObjectIdentifier, value: str, kind: _ASN1Type = _ASN1Type.UTF8String
) -> x509.NameAttribute[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of lengths that RFC 5280 does not allow
        return x509.NameAttribute(oid, value, _type=kind, _validate=False)


def test_an_identity_matches_a_subject_that_has_its_attributes() -> None:
    leaf = subject("CN=build,OU=ci,O=acme,ST=WA,C=US")
    assert parse(BASE).matches(leaf)
    assert parse("C=US,ST=WA,O=acme,OU=ci").matches(leaf)
    assert not parse("C=US,ST=WA,O=acme,OU=other").matches(leaf)
    assert not parse("C=US,ST=WA,O=acme,L=Seattle").matches(leaf)
    assert not parse("C=US,ST=WA,O=Acme").matches(leaf)
    assert not parse("C=US,ST=WA,O=acme,cn=build").matches(leaf)


@pytest.mark.parametrize(
    "text",
    [
        f"OU=a,OU=b,{BASE}",
        f"OU=a+OU=b,{BASE}",
        f"CN=a,CN=b,{BASE}",
        f"O=acme,{BASE}",
        f"UID=u,{BASE}",
        f"emailAddress=a@b,{BASE}",
        f"DC=example,{BASE}",
        rf"CN=a\=#b,{BASE}",
    ],
)
def test_an_ambiguous_subject_matches_no_identity(text: str) -> None:
    assert not parse(BASE).matches(subject(text))


def test_an_empty_attribute_of_the_subject_matches_nothing_more() -> None:
    name = x509.Name([attribute(NameOID.COMMON_NAME, ""), *name_of(BASE)])
    assert parse(BASE).matches(subject(name))


def test_the_string_type_does_not_matter_but_the_letters_do() -> None:
    kinds = [(NameOID.COUNTRY_NAME, "US"), (NameOID.STATE_OR_PROVINCE_NAME, "WA")]
    parts = [attribute(oid, value, _ASN1Type.PrintableString) for oid, value in kinds]
    name = x509.Name([*parts, attribute(NameOID.ORGANIZATION_NAME, "acme", _ASN1Type.BMPString)])
    assert parse(BASE).matches(subject(name))
    look_alike = x509.Name([*parts, attribute(NameOID.ORGANIZATION_NAME, "\u0430cme")])
    assert not parse(BASE).matches(subject(look_alike))


def test_what_matched_as_text_matches_again_after_escaping() -> None:
    leaf = subject(rf"CN=\ a\,b\+c\"d\\e\<f\>g\;h\#\ ,{BASE}")
    assert parse(leaf.subject).matches(leaf)


def test_identities_overlap_when_one_is_part_of_the_other() -> None:
    assert overlaps(parse(BASE), parse(f"CN=x,{BASE}"))
    assert overlaps(parse(f"CN=x,{BASE}"), parse(BASE))
    assert overlaps(parse(BASE), parse("C=US,S=WA,O=acme"))
    assert not overlaps(parse(f"CN=x,{BASE}"), parse(f"CN=y,{BASE}"))
    assert not overlaps(parse(f"CN=x,{BASE}"), parse(f"OU=x,{BASE}"))
