"""A certificate authority for tests, able to misbehave.

    ca = CA("Wabbit")
    pair = ca.issue("CN=build,O=wabbit-networks.io,ST=WA,C=US", key="EC-256")
    pair.chain      # DER, signing certificate first, root last
    pair.signer()   # a `nv2.keys.interface.Signer`

Keys are made once per process for each owner and kind, because RSA keys are slow to make.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID, ObjectIdentifier

from nv2.envelope import algorithms
from nv2.envelope.algorithms import Algorithm, PrivateKey

NOT_BEFORE = datetime(2025, 1, 1, tzinfo=UTC)
NOT_AFTER = datetime(2045, 1, 1, tzinfo=UTC)

CODE_SIGNING = "1.3.6.1.5.5.7.3.3"
SERVER_AUTH = "1.3.6.1.5.5.7.3.1"
CLIENT_AUTH = "1.3.6.1.5.5.7.3.2"
EMAIL_PROTECTION = "1.3.6.1.5.5.7.3.4"
TIME_STAMPING = "1.3.6.1.5.5.7.3.8"
OCSP_SIGNING = "1.3.6.1.5.5.7.3.9"
ANY_EKU = "2.5.29.37.0"

_CURVES: dict[str, Any] = {
    "EC-192": ec.SECP192R1,
    "EC-224": ec.SECP224R1,
    "EC-256": ec.SECP256R1,
    "EC-384": ec.SECP384R1,
    "EC-521": ec.SECP521R1,
    "EC-256K1": ec.SECP256K1,
}
_KEY_USAGES = (
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
_SERIALS = itertools.count(0x1000)

Subject = str | x509.Name


@functools.cache
def key_of(owner: str, kind: str) -> Any:
    """The private key of `owner`: `RSA-<bits>`, a name of `_CURVES`, or `Ed25519`."""
    if kind == "Ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    if kind.startswith("RSA-"):
        return rsa.generate_private_key(65537, int(kind.removeprefix("RSA-")))
    return ec.generate_private_key(_CURVES[kind]())


def name_of(subject: Subject) -> x509.Name:
    """`CN=…,O=…,C=US` as a name; a word without `=` becomes the common name of wabbit-networks.io."""
    if isinstance(subject, x509.Name):
        return subject
    if "=" not in subject:
        subject = default_subject(subject)
    return x509.Name.from_rfc4514_string(subject, {"emailAddress": NameOID.EMAIL_ADDRESS})


def default_subject(common_name: str) -> str:
    """The distinguished name of somebody at wabbit-networks.io."""
    return f"CN={common_name},O=wabbit-networks.io,ST=WA,C=US"


class MemorySigner:
    """A `Signer` whose key lives in memory."""

    def __init__(self, chain: tuple[bytes, ...], key: PrivateKey) -> None:
        self._chain = chain
        self._key = key

    @property
    def chain(self) -> tuple[bytes, ...]:
        return self._chain

    @property
    def algorithm(self) -> Algorithm:
        return algorithms.algorithm_of(self._key)

    def sign(self, data: bytes) -> bytes:
        return algorithms.sign(self.algorithm, self._key, data)


class Pair(NamedTuple):
    """A private key and the chain of its certificate."""

    chain: tuple[bytes, ...]
    """DER, signing certificate first, root last."""
    key: Any

    @property
    def leaf(self) -> bytes:
        return self.chain[0]

    @property
    def root(self) -> bytes:
        return self.chain[-1]

    @property
    def public_key(self) -> Any:
        return self.key.public_key()

    def signer(self) -> MemorySigner:
        return MemorySigner(self.chain, self.key)

    def pem_key(self, passphrase: bytes | None = None) -> bytes:
        """PKCS#8, encrypted if there is a passphrase."""
        encryption: Any = (
            serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
        )
        return bytes(
            self.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
        )

    def pem_public_key(self) -> bytes:
        """SubjectPublicKeyInfo."""
        return bytes(
            self.public_key.public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            )
        )

    def pem_chain(self) -> bytes:
        return pem(self.chain)


def pem(certificates: Iterable[bytes]) -> bytes:
    """The certificates as one PEM bundle."""
    return b"".join(
        x509.load_der_x509_certificate(der).public_bytes(serialization.Encoding.PEM) for der in certificates
    )


class CA:
    """A certificate authority: a root, or with `parent` an intermediate."""

    def __init__(
        self, name: str = "Wabbit", key: str = "EC-256", *, parent: CA | None = None, **oddities: Any
    ) -> None:
        self.subject = name_of(name if "=" in name else default_subject(f"{name} CA"))
        self.parent = parent
        self.key = key_of(self.subject.rfc4514_string(), key)
        above = parent or self
        told = {"issuer": above.subject, "signed_by": above.key, **_AUTHORITY, **oddities}
        self.certificate = certificate(self.subject, self.key, **told)

    @property
    def chain(self) -> tuple[bytes, ...]:
        """This authority's certificate first, the root last."""
        return (self.certificate, *(self.parent.chain if self.parent else ()))

    def intermediate(self, name: str, key: str = "EC-256", **oddities: Any) -> CA:
        """An authority below this one."""
        return CA(name, key, parent=self, **oddities)

    def issue(self, subject: Subject = "build", key: str = "RSA-2048", **oddities: Any) -> Pair:
        """A pair for signing code. `oddities` are the keyword arguments of `certificate`."""
        name = name_of(subject)
        private = key_of(name.rfc4514_string(), key)
        told = {"issuer": self.subject, "signed_by": self.key, **oddities}
        return Pair((certificate(name, private, **told), *self.chain), private)


