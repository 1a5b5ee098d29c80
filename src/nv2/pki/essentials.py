"""What a certificate needs to be checked, beside its names and extensions (RFC 5280, 4.1), as `cryptography` reads it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from cryptography.exceptions import UnsupportedAlgorithm

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
    from cryptography.x509 import Certificate


class Essentials(NamedTuple):
    """Validity, key and signature."""

    not_before: datetime
    not_after: datetime
    signed_bytes: bytes
    """TBSCertificate."""
    signature: bytes
    algorithm: str
    """Of the signature, as a dotted object identifier."""
    hash_name: str | None
    """Of the signature; None where the algorithm has none of its own, or it is not known."""
    spki: bytes | None
    """SubjectPublicKeyInfo, if it is written in the one way in which the key itself would be; None if that is not known."""
    load_key: Callable[[], CertificatePublicKeyTypes]
    """Raises `ValueError`, `UnsupportedAlgorithm`."""


def essentials_of(data: bytes) -> Essentials:
    """What the certificate `data` says, of whatever form. Raises `ValueError`."""
    import warnings

    from cryptography import x509  # a fifth of a short command: see `usual_form`

    # It warns on the standard error of a serial number 0 and of superfluous parameters, which old authorities
    # have, and which say nothing about trust.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        parsed = x509.load_der_x509_certificate(data)
    return Essentials(
        parsed.not_valid_before_utc,
        parsed.not_valid_after_utc,
        parsed.tbs_certificate_bytes,
        parsed.signature,
        parsed.signature_algorithm_oid.dotted_string,
        _hash_name(parsed),
        None,
        parsed.public_key,
    )


def _hash_name(parsed: Certificate) -> str | None:
    try:
        found = parsed.signature_hash_algorithm
    except UnsupportedAlgorithm:
        return None
    return found.name if found else None
