from __future__ import annotations

import pytest
from cryptography import x509

from nv2.pki import der
from nv2.pki.certificate import Certificate, parse_certificate
from nv2.pki.distribution_points import distribution_points, freshest_points
from tests.world.ca import CA
from tests.world.crl import URL, points

WABBIT = CA("Wabbit")
OTHER = "ldap://directory.example.com/cn=x"


def with_points(*found: x509.DistributionPoint) -> Certificate:
    return parse_certificate(WABBIT.issue("build", key="EC-256", extensions=points(*found)).leaf)


def test_a_certificate_without_points_has_none() -> None:
    found = parse_certificate(WABBIT.issue("build", key="EC-256").leaf)
    assert distribution_points(found) == freshest_points(found) == ()


def test_urls_of_one_point_stay_together_in_their_order() -> None:
    uris = [x509.UniformResourceIdentifier(url) for url in (OTHER, URL)]
    first, second = distribution_points(
        with_points(
            x509.DistributionPoint(uris, None, None, None),
            x509.DistributionPoint(uris[1:], None, frozenset({x509.ReasonFlags.key_compromise}), None),
        )
    )
    assert (first.urls, first.reasons, first.issuer_names) == ((OTHER, URL), None, frozenset())
    assert (second.urls, second.reasons) == ((URL,), frozenset({1}))
    assert first.names > second.names


def test_a_point_of_another_issuer_names_it() -> None:
    name = x509.DirectoryName(CA("Other").subject)
    (found,) = distribution_points(with_points(x509.DistributionPoint(None, None, None, [name])))
    assert (found.urls, found.names) == ((), frozenset())
    assert found.issuer_names == {der.write(0xA4, CA("Other").subject.public_bytes())}


def test_points_of_deltas_are_told_apart() -> None:
    point = x509.DistributionPoint([x509.UniformResourceIdentifier(URL)], None, None, None)
    certificate = parse_certificate(
        WABBIT.issue("build", key="EC-256", extensions=[(x509.FreshestCRL([point]), False)]).leaf
    )
    assert distribution_points(certificate) == ()
    assert [found.urls for found in freshest_points(certificate)] == [(URL,)]


@pytest.mark.parametrize(
    "value",
    [b"\x05\x00", b"\x30\x02\x31\x00", b"\x30\x04\x30\x02\xa5\x00", b"\x30\x06\x30\x04\xa0\x02\xa2\x00"],
)
def test_malformed_points_are_an_error(value: bytes) -> None:
    extension = x509.UnrecognizedExtension(x509.ExtensionOID.FRESHEST_CRL, value)
    certificate = parse_certificate(WABBIT.issue("build", key="EC-256", extensions=[(extension, False)]).leaf)
    with pytest.raises(der.NotDer):
        freshest_points(certificate)
