"""X.509 certificates (RFC 5280): what the Notary Project looks at, and nothing else.

`cryptography` parses and keeps the certificate; the names and the few extensions of the specification
are read here, one by one, because "the rest of the extensions MUST NOT be evaluated" (signature-specification,
"Other requirements") and `cryptography` reads all or none. What this module does not do: judge.
"""

from __future__ import annotations

import hashlib
import warnings
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from nv2.errors import InvalidCertificate
from nv2.pki import der, extensions
from nv2.pki.extensions import BasicConstraints, Extensions, read_extensions
from nv2.pki.names import attributes_of, text_of

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
    from cryptography.x509 import Certificate as Parsed

MAX_CERTIFICATE = 64 * 1024
"""Bytes of one certificate; with the largest keys and long names it is below 10 kB."""

MAX_KEPT = 64
"""Certificates that are kept parsed, by their exact bytes: chains differ in the leaf, and share their authorities."""

_VERSION, _EXTENSIONS = 0xA0, 0xA3
"""Tags of two fields of TBSCertificate."""

# Kind of the key, and hash; None where the parameters or the algorithm itself say it. MD5 and SHA-1 are not
# here: whatever is not here is refused.
_SIGNATURES = {
    "1.2.840.113549.1.1.11": ("RSA", "sha256"),
    "1.2.840.113549.1.1.12": ("RSA", "sha384"),
    "1.2.840.113549.1.1.13": ("RSA", "sha512"),
    "1.2.840.113549.1.1.10": ("RSA", None),
    "1.2.840.10045.4.3.2": ("EC", "sha256"),
    "1.2.840.10045.4.3.3": ("EC", "sha384"),
    "1.2.840.10045.4.3.4": ("EC", "sha512"),
    "1.3.101.112": ("Ed25519", None),
}
_WEAK = {
    "1.2.840.113549.1.1.2": "MD2",
    "1.2.840.113549.1.1.4": "MD5",
    "1.2.840.113549.1.1.5": "SHA-1",
    "1.2.840.10045.4.1": "SHA-1",
    "1.2.840.10040.4.3": "SHA-1",
}


class Certificate:
    """One certificate. Immutable; equal to another one with the same bytes."""

    __slots__ = (
        "_parsed",
        "basic_constraints",
        "crl_urls",
        "der",
        "extended_key_usage",
        "issuer",
        "issuer_der",
        "key_usage",
        "key_usage_critical",
        "not_after",
        "not_before",
        "ocsp_urls",
        "serial",
        "subject",
        "subject_attributes",
        "subject_der",
        "thumbprint",
    )

    _parsed: Parsed
    der: bytes
    subject_der: bytes
    issuer_der: bytes
    subject: str
    """As Go's `pkix.Name.String()` writes it, and with it notation: fixed order, not that of the certificate."""
    issuer: str
    subject_attributes: tuple[tuple[str, str], ...]
    """Dotted object identifier and value, in the order of the certificate."""
    serial: int
    not_before: datetime
    not_after: datetime
    thumbprint: str
    """SHA-256 of the DER, lower-case hexadecimal."""
    basic_constraints: BasicConstraints | None
    key_usage: frozenset[str] | None
    """Names out of `extensions.KEY_USAGES`; None if the extension is absent."""
    key_usage_critical: bool
    extended_key_usage: tuple[str, ...] | None
    """Dotted object identifiers; None if the extension is absent."""
    ocsp_urls: tuple[str, ...]
    crl_urls: tuple[str, ...]

    def __init__(self, **fields: Any) -> None:
        for name, value in fields.items():
            object.__setattr__(self, name, value)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("a certificate is immutable")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Certificate) and self.der == other.der

    def __hash__(self) -> int:
        return hash(self.der)

    def __repr__(self) -> str:
        return f"<Certificate {self.subject!r} {self.thumbprint[:16]}>"

    @property
    def is_self_issued(self) -> bool:
        """Whether subject and issuer are the same bytes."""
        return self.subject_der == self.issuer_der

    @property
    def is_ca(self) -> bool:
        """Whether basic constraints say that it may issue certificates."""
        return self.basic_constraints is not None and self.basic_constraints.is_ca

    @property
    def path_length(self) -> int | None:
        """How many authorities may stand between it and the leaf; None is any number."""
        return self.basic_constraints.path_length if self.basic_constraints else None

    @property
    def has_revocation_information(self) -> bool:
        """Whether it names an OCSP responder or a CRL by URL."""
        return bool(self.ocsp_urls or self.crl_urls)

    @property
    def public_key(self) -> CertificatePublicKeyTypes:
        """The public key, of whatever kind. Raises `InvalidCertificate` if it cannot be read."""
        try:
            return self._parsed.public_key()
        except (ValueError, UnsupportedAlgorithm) as e:
            raise InvalidCertificate(f"the public key cannot be used: {e}") from None

    @property
    def key_kind(self) -> str:
        """Kind and size in bits of the public key: `RSA-2048`, `EC-256`."""
        return kind_of(self.public_key)

    @property
    def spki(self) -> bytes:
        """SubjectPublicKeyInfo of the public key, DER."""
        return spki_of(self.public_key)

    def verify_child(self, child: Certificate) -> None:
        """Raise `InvalidCertificate` unless this certificate's key made the signature of `child`.

        Names, and whether this certificate may issue others, are not looked at.
        """
        oid = child._parsed.signature_algorithm_oid.dotted_string
        if oid not in _SIGNATURES:
            raise InvalidCertificate(f"its signature uses {_WEAK.get(oid, oid)}, which is not acceptable")
        kind, hash_name = _SIGNATURES[oid]
        key = self.public_key
        if kind != kind_of(key).partition("-")[0]:
            raise InvalidCertificate("its signature is of another kind than the issuer's key")
        try:
            _verify(key, child._parsed, hash_name)
        except (InvalidSignature, ValueError, UnsupportedAlgorithm):
            raise InvalidCertificate("its signature was not made by the issuer's key") from None

    def has_signed(self, child: Certificate) -> bool:
        """Whether `verify_child` finds nothing wrong."""
        try:
            self.verify_child(child)
        except InvalidCertificate:
            return False
        return True


