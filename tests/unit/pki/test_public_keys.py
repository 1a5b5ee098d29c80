from __future__ import annotations

from typing import Any

import pytest
from asn1crypto import algos

from nv2.errors import InvalidCertificate
from nv2.pki import der, public_keys
from tests.world.ca import key_of

PSS = "1.2.840.113549.1.1.10"


def element(document: Any) -> der.Element:
    return der.read(document.dump())[0]


def pss(name: str) -> der.Element:
    hashed = {"algorithm": name}
    mask = {"algorithm": "mgf1", "parameters": hashed}
    parameters = {"hash_algorithm": hashed, "mask_gen_algorithm": mask, "salt_length": 64}
    return element(algos.SignedDigestAlgorithm({"algorithm": "rsassa_pss", "parameters": parameters}))


@pytest.mark.parametrize("name", ["sha256", "sha384", "sha512"])
def test_the_hash_of_rsassa_pss_is_read_from_its_parameters(name: str) -> None:
    assert public_keys.signature_algorithm(pss(name)) == (PSS, name)


def test_rsassa_pss_with_another_hash_or_none_has_no_hash() -> None:
    assert public_keys.signature_algorithm(pss("sha224")) == (PSS, None)
    assert public_keys.signature_algorithm(der.read(bytes.fromhex("300b06092a864886f70d01010a"))[0]) == (
        PSS,
        None,
    )
    for parameters in ("3000", "3002a000", "3004a0023000", "3003a10101"):
        data = bytes.fromhex("06092a864886f70d01010a" + parameters)
        assert public_keys.signature_algorithm(der.read(bytes([0x30, len(data)]) + data)[0]) == (PSS, None)


@pytest.mark.parametrize(
    ("name", "said"), [("md5_rsa", "MD5"), ("sha1_rsa", "SHA-1"), ("sha1_ecdsa", "SHA-1")]
)
def test_signatures_with_broken_hashes_are_refused_by_name(name: str, said: str) -> None:
    oid, hash_name = public_keys.signature_algorithm(
        element(algos.SignedDigestAlgorithm({"algorithm": name}))
    )
    with pytest.raises(InvalidCertificate, match=said):
        public_keys.check_signature(key_of("anybody", "RSA-2048").public_key(), oid, hash_name, b"", b"")
