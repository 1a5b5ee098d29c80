from __future__ import annotations

import hashlib
import warnings

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from nv2.errors import InvalidCertificate
from nv2.pki.certificate import MAX_CERTIFICATE, Certificate, parse_certificate
from tests.world.ca import CA, CODE_SIGNING, NOT_AFTER, NOT_BEFORE, certificate, key_of, name_of, self_signed


def leaf(**oddities: object) -> Certificate:
    return parse_certificate(CA().issue("build", key="EC-256", **oddities).leaf)


def test_it_shows_names_validity_and_thumbprint() -> None:
    found = leaf(serial=42)
    assert found.subject == "CN=build,O=wabbit-networks.io,ST=WA,C=US"
    assert found.issuer == "CN=Wabbit CA,O=wabbit-networks.io,ST=WA,C=US"
    assert (found.not_before, found.not_after, found.serial) == (NOT_BEFORE, NOT_AFTER, 42)
    assert found.thumbprint == hashlib.sha256(found.der).hexdigest()


def test_names_are_the_raw_bytes_of_the_certificate() -> None:
    found = leaf()
    assert found.subject_der == name_of("build").public_bytes()
    assert found.issuer_der == name_of("Wabbit CA").public_bytes()
    assert not found.is_self_issued
    assert parse_certificate(self_signed(key="EC-256").leaf).is_self_issued


def test_it_shows_the_extensions_of_the_specification() -> None:
    found = leaf()
    assert found.key_usage == frozenset({"digitalSignature"})
    assert found.key_usage_critical
    assert found.extended_key_usage == (CODE_SIGNING,)
    assert (found.is_ca, found.path_length) == (False, None)
    root = parse_certificate(CA("Root", basic_constraints=(True, 3)).certificate)
    assert (root.is_ca, root.path_length, root.key_usage) == (True, 3, frozenset({"keyCertSign", "cRLSign"}))


def test_absent_extensions_are_none() -> None:
    found = leaf(key_usage=None, eku=None, basic_constraints=None)
    assert (found.key_usage, found.extended_key_usage, found.basic_constraints) == (None, None, None)
    assert not found.is_ca
    assert not found.has_revocation_information


def test_revocation_information_is_an_ocsp_or_crl_url() -> None:
    assert leaf(ocsp_urls=["http://ocsp.example"]).ocsp_urls == ("http://ocsp.example",)
    assert leaf(crl_urls=["http://a.example/crl", "ldap://b"]).crl_urls == (
        "http://a.example/crl",
        "ldap://b",
    )
    assert leaf(crl_urls=["http://a.example/crl"]).has_revocation_information


def test_a_crl_that_is_published_in_a_directory_has_no_url_and_is_revocation_information() -> None:
    directory = x509.DistributionPoint([x509.DirectoryName(name_of("Wabbit CA"))], None, None, None)
    found = leaf(extensions=[(x509.CRLDistributionPoints([directory]), False)])
    assert found.crl_urls == () and found.has_revocation_information


def test_other_access_methods_are_no_revocation_information() -> None:
    issuers = x509.AccessDescription(
        x509.oid.AuthorityInformationAccessOID.CA_ISSUERS, x509.UniformResourceIdentifier("http://a")
    )
    found = leaf(extensions=[(x509.AuthorityInformationAccess([issuers]), False)])
    assert not found.has_revocation_information


def test_other_extensions_are_not_looked_at_even_when_critical_or_malformed() -> None:
    odd = x509.UnrecognizedExtension(x509.ObjectIdentifier("2.5.29.17"), b"not a subjectAltName")
    assert leaf(extensions=[(odd, True)]).key_usage == frozenset({"digitalSignature"})


@pytest.mark.parametrize("oid", ["2.5.29.19", "2.5.29.15", "2.5.29.37", "2.5.29.31", "1.3.6.1.5.5.7.1.1"])
@pytest.mark.parametrize("value", [b"", b"\x30", b"\x05\x00", b"\x30\x00\x00", b"\x30\x02\x05\x00"])
def test_extensions_that_matter_must_be_well_formed(oid: str, value: bytes) -> None:
    odd = x509.UnrecognizedExtension(x509.ObjectIdentifier(oid), value)
    with pytest.raises(InvalidCertificate, match="not a certificate"):
        leaf(key_usage=None, eku=None, basic_constraints=None, extensions=[(odd, True)])


def test_certificates_are_equal_by_their_bytes() -> None:
    first = leaf()
    assert first == parse_certificate(first.der)
    assert len({first, parse_certificate(first.der), leaf()}) == 2


def test_a_certificate_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        leaf().subject = "CN=other"


@pytest.mark.parametrize("kind", ["RSA-2048", "EC-256", "EC-384", "EC-521", "Ed25519"])
def test_its_key_has_a_kind_and_an_spki(kind: str) -> None:
    pair = CA().issue("keys", key=kind)
    found = parse_certificate(pair.leaf)
    assert found.key_kind == kind
    assert found.spki == pair.public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


