from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from nv2.errors import InvalidCertificate
from nv2.pki.certificate import parse_certificate
from nv2.pki.chain import parse_chain
from nv2.pki.profile import MAX_EXPONENT, MAX_RSA, check_code_signing
from tests.world.ca import (
    ANY_EKU,
    CA,
    CLIENT_AUTH,
    CODE_SIGNING,
    EMAIL_PROTECTION,
    OCSP_SIGNING,
    SERVER_AUTH,
    TIME_STAMPING,
    certificate,
    key_of,
    name_of,
    self_signed,
)

ROOT = CA("Root")


def refused(chain: tuple[bytes, ...], number: int, words: str) -> None:
    with pytest.raises(InvalidCertificate) as caught:
        parse_chain(chain)
    assert words in caught.value.message
    assert str(caught.value.at).startswith(f"certificate #{number} (")


SOUND_LEAVES: list[dict[str, Any]] = [
    {},
    {"basic_constraints": None},
    {"basic_constraints_critical": False},
    {"eku": None},
    {"eku": ["1.3.6.1.4.1.311.10.3.13", CODE_SIGNING]},
    {"eku_critical": True},
    {"key_usage": ["digital_signature", "content_commitment"]},
    {"crl_urls": ["http://crl.example"], "ocsp_urls": ["http://ocsp.example"]},
]

# What is wrong with a leaf, and the words of the refusal.
WRONG_LEAVES: list[tuple[dict[str, Any], str]] = [
    ({"basic_constraints": (True, None)}, "must not be a certificate authority"),
    ({"key_usage": None}, "key usage extension is missing"),
    ({"key_usage_critical": False}, "must be critical"),
    ({"key_usage": []}, "digitalSignature is missing"),
    ({"key_usage": ["content_commitment"]}, "digitalSignature is missing"),
    ({"key_usage": ["digital_signature", "key_encipherment"]}, "keyEncipherment"),
    ({"key_usage": ["digital_signature", "data_encipherment"]}, "dataEncipherment"),
    ({"key_usage": ["digital_signature", "key_agreement"]}, "keyAgreement"),
    ({"key_usage": ["digital_signature", "key_cert_sign"]}, "keyCertSign"),
    ({"key_usage": ["digital_signature", "crl_sign"]}, "cRLSign"),
    ({"key_usage": ["digital_signature", "key_agreement", "encipher_only"]}, "keyAgreement"),
    ({"key_usage": ["digital_signature", "key_agreement", "decipher_only"]}, "keyAgreement"),
    ({"eku": [ANY_EKU]}, "anyExtendedKeyUsage"),
    ({"eku": [CODE_SIGNING, SERVER_AUTH]}, "serverAuth"),
    ({"eku": [CLIENT_AUTH]}, "clientAuth"),
    ({"eku": [EMAIL_PROTECTION]}, "emailProtection"),
    ({"eku": [TIME_STAMPING]}, "timeStamping"),
    ({"eku": [OCSP_SIGNING]}, "OCSPSigning"),
]


@pytest.mark.parametrize("oddities", SOUND_LEAVES)
def test_these_may_sign_code(oddities: dict[str, Any]) -> None:
    parse_chain(ROOT.issue("build", key="EC-256", **oddities).chain)
    parse_chain(self_signed("build", key="EC-256", **oddities).chain)


@pytest.mark.parametrize(("oddities", "words"), WRONG_LEAVES)
def test_these_may_not_sign_code(oddities: dict[str, Any], words: str) -> None:
    refused(ROOT.issue("build", key="EC-256", **oddities).chain, 1, words)


@pytest.mark.parametrize(("oddities", "words"), WRONG_LEAVES)
def test_a_self_signed_certificate_follows_the_rules_of_leaves(oddities: dict[str, Any], words: str) -> None:
    refused(self_signed("build", key="EC-256", **oddities).chain, 1, words)


@pytest.mark.parametrize("kind", ["RSA-1024", "RSA-2056", "EC-224", "EC-256K1", "Ed25519"])
def test_keys_of_other_kinds_and_sizes_cannot_sign(kind: str) -> None:
    refused(ROOT.issue("kinds", key=kind).chain, 1, "cannot sign")