def self_signed(subject: Subject = "build", key: str = "RSA-2048", **oddities: Any) -> Pair:
    """A self-signed pair for signing code, as `notation cert generate-test` makes them."""
    name = name_of(subject)
    private = key_of(name.rfc4514_string(), key)
    told = {"issuer": name, "signed_by": private, **oddities}
    return Pair((certificate(name, private, **told),), private)


_AUTHORITY: dict[str, Any] = {
    "basic_constraints": (True, None),
    "key_usage": ("key_cert_sign", "crl_sign"),
    "eku": None,
}


def certificate(
    subject: x509.Name,
    key: Any,
    issuer: Subject,
    signed_by: Any,
    *,
    not_before: datetime = NOT_BEFORE,
    not_after: datetime = NOT_AFTER,
    basic_constraints: tuple[bool, int | None] | None = (False, None),
    basic_constraints_critical: bool = True,
    key_usage: Iterable[str] | None = ("digital_signature",),
    key_usage_critical: bool = True,
    eku: Iterable[str] | None = (CODE_SIGNING,),
    eku_critical: bool = False,
    crl_urls: Iterable[str] = (),
    ocsp_urls: Iterable[str] = (),
    extensions: Iterable[tuple[x509.ExtensionType, bool]] = (),
    serial: int | None = None,
    hash: str = "sha256",  # noqa: A002  that is the word
    bad_signature: bool = False,
) -> bytes:
    """One certificate as DER; None leaves an extension out.

    `key_usage` names bits as in `cryptography.x509.KeyUsage`; `hash` is sha256, sha384 or sha512, or, when
    an RSA key signs, sha1 or md5; `bad_signature` spoils the signature; `issuer` and `signed_by` need
    not belong together.
    """
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(name_of(issuer))
        .public_key(key.public_key())
        .serial_number(serial or next(_SERIALS))
        .not_valid_before(not_before)
        .not_valid_after(not_after)
    )
    if basic_constraints is not None:
        builder = builder.add_extension(x509.BasicConstraints(*basic_constraints), basic_constraints_critical)
    if key_usage is not None:
        builder = builder.add_extension(_key_usage(set(key_usage)), key_usage_critical)
    if eku is not None:
        builder = builder.add_extension(
            x509.ExtendedKeyUsage(ObjectIdentifier(oid) for oid in eku), eku_critical
        )
    for extension, critical in (*_revocation_information(crl_urls, ocsp_urls), *extensions):
        builder = builder.add_extension(extension, critical)
    der = _sign(builder, signed_by, hash)
    return der[:-1] + bytes([der[-1] ^ 1]) if bad_signature else der


def _key_usage(bits: set[str]) -> x509.KeyUsage:
    flags = {name: name in bits for name in _KEY_USAGES}
    if unknown := bits - set(_KEY_USAGES):
        raise ValueError(f"no such key usage: {unknown}")
    return x509.KeyUsage(**flags)


def _revocation_information(
    crl_urls: Iterable[str], ocsp_urls: Iterable[str]
) -> list[tuple[x509.ExtensionType, bool]]:
    found: list[tuple[x509.ExtensionType, bool]] = []
    points = [
        x509.DistributionPoint([x509.UniformResourceIdentifier(url)], None, None, None) for url in crl_urls
    ]
    responders = [
        x509.AccessDescription(AuthorityInformationAccessOID.OCSP, x509.UniformResourceIdentifier(url))
        for url in ocsp_urls
    ]
    if points:
        found.append((x509.CRLDistributionPoints(points), False))
    if responders:
        found.append((x509.AuthorityInformationAccess(responders), False))
    return found


_RSA_OID = bytes.fromhex("2a864886f70d0101")
_WEAK: dict[str, tuple[bytes, hashes.HashAlgorithm]] = {
    "md5": (_RSA_OID + b"\x04", hashes.MD5()),  # noqa: S303
    "sha1": (_RSA_OID + b"\x05", hashes.SHA1()),  # noqa: S303
}
_STRONG: dict[str, Any] = {"sha256": hashes.SHA256, "sha384": hashes.SHA384, "sha512": hashes.SHA512}


def _sign(builder: x509.CertificateBuilder, key: Any, hash_name: str) -> bytes:
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return builder.sign(key, None).public_bytes(serialization.Encoding.DER)
    deterministic = True if isinstance(key, ec.EllipticCurvePrivateKey) else None
    made = builder.sign(key, _STRONG.get(hash_name, hashes.SHA256)(), ecdsa_deterministic=deterministic)
    der = made.public_bytes(serialization.Encoding.DER)
    return _weaken(made, der, key, hash_name) if hash_name in _WEAK else der


def _weaken(made: x509.Certificate, der: bytes, key: rsa.RSAPrivateKey, hash_name: str) -> bytes:
    """The same certificate signed with a hash that `cryptography` no longer signs certificates with."""
    oid, hash_ = _WEAK[hash_name]
    tbs = made.tbs_certificate_bytes.replace(_RSA_OID + b"\x0b", oid, 1)
    signature = key.sign(tbs, padding.PKCS1v15(), hash_)
    rest = der[: -len(signature)].replace(made.tbs_certificate_bytes, tbs).replace(_RSA_OID + b"\x0b", oid)
    return rest + signature
