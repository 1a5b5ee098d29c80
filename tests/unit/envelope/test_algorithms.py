from __future__ import annotations

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding

from nv2.envelope.algorithms import ALGORITHMS, BY_KEY, Algorithm, algorithm_of, sign, verify
from nv2.errors import InvalidCertificate, InvalidSignature, SigningKeyError
from tests.world.ca import key_of

every = pytest.mark.parametrize("algorithm", ALGORITHMS, ids=lambda algorithm: algorithm.key)


@every
def test_the_key_prescribes_the_algorithm(algorithm: Algorithm) -> None:
    key = key_of("algorithms", algorithm.key)
    assert algorithm_of(key) == algorithm_of(key.public_key()) == algorithm


@every
def test_signatures_have_their_raw_size_and_verify(algorithm: Algorithm) -> None:
    key = key_of("algorithms", algorithm.key)
    signature = sign(algorithm, key, b"data")
    assert len(signature) == algorithm.signature_size
    verify(algorithm, key.public_key(), signature, b"data")


@every
def test_changed_data_does_not_verify(algorithm: Algorithm) -> None:
    key = key_of("algorithms", algorithm.key)
    with pytest.raises(InvalidSignature):
        verify(algorithm, key.public_key(), sign(algorithm, key, b"data"), b"Data")


@every
def test_signatures_of_other_lengths_do_not_verify(algorithm: Algorithm) -> None:
    key = key_of("algorithms", algorithm.key)
    signature = sign(algorithm, key, b"data")
    for wrong in (b"", signature[:-1], signature + b"\0", b"\0" + signature):
        with pytest.raises(InvalidSignature):
            verify(algorithm, key.public_key(), wrong, b"data")


@pytest.mark.parametrize("kind", ["RSA-1024", "EC-224", "EC-256K1", "Ed25519"])
def test_other_keys_prescribe_nothing(kind: str) -> None:
    with pytest.raises(InvalidCertificate, match="cannot sign"):
        algorithm_of(key_of("algorithms", kind))


def test_the_salt_of_pss_is_as_long_as_the_hash() -> None:
    key, algorithm = key_of("algorithms", "RSA-2048"), BY_KEY["RSA-2048"]
    for salt in (0, 20, 222):
        pss = padding.PSS(padding.MGF1(hashes.SHA256()), salt)
        with pytest.raises(InvalidSignature):
            verify(algorithm, key.public_key(), key.sign(b"data", pss, hashes.SHA256()), b"data")


def test_pkcs1_is_not_pss() -> None:
    key = key_of("algorithms", "RSA-2048")
    signature = key.sign(b"data", padding.PKCS1v15(), hashes.SHA256())
    with pytest.raises(InvalidSignature):
        verify(BY_KEY["RSA-2048"], key.public_key(), signature, b"data")


def test_a_der_signature_is_not_a_raw_one() -> None:
    key = key_of("algorithms", "EC-256")
    with pytest.raises(InvalidSignature):
        verify(BY_KEY["EC-256"], key.public_key(), key.sign(b"data", ec.ECDSA(hashes.SHA256())), b"data")


def test_zero_is_no_signature() -> None:
    with pytest.raises(InvalidSignature):
        verify(BY_KEY["EC-256"], key_of("algorithms", "EC-256").public_key(), bytes(64), b"data")


def test_a_key_signs_with_its_own_algorithm_alone() -> None:
    with pytest.raises(SigningKeyError, match="cannot sign with ECDSA-SHA-384"):
        sign(BY_KEY["EC-384"], key_of("algorithms", "EC-256"), b"data")
