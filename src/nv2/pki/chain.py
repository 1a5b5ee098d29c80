"""Certificate chains: ordered, linked and profiled (signature-specification, "Certificate Requirements").

A `Chain` is sound in itself; whether anyone trusts it is decided elsewhere, as is its revocation. Validity
is a question about an instant: `check_validity`.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from itertools import pairwise
from typing import NamedTuple

from nv2.errors import InvalidCertificate
from nv2.pki.certificate import Certificate, parse_certificate
from nv2.pki.profile import check_code_signing, check_work
from nv2.plain_text import one_line, rfc3339

MAX_CHAIN = 10
"""Certificates. Chains of the field have 1 to 4; each one costs the check of a signature."""


MAX_SUBJECT = 120
"""Characters of a subject in a message."""


class Chain(NamedTuple):
    """Certificates, signing certificate first, self-signed root last. Only `parse_chain` and `timestamp_chain` make one."""

    certificates: tuple[Certificate, ...]

    @property
    def leaf(self) -> Certificate:
        """The signing certificate."""
        return self.certificates[0]

    @property
    def root(self) -> Certificate:
        """The last, self-signed certificate; with a chain of one, the signing certificate itself."""
        return self.certificates[-1]

    @property
    def thumbprints(self) -> tuple[str, ...]:
        """SHA-256 of each certificate, lower-case hexadecimal."""
        return tuple(certificate.thumbprint for certificate in self.certificates)


def signing_certificates(certificates: Iterable[Certificate]) -> tuple[Certificate, ...]:
    """Those that issued none of the others: one, if `certificates` are a chain, in whatever order."""
    found = tuple(certificates)
    issuers = {each.issuer_der for each in found if not each.is_self_issued}
    return tuple(each for each in found if each.subject_der not in issuers)


def parse_chain(ders: tuple[bytes, ...]) -> Chain:
    """Read certificates and check order, links, signatures and profile.

    Raises `InvalidCertificate`, at a place like `certificate #2 (CN=…)`, counted from the leaf.
    """
    if not 1 <= len(ders) <= MAX_CHAIN:
        raise InvalidCertificate(f"a chain has 1 to {MAX_CHAIN} certificates, this one {len(ders)}")
    certificates = tuple(parse_certificate(der, f"certificate #{i}") for i, der in enumerate(ders, 1))
    places = tuple(place(i, certificate) for i, certificate in enumerate(certificates, 1))
    for certificate, at in zip(certificates, places, strict=True):
        check_work(certificate, at)
    check_links(certificates, places)
    check_code_signing(certificates, places)
    return Chain(certificates)


def place(number: int, certificate: Certificate) -> str:
    """`certificate #2 (CN=…)`, for messages."""
    return f"certificate #{number} ({one_line(certificate.subject, MAX_SUBJECT)})"


def check_links(certificates: tuple[Certificate, ...], places: tuple[str, ...]) -> None:
    """Raise `InvalidCertificate` unless each was issued by the next, and the last by itself, as no other was."""
    for at, (child, parent) in zip(places, pairwise(certificates), strict=False):
        if child.is_self_issued and child.has_signed(child):
            raise InvalidCertificate("is self-signed, but certificates follow it", at=at)
        if child.issuer_der != parent.subject_der:
            raise InvalidCertificate(
                "was not issued by the certificate that follows it",
                at=at,
                hint="a chain is ordered: signing certificate, intermediates, root",
            )
        _check_signature(child, parent, at)
    root = certificates[-1]
    if not root.is_self_issued:
        raise InvalidCertificate(
            "is not self-signed; the chain must end with its root",
            at=places[-1],
            hint="append the certificates of the issuers, up to the self-signed one",
        )
    _check_signature(root, root, places[-1])


def _check_signature(child: Certificate, parent: Certificate, at: str) -> None:
    try:
        parent.verify_child(child)
    except InvalidCertificate as e:
        raise InvalidCertificate(e.message, at=at) from None


def check_validity(chain: Chain, instant: datetime) -> None:
    """Raise `InvalidCertificate` unless every certificate is valid at `instant` (aware). Bounds included."""
    for number, certificate in enumerate(chain.certificates, 1):
        if instant < certificate.not_before:
            raise InvalidCertificate(
                f"is not valid before {rfc3339(certificate.not_before)}",
                at=place(number, certificate),
            )
        if instant > certificate.not_after:
            raise InvalidCertificate(
                f"expired at {rfc3339(certificate.not_after)}", at=place(number, certificate)
            )
