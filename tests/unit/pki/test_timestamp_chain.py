"""The way from a timestamp's signer to a trusted root."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from nv2.errors import InvalidTimestamp
from nv2.pki import cms
from nv2.pki.certificate import parse_certificate
from nv2.pki.chain import MAX_CHAIN, Chain
from nv2.pki.profile import MAX_EXPONENT, MAX_RSA
from nv2.pki.timestamp import parse_token
from nv2.pki.timestamp_chain import timestamp_chain
from tests.world.ca import (
    ANY_EKU,
    CA,
    CODE_SIGNING,
    TIME_STAMPING,
    Pair,
    certificate,
    key_of,
    name_of,
    self_signed,
)
from tests.world.tsa import STAMPED_AT, TSA, token

WHAT = b"the signature"
CLOCK = TSA("Clock")
SECOND = timedelta(seconds=1)
STAMPING: dict[str, Any] = {"eku": (TIME_STAMPING,), "eku_critical": True}


def led(data: bytes, *roots: bytes) -> Chain:
    return timestamp_chain(parse_token(data).open(), [parse_certificate(root) for root in roots])


def below(*names: str, **oddities: Any) -> Pair:
    """A signer below authorities of these names."""
    authority = CA("Root")
    for name in names:
        authority = authority.intermediate(name)
    return authority.issue("tsa", key="EC-256", **{**STAMPING, **oddities})


def test_the_chain_ends_with_the_root_that_the_verifier_has() -> None:
    chain = led(CLOCK.token(WHAT), CLOCK.root)
    assert [certificate.der for certificate in chain.certificates] == [CLOCK.pair.leaf, CLOCK.root]


def test_intermediates_may_come_in_any_order_with_others_between() -> None:
    pair = below("One", "Two")
    leaf, two, one, root = pair.chain
    for beside in ((root, one, two, leaf), (leaf, CLOCK.pair.leaf, one, two)):
        chain = led(token(pair, WHAT, certificates=beside), CLOCK.root, root)
        assert tuple(certificate.der for certificate in chain.certificates) == pair.chain


def test_a_root_that_comes_with_the_token_is_not_trusted() -> None:
    with pytest.raises(InvalidTimestamp, match="does not lead to a trusted"):
        led(CLOCK.token(WHAT, certificates=CLOCK.pair.chain), TSA("Another").root)


def test_an_authority_of_the_same_name_is_another_one() -> None:
    impostor = TSA("Clock", authority=CA("Clock", key="EC-384"))
    with pytest.raises(InvalidTimestamp, match="does not lead to a trusted"):
        led(impostor.token(WHAT), CLOCK.root)


def test_a_root_or_an_authority_that_was_renewed_with_its_key_is_found_in_either_form() -> None:
    """Both are there, in either order; only one of them was valid."""
    brief = {"not_after": STAMPED_AT - SECOND}
    old, new = CA("Root", **brief), CA("Root")
    pair = new.intermediate("Below").issue("tsa", key="EC-256", **STAMPING)
    data = token(pair, WHAT)
    assert led(data, old.certificate, new.certificate).root.der == new.certificate
    assert led(data, new.certificate, old.certificate).root.der == new.certificate
    with pytest.raises(InvalidTimestamp, match="expired at"):
        led(data, old.certificate)
    older = new.intermediate("Below", **brief).certificate
    leaf, below, root = pair.chain
    for beside in ((leaf, older, below), (leaf, below, older)):
        assert led(token(pair, WHAT, certificates=beside), root).certificates[1].der == below


def test_the_search_for_a_way_has_an_end() -> None:
    """Twenty certificates of one name and key, each of which has signed all the others."""
    authority = CA("Same")
    others = [authority.intermediate("Same").certificate for _ in range(cms.MAX_CERTIFICATES - 1)]
    pair = authority.issue("tsa", key="EC-256", **STAMPING)
    opened = parse_token(token(pair, WHAT, certificates=(pair.leaf, *others))).open()
    with pytest.raises(InvalidTimestamp, match="does not lead to a trusted"):
        timestamp_chain(opened, [parse_certificate(CLOCK.root)])
    assert timestamp_chain(opened, [parse_certificate(pair.root)]).root.der == pair.root


@pytest.mark.parametrize(("bits", "exponent"), [(MAX_RSA + 8, 65537), (3072, MAX_EXPONENT + 2)])
def test_a_key_that_takes_long_to_check_with_is_not_tried(bits: int, exponent: int) -> None:
    name, number = name_of("Slow"), rsa.RSAPublicNumbers(exponent, 2 ** (bits - 1) + 1).public_key()
    key = SimpleNamespace(public_key=lambda: number)
    slow = certificate(name, key, name, key_of("nobody", "RSA-2048"))
    with pytest.raises(InvalidTimestamp, match="an RSA key"):
        led(CLOCK.token(WHAT, certificates=(CLOCK.pair.leaf, slow)), TSA("Another").root)
    with pytest.raises(InvalidTimestamp, match="an RSA key"):
        parse_token(token(CLOCK.pair._replace(chain=(slow, slow)), WHAT)).open()


def test_a_missing_intermediate_ends_the_way() -> None:
    pair = below("One")
    with pytest.raises(InvalidTimestamp, match="does not lead to a trusted"):
        led(token(pair, WHAT, certificates=(pair.leaf,)), pair.root)


def test_a_self_signed_signer_may_be_trusted_itself() -> None:
    pair = self_signed("tsa", key="EC-256", **STAMPING)
    assert led(token(pair, WHAT, certificates=(pair.leaf,)), pair.leaf).leaf.der == pair.leaf


def test_a_way_is_not_longer_than_a_chain_may_be() -> None:
    names = [f"Level {number}" for number in range(MAX_CHAIN - 1)]
    assert len(led(token(below(*names[1:]), WHAT), CA("Root").certificate).certificates) == MAX_CHAIN
    with pytest.raises(InvalidTimestamp, match="does not lead to a trusted"):
        led(token(below(*names), WHAT), CA("Root").certificate)


# fmt: off
ODD: Mapping[str, tuple[Mapping[str, Any], str]] = {
    "another purpose as well":  ({"eku": (TIME_STAMPING, CODE_SIGNING)}, "must be timeStamping alone"),
    "another purpose":          ({"eku": (CODE_SIGNING,)}, "must be timeStamping alone"),
    "any purpose":              ({"eku": (ANY_EKU,)}, "must be timeStamping alone"),
    "no purpose":               ({"eku": None}, "must be timeStamping alone"),
    "purpose not critical":     ({"eku_critical": False}, "must be critical"),
    "no key usage":             ({"key_usage": None}, "key usage extension is missing"),
    "cannot sign":              ({"key_usage": ("content_commitment",)}, "digitalSignature is missing"),
    "may issue":                ({"key_usage": ("digital_signature", "key_cert_sign")}, "must not have the key usage"),
    "an authority":             ({"basic_constraints": (True, None)}, "must not be a certificate authority"),
    "not valid yet":            ({"not_before": STAMPED_AT + SECOND}, "is not valid before"),
    "expired":                  ({"not_after": STAMPED_AT - SECOND}, "expired at"),
}
# fmt: on


@pytest.mark.parametrize(("oddities", "said"), ODD.values(), ids=ODD)
def test_a_signer_against_the_profile_is_refused(oddities: Mapping[str, Any], said: str) -> None:
    clock = TSA("Odd", **oddities)
    with pytest.raises(InvalidTimestamp, match=said):
        led(clock.token(WHAT), clock.root)


def test_what_need_not_be_critical_is_not_demanded() -> None:
    clock = TSA("Lax", key_usage_critical=False)
    assert led(clock.token(WHAT), clock.root).leaf.der == clock.pair.leaf


@pytest.mark.parametrize("kind", ["EC-224", "RSA-1024"])
def test_a_weak_key_is_refused(kind: str) -> None:
    clock = TSA("Weak", key=kind)
    with pytest.raises(InvalidTimestamp, match="which cannot sign"):
        led(clock.token(WHAT), clock.root)


def test_an_authority_above_is_profiled_too() -> None:
    authority = CA("Root").intermediate("Lax", basic_constraints_critical=False)
    pair = authority.issue("tsa", key="EC-256", **STAMPING)
    with pytest.raises(InvalidTimestamp, match="basic constraints of an authority must be critical"):
        led(token(pair, WHAT), pair.root)


def test_a_root_with_a_wrong_signature_of_its_own_is_refused() -> None:
    clock = TSA("Spoilt", authority=CA("Spoilt", bad_signature=True))
    with pytest.raises(InvalidTimestamp, match="not made by the issuer's key"):
        led(clock.token(WHAT), clock.root)


def test_validity_counts_at_the_time_of_the_token() -> None:
    clock = TSA("Short", not_before=STAMPED_AT, not_after=STAMPED_AT)
    assert led(clock.token(WHAT), clock.root)


def test_a_signing_time_must_not_contradict() -> None:
    clock = TSA("Sworn", not_before=STAMPED_AT)
    assert led(clock.token(WHAT, signing_time=STAMPED_AT), clock.root)
    with pytest.raises(InvalidTimestamp, match="signing time does not fit"):
        led(clock.token(WHAT, signing_time=STAMPED_AT - SECOND), clock.root)
