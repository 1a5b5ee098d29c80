from __future__ import annotations

import warnings

import pytest
from cryptography import x509
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import NameOID

from nv2.pki.certificate import Certificate, parse_certificate
from tests.world.ca import name_of, self_signed


def subject(text: str | x509.Name) -> Certificate:
    return parse_certificate(self_signed(name_of(text), key="EC-256").leaf)


def attribute(
    oid: x509.ObjectIdentifier, value: str, kind: _ASN1Type = _ASN1Type.UTF8String
) -> x509.NameAttribute[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of lengths that RFC 5280 does not allow
        return x509.NameAttribute(oid, value, _type=kind, _validate=False)


# Checked against Go's pkix.Name.String.


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
