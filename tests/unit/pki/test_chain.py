from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from nv2.errors import InvalidCertificate
from nv2.pki.chain import MAX_CHAIN, check_validity, parse_chain
from tests.world.ca import (
    CA,
    NOT_AFTER,
    NOT_BEFORE,
    certificate,
    default_subject,
    key_of,
    name_of,
    self_signed,
)

ROOT = CA("Root")
MIDDLE = ROOT.intermediate("Middle")
LEAF = MIDDLE.issue("build", key="EC-256")


def refused(chain: tuple[bytes, ...], number: int | None, words: str) -> None:
    with pytest.raises(InvalidCertificate) as caught:
        parse_chain(chain)
    assert words in caught.value.message
    place = caught.value.at or ""
    assert place.startswith(f"certificate #{number} (") if number else not place


def test_a_chain_goes_from_the_signing_certificate_to_the_root() -> None:
    chain = parse_chain(LEAF.chain)
    assert [c.subject for c in chain.certificates] == [
        default_subject("build"),
        default_subject("Middle CA"),
        default_subject("Root CA"),
    ]
    assert (chain.leaf.der, chain.root.der) == (LEAF.leaf, ROOT.certificate)
    assert chain.thumbprints[0] == chain.leaf.thumbprint


def test_a_self_signed_signing_certificate_is_a_chain() -> None:
    chain = parse_chain(self_signed("alone", key="EC-256").chain)
    assert chain.leaf == chain.root


@pytest.mark.parametrize("kind", ["RSA-2048", "RSA-3072", "RSA-4096", "EC-256", "EC-384", "EC-521"])
def test_every_kind_of_signing_key_is_accepted(kind: str) -> None:
    assert parse_chain(ROOT.issue("kinds", key=kind).chain).leaf.key_kind == kind


def test_authorities_may_have_other_keys() -> None:
    for kind in ("Ed25519", "EC-224", "RSA-2048"):
        authority = CA(f"Authority {kind}", key=kind)
        assert len(parse_chain(authority.issue("build", key="EC-256").chain).certificates) == 2


def test_the_number_of_certificates_is_bounded() -> None:
    refused((), None, "this one 0")
    refused(LEAF.chain * MAX_CHAIN, None, f"1 to {MAX_CHAIN}")
    longest = ROOT
    for number in range(MAX_CHAIN - 2):
        longest = longest.intermediate(f"Level {number}")
    parse_chain(longest.issue("build", key="EC-256").chain)
    refused(longest.intermediate("More").issue(key="EC-256").chain, None, f"1 to {MAX_CHAIN}")


def test_a_malformed_certificate_is_named() -> None:
    with pytest.raises(InvalidCertificate, match="cut short") as caught:
        parse_chain((LEAF.leaf, b""))
    assert caught.value.at == "certificate #2"


def test_the_place_shows_no_control_characters() -> None:
    evil = self_signed(name_of("CN=\x1b[2J,O=x,ST=y,C=US"), key="EC-256", key_usage=None)
    with pytest.raises(InvalidCertificate) as caught:
        parse_chain(evil.chain)
    assert caught.value.at == "certificate #1 (CN=\N{REPLACEMENT CHARACTER}[2J,O=x,ST=y,C=US)"


def _wrong_chains() -> dict[str, tuple[tuple[bytes, ...], int, str]]:
    leaf, middle, root = LEAF.chain
    stranger = CA("Stranger")
    namesake = CA("Root", key="EC-384").certificate
    return {
        "without root": ((leaf, middle), 2, "must end with its root"),
        "without intermediate": ((leaf, root), 1, "not issued by"),
        "only a leaf": ((leaf,), 1, "must end with its root"),
        "in the wrong order": ((root, middle, leaf), 1, "is self-signed"),
        "intermediate first": ((middle, leaf, root), 1, "not issued by"),
        "root twice": ((leaf, middle, root, root), 3, "is self-signed"),
        "leaf twice": ((leaf, leaf, middle, root), 1, "not issued by"),
        "with a stranger at the end": ((leaf, middle, root, stranger.certificate), 3, "is self-signed"),
        "with a stranger inside": ((leaf, stranger.certificate, root), 1, "not issued by"),
        "with another root of the same name": ((leaf, middle, namesake), 2, "not made by"),
        "self-signed leaf and more": ((self_signed(key="EC-256").leaf, root), 1, "is self-signed"),
    }