def kind_of(key: object) -> str:
    """Kind and size in bits of a public key: `RSA-2048`, `EC-256`, `Ed25519`."""
    match key:
        case rsa.RSAPublicKey():
            return f"RSA-{key.key_size}"
        case ec.EllipticCurvePublicKey():
            nist = {"secp256r1": "EC-256", "secp384r1": "EC-384", "secp521r1": "EC-521"}
            return nist.get(key.curve.name, f"EC-{key.curve.name}")
        case ed25519.Ed25519PublicKey():
            return "Ed25519"
        case _:
            return type(key).__name__.removesuffix("PublicKey")


def spki_of(key: CertificatePublicKeyTypes) -> bytes:
    """SubjectPublicKeyInfo of a public key, DER."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _verify(key: object, child: Parsed, hash_name: str | None) -> None:
    signature, data, hash_ = child.signature, child.tbs_certificate_bytes, child.signature_hash_algorithm
    match key:
        case rsa.RSAPublicKey() if hash_ and hash_name:
            key.verify(signature, data, padding.PKCS1v15(), hash_)
        case rsa.RSAPublicKey() if hash_ and hash_.name in ("sha256", "sha384", "sha512"):
            # The parameters must be these, or the signature does not fit: salt as long as the hash, one hash.
            key.verify(signature, data, padding.PSS(padding.MGF1(hash_), hash_.digest_size), hash_)
        case ec.EllipticCurvePublicKey() if hash_:
            key.verify(signature, data, ec.ECDSA(hash_))
        case ed25519.Ed25519PublicKey():
            key.verify(signature, data)
        case _:
            raise InvalidSignature


def parse_certificate(data: bytes, at: str | None = None) -> Certificate:
    """Read one DER certificate to its last byte. Raises `InvalidCertificate`."""
    if len(data) > MAX_CERTIFICATE:
        raise InvalidCertificate(f"a certificate of more than {MAX_CERTIFICATE} bytes", at=at)
    try:
        return _parse(data)
    except InvalidCertificate as e:
        raise InvalidCertificate(e.message, at=at) from None
    except (ValueError, IndexError) as e:
        raise InvalidCertificate(f"not a certificate: {e}", at=at) from None


@lru_cache(maxsize=MAX_KEPT)
def _parse(data: bytes) -> Certificate:
    fields = _fields(data)
    parsed = _load(data)
    subject = attributes_of(fields.subject)
    usage, usage_critical = extensions.key_usage(fields.extensions)
    return Certificate(
        _parsed=parsed,
        der=data,
        subject_der=fields.subject,
        issuer_der=fields.issuer,
        subject=text_of(subject),
        issuer=text_of(attributes_of(fields.issuer)),
        subject_attributes=subject,
        serial=fields.serial,
        not_before=parsed.not_valid_before_utc,
        not_after=parsed.not_valid_after_utc,
        thumbprint=hashlib.sha256(data).hexdigest(),
        basic_constraints=extensions.basic_constraints(fields.extensions),
        key_usage=usage,
        key_usage_critical=usage_critical,
        extended_key_usage=extensions.extended_key_usage(fields.extensions),
        ocsp_urls=extensions.ocsp_urls(fields.extensions),
        crl_urls=extensions.crl_urls(fields.extensions),
    )


def _load(data: bytes) -> Parsed:
    from cryptography import x509

    # It warns on the standard error of a serial number 0 and of superfluous parameters, which old authorities
    # have, and which say nothing about trust.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return x509.load_der_x509_certificate(data)


class _Fields(NamedTuple):
    serial: int
    issuer: bytes
    subject: bytes
    extensions: Extensions


def _fields(data: bytes) -> _Fields:
    """The raw fields of TBSCertificate (RFC 5280, 4.1), and the extensions."""
    body, outer_algorithm, signature = der.children(der.single(data, der.SEQUENCE))
    version, *tbs = _with_version(der.items(body))
    serial, algorithm, issuer, _validity, subject, _key, *rest = tbs
    # Version 2, which nobody issues, is one that `cryptography` does not read.
    if der.integer(version) not in (0, 2):
        raise der.NotDer("a version that is neither 1 nor 3")
    # Unsigned, the outer one could make the signature mean another thing.
    if algorithm.raw != outer_algorithm.raw:
        raise der.NotDer("two signature algorithms")
    # Nobody else looks at this byte, and no signature covers it.
    if der.expect(signature, der.BIT_STRING)[:1] != b"\0":
        raise der.NotDer("a signature that does not fill its bytes")
    number = der.integer(serial)
    if number < 0:
        raise InvalidCertificate("not a certificate: its serial number is negative")
    found = [read_extensions(item.content) for item in rest if item.tag == _EXTENSIONS]
    return _Fields(number, issuer.raw, subject.raw, found[0] if found else {})


def _with_version(tbs: list[der.Element]) -> list[der.Element]:
    """The fields with the version, which defaults to 0, first."""
    if tbs and tbs[0].tag == _VERSION:
        return [*der.children(tbs[0].content)[:1], *tbs[1:]]
    return [der.Element(der.INTEGER, b"\0", b""), *tbs]