@pytest.mark.parametrize("kind", ["RSA-2048", "EC-256", "EC-384", "EC-521", "Ed25519"])
def test_the_issuers_key_verifies_a_child(kind: str) -> None:
    issuer = CA(f"Issuer {kind}", key=kind)
    parent = parse_certificate(issuer.certificate)
    child = parse_certificate(issuer.issue("build", key="EC-256").leaf)
    parent.verify_child(child)
    with pytest.raises(InvalidCertificate, match="not made by"):
        parent.verify_child(parse_certificate(issuer.issue(key="EC-256", bad_signature=True).leaf))


@pytest.mark.parametrize(("hash_name", "shown"), [("sha1", "SHA-1"), ("md5", "MD5")])
def test_signatures_with_weak_hashes_are_refused(hash_name: str, shown: str) -> None:
    issuer = CA("Old", key="RSA-2048")
    child = parse_certificate(issuer.issue("build", key="EC-256", hash=hash_name).leaf)
    with pytest.raises(InvalidCertificate, match=shown):
        parse_certificate(issuer.certificate).verify_child(child)


def test_a_key_of_another_kind_did_not_sign() -> None:
    child = parse_certificate(CA("One", key="RSA-2048").issue("build", key="EC-256").leaf)
    with pytest.raises(InvalidCertificate, match="another kind"):
        parse_certificate(CA("Two").certificate).verify_child(child)


def _replaced(old: bytes, new: bytes) -> bytes:
    der = CA().issue("build", key="EC-256", serial=0x1234).leaf
    assert old in der
    return der.replace(old, new, 1)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "cut short"),
        (b"hello", "not a certificate"),
        (b"-----BEGIN CERTIFICATE-----", "not a certificate"),
        (CA().certificate[:-1], "cut short"),
        (CA().certificate + b"\0", "trailing"),
        (b"0" * (MAX_CERTIFICATE + 1), f"more than {MAX_CERTIFICATE}"),
        (_replaced(b"\x02\x02\x12\x34", b"\x02\x02\xf2\x34"), "negative"),
        (_replaced(b"\x02\x02\x12\x34", b"\x02\x02\x00\x34"), "not minimal"),
        (_replaced(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x03"), "version"),
        (_replaced(b"\x2a\x86\x48\xce\x3d\x04\x03\x02", b"\x2a\x86\x48\xce\x3d\x04\x03\x03"), "algorithms"),
        (_replaced(b"\x0c\x05build", b"\x0c\x05b\xffild"), "utf-8"),
        (_replaced(b"\x0c\x05build", b"\x13\x05b@ild"), "PrintableString"),
        (_replaced(b"\x0c\x05build", b"\x03\x05build"), "string"),
    ],
)
def test_other_bytes_are_refused_at_their_place_and_silently(data: bytes, words: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(InvalidCertificate, match=words) as caught:
            parse_certificate(data, "certificate #2")
    assert caught.value.at == "certificate #2"


def test_a_serial_number_of_zero_is_read_silently() -> None:
    """Old roots have it (RFC 5280, 4.1.2.2: be prepared to handle it)."""
    one = leaf(serial=1).der
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert parse_certificate(one.replace(b"\x02\x01\x01", b"\x02\x01\x00", 1)).serial == 0


def test_no_byte_outside_of_what_is_signed_can_change() -> None:
    sound = CA("Outside").certificate
    parent = parse_certificate(sound)
    signed = x509.load_der_x509_certificate(sound).tbs_certificate_bytes
    for at in range(sound.index(signed) + len(signed), len(sound)):
        with pytest.raises(InvalidCertificate):
            parent.verify_child(parse_certificate(sound[:at] + bytes([sound[at] ^ 1]) + sound[at + 1 :]))


def test_an_extension_must_not_occur_twice() -> None:
    der = leaf(key_usage=None).der
    twice = der.replace(bytes.fromhex("0603551d25"), bytes.fromhex("0603551d13"))
    with pytest.raises(InvalidCertificate, match="occurs twice"):
        parse_certificate(twice)


def test_a_key_that_cannot_be_read_is_refused_when_it_is_asked_for() -> None:
    key = key_of("spoiled", "EC-256")
    name = name_of("spoiled")
    der = certificate(name, key, name, key)
    point = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    found = parse_certificate(der.replace(point, b"\x04" + b"\x01" * 64))
    with pytest.raises(InvalidCertificate, match="public key"):
        _ = found.public_key


@pytest.mark.parametrize("version", [1, 3, 0x7F])
def test_a_certificate_of_an_unknown_version_is_refused(version: int) -> None:
    data = leaf().der
    at = data.index(bytes.fromhex("a003020102"))
    with pytest.raises(InvalidCertificate, match="version"):
        parse_certificate(data[: at + 4] + bytes([version]) + data[at + 5 :])