@pytest.mark.parametrize("case", _wrong_chains())
def test_order_and_links_are_exact(case: str) -> None:
    refused(*_wrong_chains()[case])


def test_a_spoiled_signature_is_refused_wherever_it_is() -> None:
    refused(ROOT.issue(key="EC-256", bad_signature=True).chain, 1, "not made by")
    spoiled = ROOT.intermediate("Spoiled", bad_signature=True)
    refused(spoiled.issue(key="EC-256").chain, 2, "not made by")
    refused(CA("Spoiled", bad_signature=True).issue(key="EC-256").chain, 2, "not made by")
    refused(self_signed(key="EC-256", bad_signature=True).chain, 1, "not made by")


@pytest.mark.parametrize("hash_name", ["sha1", "md5"])
def test_weak_hashes_are_refused_wherever_they_are(hash_name: str) -> None:
    old = CA("Old", key="RSA-2048")
    refused(old.issue(key="EC-256", hash=hash_name).chain, 1, "not acceptable")
    refused(old.intermediate("Weak", hash=hash_name).issue(key="EC-256").chain, 2, "not acceptable")
    weak_root = CA("Weak root", key="RSA-2048", hash=hash_name)
    refused(weak_root.issue(key="EC-256").chain, 2, "not acceptable")
    refused(self_signed(key="RSA-2048", hash=hash_name).chain, 1, "not acceptable")


def test_names_are_compared_as_bytes() -> None:
    """`PrintableString` and `UTF8String` of the same letters are different names, as in notation."""
    printable = name_of(default_subject("Root CA")).public_bytes().replace(b"\x0c\x07", b"\x13\x07")
    der = CA("Root").issue("build", key="EC-256").leaf
    other = der.replace(name_of(default_subject("Root CA")).public_bytes(), printable)
    assert other != der
    refused((other, ROOT.certificate), 1, "not issued by")


def test_a_self_issued_certificate_that_is_not_self_signed_may_stand_inside() -> None:
    """A root that changes its key issues a certificate to itself."""
    name, new_key = name_of(default_subject("Root CA")), key_of("Root CA", "EC-384")
    new = certificate(
        name, new_key, name, ROOT.key, basic_constraints=(True, None), key_usage=["key_cert_sign"], eku=None
    )
    leaf = certificate(name_of("build"), key_of("build", "EC-256"), name, new_key)
    assert len(parse_chain((leaf, new, ROOT.certificate)).certificates) == 3


# --- validity ---------------------------------------------------------------------------------------------


def test_the_bounds_of_validity_belong_to_it() -> None:
    chain = parse_chain(LEAF.chain)
    check_validity(chain, NOT_BEFORE)
    check_validity(chain, NOT_AFTER)


@pytest.mark.parametrize(
    ("offset", "words"),
    [
        (NOT_BEFORE - timedelta(seconds=1), "not valid before 2025-01-01T00:00:00Z"),
        (NOT_AFTER + timedelta(microseconds=1), "expired at 2045-01-01T00:00:00Z"),
    ],
)
def test_outside_of_validity_is_refused(offset: Any, words: str) -> None:
    with pytest.raises(InvalidCertificate, match=words) as caught:
        check_validity(parse_chain(LEAF.chain), offset)
    assert str(caught.value.at).startswith("certificate #1 (CN=build")


def test_every_certificate_must_be_valid() -> None:
    short = CA("Short", not_after=NOT_BEFORE + timedelta(days=1))
    chain = parse_chain(short.issue(key="EC-256").chain)
    check_validity(chain, NOT_BEFORE)
    with pytest.raises(InvalidCertificate, match="expired") as caught:
        check_validity(chain, NOT_BEFORE + timedelta(days=2))
    assert str(caught.value.at).startswith("certificate #2 (CN=Short CA")