WRONG_AUTHORITIES: list[tuple[dict[str, Any], str]] = [
    ({"basic_constraints": None}, "must be a certificate authority"),
    ({"basic_constraints": (False, None)}, "must be a certificate authority"),
    ({"basic_constraints_critical": False}, "basic constraints of an authority must be critical"),
    ({"key_usage": None}, "key usage extension is missing"),
    ({"key_usage_critical": False}, "must be critical"),
    ({"key_usage": ["crl_sign", "digital_signature"]}, "keyCertSign is missing"),
]


@pytest.mark.parametrize(("oddities", "words"), WRONG_AUTHORITIES)
def test_these_may_not_issue(oddities: dict[str, Any], words: str) -> None:
    refused(CA("Odd", **oddities).issue(key="EC-256").chain, 2, words)
    refused(ROOT.intermediate("Odd", **oddities).issue(key="EC-256").chain, 2, words)


@pytest.mark.parametrize("kind", ["RSA-1024", "EC-192"])
def test_an_authority_needs_a_key_that_nobody_can_break(kind: str) -> None:
    refused(CA("Weak", key=kind).issue(key="EC-256").chain, 2, "at least")
    refused(ROOT.intermediate("Weak", key=kind).issue(key="EC-256").chain, 2, "at least")


class _Laborious:
    """A key that is only a number: nobody has signed with it, and nobody should try to find out."""

    def __init__(self, bits: int, exponent: int) -> None:
        self._numbers = rsa.RSAPublicNumbers(exponent, 2 ** (bits - 1) + 1)

    def public_key(self) -> rsa.RSAPublicKey:
        return self._numbers.public_key()


@pytest.mark.parametrize(
    ("bits", "exponent", "words"),
    [
        (MAX_RSA + 8, 65537, "more than 8192 bits"),
        (3072, MAX_EXPONENT + 2, "exponent above 2147483647"),
        (MAX_RSA, MAX_EXPONENT, "not made by the issuer's key"),
    ],
)
def test_a_key_that_takes_long_to_check_with_is_not_tried(bits: int, exponent: int, words: str) -> None:
    """The last one is at the limits, and is tried."""
    name, key = name_of("Slow"), _Laborious(bits, exponent)
    usage = {"basic_constraints": (True, None), "key_usage": ["key_cert_sign"], "eku": None}
    root = certificate(name, key, name, key_of("nobody", "RSA-2048"), **usage)
    leaf = certificate(name_of("build"), key_of("build", "EC-256"), name, key_of("nobody", "RSA-2048"))
    number = 1 if bits == MAX_RSA else 2
    refused((leaf, root), number, words)


def test_authorities_may_do_other_things_too() -> None:
    usage = ["key_cert_sign", "digital_signature", "key_encipherment"]
    parse_chain(CA("Busy", key_usage=usage, eku=[SERVER_AUTH]).issue(key="EC-256").chain)


def test_the_path_length_counts_the_authorities_below() -> None:
    def chain(allowed: int) -> tuple[bytes, ...]:
        root = CA("Bounded", basic_constraints=(True, allowed))
        return root.intermediate("One").intermediate("Two").issue(key="EC-256").chain

    parse_chain(chain(2))
    refused(chain(1), 4, "allows 1 authorities under it, but there are 2")
    refused(chain(0), 4, "allows 0 authorities under it, but there are 2")


def test_the_path_length_of_an_intermediate_counts_too() -> None:
    bounded = ROOT.intermediate("Zero", basic_constraints=(True, 0))
    parse_chain(bounded.issue(key="EC-256").chain)
    refused(bounded.intermediate("Below").issue(key="EC-256").chain, 3, "allows 0")


def test_without_places_the_message_has_none() -> None:
    with pytest.raises(InvalidCertificate) as caught:
        check_code_signing((parse_certificate(ROOT.certificate),))
    assert caught.value.at is None
