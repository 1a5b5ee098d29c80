"""X.509 certificates (RFC 5280): what the Notary Project looks at, and nothing else.

The names and the few extensions of the specification are read one by one, because "the rest of the extensions MUST
NOT be evaluated" (signature-specification, "Other requirements") and `cryptography` reads all or none; validity,
key and signature are `usual_form`'s or `essentials`'. What this module does not do: judge.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from cryptography.exceptions import UnsupportedAlgorithm

from nv2.errors import InvalidCertificate
from nv2.pki import der, extensions, public_keys
from nv2.pki.essentials import Essentials, essentials_of
from nv2.pki.extensions import BasicConstraints, Extensions, read_extensions
from nv2.pki.names import attributes_of, text_of
from nv2.pki.usual_form import usual_form

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes

MAX_CERTIFICATE = 64 * 1024
"""Bytes of one certificate; with the largest keys and long names it is below 10 kB."""

MAX_KEPT = 64
"""Certificates that are kept parsed, by their exact bytes: chains differ in the leaf, and share their authorities."""

_VERSION, _EXTENSIONS = 0xA0, 0xA3
"""Tags of two fields of TBSCertificate."""


class Certificate:
    """One certificate. Immutable; equal to another one with the same bytes."""

    __slots__ = (
        "_essentials",
        "_key",
        "basic_constraints",
        "crl_urls",
        "der",
        "extended_key_usage",
        "issuer",
        "issuer_der",
        "key_usage",
        "key_usage_critical",
        "names_crl",
        "not_after",
        "not_before",
        "ocsp_urls",
        "serial",
        "subject",
        "subject_attributes",
        "subject_der",
        "thumbprint",
    )

    _essentials: Essentials
    _key: CertificatePublicKeyTypes | None
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
    names_crl: bool
    """Whether it has distribution points, be they only entries of a directory, which has no URL."""

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
        """Whether it names an OCSP responder by URL, or a CRL in any way."""
        return bool(self.ocsp_urls) or self.names_crl

    @property
    def public_key(self) -> CertificatePublicKeyTypes:
        """The public key, of whatever kind. Raises `InvalidCertificate` if it cannot be read."""
        if self._key is None:
            try:
                object.__setattr__(self, "_key", self._essentials.load_key())
            except (ValueError, UnsupportedAlgorithm) as e:
                raise InvalidCertificate(f"the public key cannot be used: {e}") from None
        return cast("CertificatePublicKeyTypes", self._key)

    @property
    def key_kind(self) -> str:
        """Kind and size in bits of the public key: `RSA-2048`, `EC-256`."""
        return public_keys.kind_of(self.public_key)

    @property
    def spki(self) -> bytes:
        """SubjectPublicKeyInfo of the public key, DER, in one form for each key. Raises as `public_key`."""
        key = self.public_key
        # To write it anew, the library loads its readers and writers of every format: 10 ms.
        return self._essentials.spki or public_keys.spki_of(key)

    def extension(self, oid: str) -> bytes | None:
        """The value of one extension, read anew: for those that are seldom asked for."""
        found = _fields(self.der).extensions.get(oid)
        return found[0] if found else None

    def verify_child(self, child: Certificate) -> None:
        """Raise `InvalidCertificate` unless this certificate's key made the signature of `child`.

        Names, and whether this certificate may issue others, are not looked at.
        """
        found = child._essentials
        public_keys.check_signature(
            self.public_key, found.algorithm, found.hash_name, found.signature, found.signed_bytes
        )

    def has_signed(self, child: Certificate) -> bool:
        """Whether `verify_child` finds nothing wrong."""
        try:
            self.verify_child(child)
        except InvalidCertificate:
            return False
        return True


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
    essentials = usual_form(data) or essentials_of(data)
    subject = attributes_of(fields.subject)
    usage, usage_critical = extensions.key_usage(fields.extensions)
    return Certificate(
        _essentials=essentials,
        _key=None,
        der=data,
        subject_der=fields.subject,
        issuer_der=fields.issuer,
        subject=text_of(subject),
        issuer=text_of(attributes_of(fields.issuer)),
        subject_attributes=subject,
        serial=fields.serial,
        not_before=essentials.not_before,
        not_after=essentials.not_after,
        thumbprint=hashlib.sha256(data).hexdigest(),
        basic_constraints=extensions.basic_constraints(fields.extensions),
        key_usage=usage,
        key_usage_critical=usage_critical,
        extended_key_usage=extensions.extended_key_usage(fields.extensions),
        ocsp_urls=extensions.ocsp_urls(fields.extensions),
        crl_urls=extensions.crl_urls(fields.extensions),
        names_crl=extensions.CRL_DISTRIBUTION_POINTS in fields.extensions,
    )


def extensions_of(certificate: Certificate) -> Extensions:
    """All extensions of `certificate`, read again: for what hardly anybody asks."""
    return _fields(certificate.der).extensions


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
