from __future__ import annotations

import warnings

import pytest
from cryptography import x509
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import NameOID

from nv2.errors import PolicyError
from nv2.pki.certificate import Certificate, parse_certificate
from nv2.pki.names import Name, overlaps, parse_name
from tests.world.ca import name_of, self_signed

BASE = "O=acme,ST=WA,C=US"


def parse(text: str) -> Name:
    return parse_name(text, "here", PolicyError)


def subject(text: str | x509.Name) -> Certificate:
    return parse_certificate(self_signed(name_of(text), key="EC-256").leaf)


def attribute(
    oid: x509.ObjectIdentifier, value: str, kind: _ASN1Type = _ASN1Type.UTF8String
) -> x509.NameAttribute[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of lengths that RFC 5280 does not allow
        return x509.NameAttribute(oid, value, _type=kind, _validate=False)


# --- the text form (checked against Go's pkix.Name.String) ------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("C=US,ST=WA,L=Seattle,O=Notary,CN=x", "CN=x,O=Notary,L=Seattle,ST=WA,C=US"),
        ("CN=x,OU=a,OU=b,C=US", "CN=x,OU=b+OU=a,C=US"),
        ("OU=a+OU=b,C=US", "OU=a+OU=b,C=US"),
        ("CN=first,CN=last,C=US", "CN=first,C=US"),
        (r"CN=a\,b\+c\"d\\e\<f\>g\;h=i,C=US", r"CN=a\,b\+c\"d\\e\<f\>g\;h=i,C=US"),
        (r"CN=\ a b\ ,C=US", r"CN=\ a b\ ,C=US"),
        (r"CN=\#a#b,C=US", r"CN=\#a#b,C=US"),
        ("CN=Größe,C=DE", "CN=Größe,C=DE"),
        ("UID=u,CN=x,C=US", "CN=x,C=US,0.9.2342.19200300.100.1.1=#130175"),
        ("emailAddress=a@b,C=US", "C=US,1.2.840.113549.1.9.1=#0c03614062"),
        ("STREET=s,C=US", "STREET=s,C=US"),
        ("2.5.4.5=n,2.5.4.17=p,C=US", "SERIALNUMBER=n,POSTALCODE=p,C=US"),
    ],
)
def test_names_are_written_as_go_writes_them(name: str, text: str) -> None:
    assert subject(name).subject == text


def test_long_values_of_other_types_have_long_lengths() -> None:
    long = subject(f"UID={'u' * 200},C=US")
    assert long.subject == "C=US,0.9.2342.19200300.100.1.1=#1381c8" + "75" * 200


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (_ASN1Type.BMPString, "Größe"),
        (_ASN1Type.T61String, "Groesse"),
        (_ASN1Type.IA5String, "a@b"),
        (_ASN1Type.PrintableString, "a b"),
        (_ASN1Type.NumericString, "12 3"),
    ],
)
def test_every_string_type_that_go_reads_is_read(kind: _ASN1Type, value: str) -> None:
    name = x509.Name([attribute(NameOID.COMMON_NAME, value, kind)])
    assert subject(name).subject == f"CN={value}"


def test_an_empty_common_name_is_left_out() -> None:
    name = x509.Name([attribute(NameOID.COMMON_NAME, ""), attribute(NameOID.COUNTRY_NAME, "US")])
    assert subject(name).subject == "C=US"


# --- identities -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "attributes"),
    [
        (BASE, {"O": "acme", "ST": "WA", "C": "US"}),
        ("C=US, S=WA , O = acme", {"O": "acme", "ST": "WA", "C": "US"}),
        ("C=US;ST=WA;O=acme", {"O": "acme", "ST": "WA", "C": "US"}),
        (rf"CN=a\,b\=c\\,{BASE}", {"CN": "a,b=c\\", "O": "acme", "ST": "WA", "C": "US"}),
        (rf"CN=Gr\C3\B6\c3\9fe,{BASE}", {"CN": "Größe", "O": "acme", "ST": "WA", "C": "US"}),
        (rf"CN=\ a\ ,{BASE}", {"CN": " a ", "O": "acme", "ST": "WA", "C": "US"}),
        (f"CN=a=b,{BASE}", {"CN": "a=b", "O": "acme", "ST": "WA", "C": "US"}),
        (f"cn=a,{BASE}", {"cn": "a", "O": "acme", "ST": "WA", "C": "US"}),
    ],
)
def test_identities_are_read_as_rfc_4514_says(text: str, attributes: dict[str, str]) -> None:
    assert parse(text).attributes == attributes


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "not TYPE=VALUE"),
        ("acme", "not TYPE=VALUE"),
        (f"{BASE},", "not TYPE=VALUE"),
        (f",{BASE}", "not TYPE=VALUE"),
        (f"=x,{BASE}", "not TYPE=VALUE"),
        ("C=US,ST=WA", "has no O"),
        ("CN=x", "no C and no ST and no O"),
        ("c=US,st=WA,o=acme", "has no C"),
        (f"CN=,{BASE}", "CN has no value"),
        (f"{BASE},O=other", "O occurs twice"),
        (f"{BASE},S=CA", "ST occurs twice"),
        (f"OU=a+OU=b,{BASE}", "several values"),
        (f"CN=#0c0161,{BASE}", "hexadecimal"),
        (f"CN=a=#b,{BASE}", "hexadecimal"),
        (f"CN=a\\,{BASE}\\", "backslash"),
        (f"CN=\\x,{BASE}", "backslash"),
        (f"CN=\\C,{BASE}", "backslash"),
        (f"CN=\\ff,{BASE}", "utf-8"),
    ],
)
def test_other_identities_are_refused(text: str, words: str) -> None:
    with pytest.raises(PolicyError) as caught:
        parse(text)
    assert words in caught.value.message
    assert caught.value.at == "here"
    assert "C, ST and O" in str(caught.value.hint)


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


def test_an_identity_is_written_so_that_it_reads_back() -> None:
    name = parse(rf"CN=a\,b ,{BASE}")
    assert parse(str(name)) == name
