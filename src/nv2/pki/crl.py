"""What a certificate revocation list says about one certificate (RFC 5280, 5 and 6.3; trust-store-trust-policy, "CRLs").

Judged from bytes and a time. What this module does not do: fetch, keep, or find out which authority a certificate has.
"""

from __future__ import annotations

from datetime import datetime

from nv2.errors import InvalidRevocationData
from nv2.pki.certificate import Certificate
from nv2.pki.certificate_status import CertificateStatus, Status

MAX_CRL = 64 * 1024 * 1024
"""Bytes of one CRL. The largest that were seen list a million certificates in 42 MB."""


class Crl:
    """One CRL, well-formed and believed in nothing: `status_by_crl` checks who signed it, and for what."""

    __slots__ = ("delta_base", "der", "freshest_urls", "issuer_der", "next_update", "number", "this_update")

    der: bytes
    issuer_der: bytes
    this_update: datetime
    next_update: datetime | None
    number: int | None
    """CRLNumber (5.2.3)."""
    delta_base: int | None
    """BaseCRLNumber (5.2.4): with it this is a delta, and lists only what changed since that number."""
    freshest_urls: tuple[str, ...]
    """Where the delta to this CRL is published (5.2.6); one of them is enough."""

    def series(self, issuer: Certificate) -> str:
        """A name, lower-case hexadecimal, for all CRLs of this issuer's key, of this scope, whose numbers only grow."""
        return f"{self.issuer_der.hex()}{issuer.thumbprint}"

    def check_origin(self, issuer: Certificate) -> None:
        """Raise `InvalidRevocationData` unless `issuer` made this CRL: name, key usage cRLSign, signature.

        Call it before the number is remembered (`home.crl_numbers`). The signature is checked once per issuer.
        """
        raise InvalidRevocationData(f"not made by {issuer.subject}, as far as is known yet")


def parse_crl(data: bytes, at: str | None = None) -> Crl:
    """Read one DER CRL. Raises `InvalidRevocationData` at `at`."""
    raise InvalidRevocationData(f"reading a CRL of {len(data)} bytes is not available yet", at=at)


def status_by_crl(
    certificate: Certificate,
    issuer: Certificate,
    base: Crl,
    delta: Crl | None,
    now: datetime,
    signed_at: datetime | None,
) -> CertificateStatus:
    """What `base`, and `delta` to it, say about `certificate`, which `issuer` has issued. Nothing is raised.

    Good only if both are authentic, fresh at `now`, and together answer for this certificate; a `base` that names
    a delta needs one. `signed_at` is the authentic signing time, if there is one.
    """
    del certificate, issuer, base, delta, now, signed_at
    return CertificateStatus(Status.UNKNOWN, "CRLs are not read yet")
