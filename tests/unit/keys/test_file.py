from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)
from cryptography.x509 import load_der_x509_certificate

from nv2.envelope.algorithms import BY_KEY, verify
from nv2.errors import SigningKeyError
from nv2.keys.file import FileSigner, load_key, public_key_of
from nv2.pki.pem import public_key_from
from tests.world.ca import CA, Pair, key_of, pem, self_signed

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def unasked(name: str) -> bytes:
    raise AssertionError(f"asked for the passphrase of {name}")


@pytest.fixture(scope="module")
def pair() -> Pair:
    return CA("Wabbit").intermediate("Signers").issue("build", key="EC-256")


def put(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    path.chmod(0o600)
    return path


def load(path: Path, cert: Path | None = None, passphrase: Callable[[str], bytes] = unasked) -> FileSigner:
    return load_key(path, cert_path=cert, passphrase=passphrase, now=NOW)


def refusal(
    path: Path, cert: Path | None = None, passphrase: Callable[[str], bytes] = unasked
) -> SigningKeyError:
    with pytest.raises(SigningKeyError) as caught:
        load(path, cert, passphrase)
    return caught.value


def encoded(pair: Pair, form: PrivateFormat, encoding: Encoding = Encoding.PEM, word: bytes = b"") -> bytes:
    protection = BestAvailableEncryption(word) if word else NoEncryption()
    return bytes(pair.key.private_bytes(encoding, form, protection))


def archive(pair: Pair, word: bytes = b"", key: bool = True) -> bytes:
    leaf, *others = map(load_der_x509_certificate, pair.chain)
    protection = BestAvailableEncryption(word) if word else NoEncryption()
    return pkcs12.serialize_key_and_certificates(
        b"n", pair.key if key else None, leaf, others[::-1], protection
    )


@pytest.mark.parametrize("kind", BY_KEY)
def test_a_key_of_every_kind_signs(tmp_path: Path, kind: str) -> None:
    pair = self_signed("build", key=kind)
    put(tmp_path / "k.key", pair.pem_key())
    put(tmp_path / "k.crt", pair.pem_chain())
    signer = load(tmp_path / "k.key")
    assert signer.algorithm is BY_KEY[kind]
    assert signer.chain == pair.chain
    assert signer.warnings == ()
    verify(signer.algorithm, pair.public_key, signer.sign(b"data"), b"data")


@pytest.mark.parametrize("encoding", [Encoding.PEM, Encoding.DER])
@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
@pytest.mark.parametrize("kind", ["RSA-2048", "EC-384"])
def test_every_form_of_a_key_is_read(
    tmp_path: Path, kind: str, form: PrivateFormat, encoding: Encoding
) -> None:
    pair = self_signed("build", key=kind)
    put(tmp_path / "k.key", encoded(pair, form, encoding))
    put(tmp_path / "k.crt", pair.leaf)
    assert load(tmp_path / "k.key").chain == pair.chain


def test_the_chain_may_stand_in_the_keys_file(tmp_path: Path, pair: Pair) -> None:
    assert load(put(tmp_path / "k", pair.pem_key() + pair.pem_chain())).chain == pair.chain
    assert load(put(tmp_path / "k", pair.pem_chain() + pair.pem_key())).chain == pair.chain


def test_the_chain_may_stand_beside_the_key(tmp_path: Path, pair: Pair) -> None:
    key = put(tmp_path / "k.key", pair.pem_key())
    put(tmp_path / "k.pem", pair.pem_chain())
    assert load(key).chain == pair.chain
    put(tmp_path / "k.crt", b"junk")
    assert refusal(key).at == str(tmp_path / "k.crt")


def test_a_named_certificate_goes_before_every_other(tmp_path: Path, pair: Pair) -> None:
    other = self_signed("other", key="EC-256")
    key = put(tmp_path / "k.key", pair.pem_key() + other.pem_chain())
    assert load(key, put(tmp_path / "chain.pem", pair.pem_chain())).chain == pair.chain


def test_a_chain_in_any_order_is_put_in_order(tmp_path: Path, pair: Pair) -> None:
    key = put(tmp_path / "k.key", pair.pem_key())
    stranger = CA("Stranger").certificate
    put(tmp_path / "k.crt", pem([stranger, *reversed(pair.chain)]))
    assert load(key).chain == pair.chain


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
def test_an_encrypted_key_asks_for_its_passphrase_by_name(
    tmp_path: Path, pair: Pair, form: PrivateFormat
) -> None:
    asked: list[str] = []

    def answer(name: str) -> bytes:
        asked.append(name)
        return b"word"

    key = put(tmp_path / "k.key", encoded(pair, form, word=b"word") + pair.pem_chain())
    assert load(key, passphrase=answer).chain == pair.chain
    assert asked == [str(key)]


@pytest.mark.parametrize("word", [b"wrong", b""])
def test_a_wrong_passphrase_is_an_error_that_does_not_repeat_it(
    tmp_path: Path, pair: Pair, word: bytes
) -> None:
    key = put(tmp_path / "k.key", encoded(pair, PrivateFormat.PKCS8, word=b"right") + pair.pem_chain())
    error = refusal(key, passphrase=lambda _: word)
    assert "the passphrase is wrong" in error.message
    assert "wrong" not in error.message.replace("passphrase is wrong", "")


@pytest.mark.parametrize("word", [b"", b"word"])
def test_an_archive_holds_key_and_chain(tmp_path: Path, pair: Pair, word: bytes) -> None:
    key = put(tmp_path / "k.p12", archive(pair, word))
    assert load(key, passphrase=(lambda _: word) if word else unasked).chain == pair.chain


def test_an_archive_with_another_passphrase_is_refused(tmp_path: Path, pair: Pair) -> None:
    error = refusal(put(tmp_path / "k.p12", archive(pair, b"right")), passphrase=lambda _: b"wrong")
    assert "the passphrase is wrong" in error.message


def test_an_archive_without_a_key_is_refused(tmp_path: Path, pair: Pair) -> None:
    assert refusal(put(tmp_path / "k.p12", archive(pair, key=False))).message == "holds no private key"


def test_a_key_without_certificate_is_told_where_to_put_it(tmp_path: Path, pair: Pair) -> None:
    error = refusal(put(tmp_path / "k.key", pair.pem_key()))
    assert "has no certificate" in error.message
    assert error.hint == "name its certificate with --cert, or put it beside the key as k.crt or k.pem"


def test_a_certificate_of_another_key_is_refused(tmp_path: Path, pair: Pair) -> None:
    key = put(tmp_path / "k.key", pair.pem_key())
    cert = put(tmp_path / "other.crt", self_signed("other", key="EC-256").pem_chain())
    error = refusal(key, cert)
    assert f"CN=other,O=wabbit-networks.io,ST=WA,C=US does not match the key {key}" in error.message
    assert error.at == str(cert)


def test_a_chain_without_its_root_is_refused(tmp_path: Path, pair: Pair) -> None:
    error = refusal(put(tmp_path / "k", pair.pem_key() + pem(pair.chain[:2])))
    assert "the certificate of its issuer CN=Wabbit CA" in error.message
    assert "append" in (error.hint or "")


def test_an_expired_certificate_cannot_sign_now(tmp_path: Path) -> None:
    old = self_signed("old", key="EC-256", not_after=datetime(2026, 1, 1, tzinfo=UTC))
    path = put(tmp_path / "k", old.pem_key() + old.pem_chain())
    error = refusal(path)
    assert "cannot sign now: expired at 2026-01-01T00:00:00Z" in error.message
    assert load_key(path, passphrase=unasked).chain == old.chain


def test_a_certificate_that_may_not_sign_code_is_refused(tmp_path: Path) -> None:
    pair = self_signed("server", key="EC-256", eku=("1.3.6.1.5.5.7.3.1",))
    error = refusal(put(tmp_path / "k", pair.pem_key() + pair.pem_chain()))
    assert error.message.startswith("cannot be signed with:")
    assert "certificate #1" in (error.at or "")


@pytest.mark.parametrize("kind", ["RSA-1024", "Ed25519", "EC-224", "EC-256K1"])
def test_a_key_that_the_specification_does_not_list_is_refused(tmp_path: Path, kind: str) -> None:
    data = key_of("odd", kind).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    error = refusal(put(tmp_path / "k", data))
    assert "cannot sign" in error.message
    assert "EC-256" in (error.hint or "")


def test_what_is_no_private_key_is_called_what_it_is(tmp_path: Path, pair: Pair) -> None:
    ssh = b"-----BEGIN OPENSSH PRIVATE KEY-----\nAA==\n-----END OPENSSH PRIVATE KEY-----\n"
    cases = [
        (pair.pem_chain(), "is a certificate, not a private key"),
        (pair.pem_public_key(), "is a public key; signing needs the private one"),
        (ssh, "is a key in OpenSSH's own format"),
        (b"-----BEGIN NOTHING-----\n-----END NOTHING-----\n", "holds no private key"),
        (b"-----BEGIN PRIVATE KEY-----\nAA==", "a PEM block is cut short or malformed"),
        (
            b"-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n",
            "is not a private key that can be read",
        ),
        (pair.leaf, "is not a private key that can be read"),
        (b"junk", "is not a private key that can be read"),
        (b"", "is not a private key that can be read"),
        (pair.pem_key() * 2, "holds 2 private keys, and it is not clear which shall sign"),
    ]
    for data, message in cases:
        error = refusal(put(tmp_path / "k", data))
        assert (error.message, error.at) == (message, str(tmp_path / "k"))


def test_a_certificate_file_without_certificates_is_refused(tmp_path: Path, pair: Pair) -> None:
    key = put(tmp_path / "k.key", pair.pem_key())
    for data in (b"", b"junk", pair.pem_public_key()):
        assert refusal(key, put(tmp_path / "c", data)).at == str(tmp_path / "c")


def test_files_that_cannot_be_opened_are_named(tmp_path: Path, pair: Pair) -> None:
    key = put(tmp_path / "k.key", pair.pem_key())
    assert str(refusal(tmp_path)) == f"{tmp_path}: is a directory where a file belongs"
    assert str(refusal(tmp_path / "no")) == f"{tmp_path / 'no'}: no such file or directory"
    assert str(refusal(key, tmp_path)) == f"{tmp_path}: is a directory where a file belongs"
    assert "longer than" in refusal(put(tmp_path / "big", b"x" * 1024 * 1024 + b"x")).message


def test_a_key_that_everybody_can_read_is_used_with_a_warning(tmp_path: Path, pair: Pair) -> None:
    key = put(tmp_path / "k", pair.pem_key() + pair.pem_chain())
    key.chmod(0o644)
    (warning,) = load(key).warnings
    assert str(key) in warning
    assert "chmod 600" in warning
    key.chmod(0o640)
    assert load(key).warnings == ()


def test_a_key_may_come_through_a_pipe(pair: Pair) -> None:
    read, write = os.pipe()
    os.write(write, pair.pem_key() + pair.pem_chain())
    os.close(write)
    try:
        signer = load(Path(f"/dev/fd/{read}"))
    finally:
        os.close(read)
    assert signer.chain == pair.chain


def test_the_public_half_of_a_private_key_is_that_of_its_certificate(pair: Pair) -> None:
    assert public_key_of(pair.pem_key(), "k") == public_key_from(pair.pem_public_key(), "k")
    with pytest.raises(SigningKeyError, match="the key is encrypted"):
        public_key_of(pair.pem_key(b"word"), "k")


def test_a_key_never_shows_itself(tmp_path: Path, pair: Pair) -> None:
    signer = load(put(tmp_path / "k", pair.pem_key() + pair.pem_chain()))
    assert "PRIVATE" not in repr(signer)
    assert not hasattr(signer, "__dict__")
