from __future__ import annotations

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from nv2.errors import InvalidCertificate
from nv2.pki.pem import MAX_BUNDLE, certificates_from, is_pem, public_key_from
from tests.world.ca import CA, pem, self_signed

PAIR = CA().issue("build", key="EC-256")


def test_a_bundle_gives_its_certificates_in_order() -> None:
    assert [c.der for c in certificates_from(PAIR.pem_chain(), "here")] == list(PAIR.chain)


def test_der_gives_its_certificate() -> None:
    assert certificates_from(PAIR.leaf, "here")[0].der == PAIR.leaf
    assert len(certificates_from(PAIR.leaf + PAIR.root, "here")) == 2


def test_text_around_blocks_and_other_line_ends_do_not_matter() -> None:
    data = b"subject=build\r\n" + PAIR.pem_chain().replace(b"\n", b"\r\n") + b"\n# the end"
    assert len(certificates_from(data, "here")) == 2


def test_a_private_key_beside_them_is_refused_unless_expected() -> None:
    data = PAIR.pem_key() + PAIR.pem_chain()
    with pytest.raises(InvalidCertificate, match="holds a private key"):
        certificates_from(data, "here")
    assert len(certificates_from(data, "here", mixed=True)) == 2


def test_an_old_encrypted_key_beside_them_is_skipped_when_expected() -> None:
    key = self_signed("old", key="RSA-2048").key.private_bytes(
        Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.BestAvailableEncryption(b"passphrase"),
    )
    assert b"DEK-Info" in key
    assert len(certificates_from(key + PAIR.pem_chain(), "here", mixed=True)) == 2


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "no certificate"),
        (b"hello", "neither PEM nor"),
        (b"\x30\x03\x02\x01\x00", "not a certificate"),
        (PAIR.leaf[:-1], "neither PEM nor"),
        (PAIR.pem_chain()[:-20], "cut short"),
        (b"-----BEGIN CERTIFICATE", "cut short"),
        (b"-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----", "not base64"),
        (pem([PAIR.leaf]).replace(b"\n-----END", b"\n-----junk-----END"), "not base64"),
        (b"-----BEGIN CERTIFICATE-----\nTQ\n-----END CERTIFICATE-----", "not base64"),
        (b"-----BEGIN CERTIFICATE-----\nTQ==\n-----END CERTIFICATE-----", "not a certificate"),
        (b"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----", "not a certificate"),
        (PAIR.pem_public_key(), "holds a public key"),
        (pem([PAIR.leaf]) * (MAX_BUNDLE + 1), f"more than {MAX_BUNDLE}"),
    ],
)
def test_other_files_are_refused_by_name(data: bytes, words: str) -> None:
    with pytest.raises(InvalidCertificate, match=words) as caught:
        certificates_from(data, "trust.pem")
    assert caught.value.at == "trust.pem"


@pytest.mark.parametrize("kind", ["RSA-2048", "EC-256", "Ed25519"])
def test_a_bare_public_key_is_read_from_pem_and_der(kind: str) -> None:
    pair = self_signed("keys", key=kind)
    spki = pair.public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert public_key_from(pair.pem_public_key(), "here") == spki
    assert public_key_from(spki, "here") == spki
    assert certificates_from(pair.leaf, "here")[0].spki == spki


def test_a_pkcs1_public_key_is_one_too() -> None:
    key = self_signed("keys", key="RSA-2048").public_key
    data = key.public_bytes(Encoding.PEM, PublicFormat.PKCS1)
    assert public_key_from(data, "here") == key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


@pytest.mark.parametrize("data", [b"", b"hello", PAIR.leaf, PAIR.pem_chain(), PAIR.pem_key()])
def test_anything_else_is_no_bare_public_key(data: bytes) -> None:
    assert public_key_from(data, "here") is None


def test_a_spoiled_public_key_is_refused() -> None:
    spki = PAIR.public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    with pytest.raises(InvalidCertificate, match="cannot be used") as caught:
        public_key_from(spki[:-64] + b"\x01" * 64, "key.pub")
    assert caught.value.at == "key.pub"


def test_pem_is_told_from_der() -> None:
    assert is_pem(PAIR.pem_chain())
    assert not is_pem(PAIR.leaf)
