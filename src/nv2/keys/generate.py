"""Generating a key with a self-signed certificate that the specification lets sign."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID

from nv2.envelope.algorithms import BY_KEY, HASHES, PrivateKey, algorithm_of
from nv2.errors import UsageError
from nv2.pki.chain import parse_chain
from nv2.pki.names import SHORT_NAMES
from nv2.pki.rfc4514 import parse_name

EXPONENT = 65537

LONGEST = timedelta(days=3653)
"""Ten years: a self-signed certificate cannot be revoked, only forgotten."""

_CURVES: Mapping[str, type[ec.EllipticCurve]] = {
    "EC-256": ec.SECP256R1,
    "EC-384": ec.SECP384R1,
    "EC-521": ec.SECP521R1,
}


class Generated(NamedTuple):
    """A private key (PKCS#8, not encrypted) and its certificate, both PEM."""

    key: bytes
    certificate: bytes


def generate(subject: str, key_spec: str, validity: timedelta, *, now: datetime) -> Generated:
    """A new key of kind `key_spec` (`EC-256`) and a certificate for it, valid from `now` (aware).

    `subject` is a distinguished name with C, ST and O at least, since a trust policy can name no other.
    The certificate is no CA's and can sign nothing but code (signature-specification, "Certificate
    Requirements"). Raises `UsageError`.
    """
    if key_spec not in BY_KEY:
        raise UsageError(f"unknown kind of key {key_spec!r}", hint=f"possible keys: {', '.join(BY_KEY)}")
    if not timedelta(0) < validity <= LONGEST:
        raise UsageError(f"a certificate is valid for some time up to {LONGEST.days} days")
    name = _name(subject)
    key = _key(key_spec)
    certificate = _certificate(name, key, now.astimezone(UTC).replace(microsecond=0), validity)
    parse_chain((certificate.public_bytes(Encoding.DER),))
    return Generated(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        certificate.public_bytes(Encoding.PEM),
    )


def _name(subject: str) -> x509.Name:
    attributes = parse_name(subject, "subject", UsageError)
    known = {short: oid for oid, short in SHORT_NAMES.items()}
    if unknown := [short for short in attributes if short not in known]:
        raise UsageError(f"{unknown[0]} cannot be used", at="subject", hint=f"possible: {', '.join(known)}")
    try:
        # The text form begins with the most particular attribute, the certificate with the most general.
        return x509.Name(
            x509.NameAttribute(x509.ObjectIdentifier(oid), attributes[short])
            for short, oid in reversed(known.items())
            if short in attributes
        )
    except ValueError as e:
        raise UsageError(f"{subject!r} cannot be a subject: {str(e).lower()}", at="subject") from None


def _key(key_spec: str) -> PrivateKey:
    if key_spec in _CURVES:
        return ec.generate_private_key(_CURVES[key_spec]())
    return rsa.generate_private_key(EXPONENT, int(key_spec.removeprefix("RSA-")))


def _certificate(name: x509.Name, key: PrivateKey, start: datetime, validity: timedelta) -> x509.Certificate:
    usage = dict.fromkeys(_USAGES, False) | {"digital_signature": True}
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + validity)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(**usage), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    return builder.sign(key, HASHES[algorithm_of(key).hash])


_USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)
