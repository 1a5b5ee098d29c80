"""Who may answer for an issuer, and whether one of them signed an OCSP response (RFC 6960, 4.2.2.2).

The issuer itself, or a responder that the issuer named by a certificate of its own. RFC 6960 also knows responders that
whoever asks has configured; the Notary Project does not ("Revocation Checking with OCSP", 1), and there are none here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from nv2.errors import InvalidCertificate
from nv2.pki import der
from nv2.pki.certificate import Certificate, parse_certificate
from nv2.pki.ocsp_cert_id import key_bits
from nv2.pki.ocsp_response import OcspResponse
from nv2.pki.profile import OCSP_SIGNING, check_strength, check_work
from nv2.pki.public_keys import check_signature

NO_CHECK = "1.3.6.1.5.5.7.48.1.5"
"""The extension `id-pkix-ocsp-nocheck` (4.2.2.2.1)."""

_BY_NAME, _BY_KEY = 0xA1, 0xA2


class Responder(NamedTuple):
    """Who signed."""

    certificate: Certificate
    must_be_checked: bool
    """Whether its own revocation is a question: it is delegated, and its certificate does not say that nobody need ask."""


def signer_of(response: OcspResponse, issuer: Certificate, now: datetime) -> Responder:
    """Who signed `response`, and may answer for `issuer` at `now`.

    Raises `InvalidCertificate`, with the reason of the likeliest one, if nobody did; `NotDer`.
    """
    problem = InvalidCertificate("it is signed by somebody who may not answer for the issuer")
    for certificate in _candidates(response, issuer):
        try:
            if certificate != issuer:
                _check_delegated(certificate, issuer, now)
            check_signature(
                certificate.public_key,
                response.algorithm,
                response.hash_name,
                response.signature,
                response.signed_bytes,
            )
        except InvalidCertificate as e:
            problem = e
        else:
            return Responder(certificate, certificate != issuer and certificate.extension(NO_CHECK) is None)
    raise problem


def _candidates(response: OcspResponse, issuer: Certificate) -> Iterator[Certificate]:
    """Those whom the response names as its signer: the issuer first, then what was sent along."""
    if _is_named(response.responder, issuer):
        yield issuer
    for data in response.certificates:
        try:
            found = parse_certificate(data)
        except InvalidCertificate:
            continue  # it is of no use; if nobody else signed, the response does not count
        if found != issuer and _is_named(response.responder, found):
            yield found


def _is_named(responder: der.Element, certificate: Certificate) -> bool:
    """Whether the ResponderID is that of `certificate`: its name, or SHA-1 of its key (4.2.1)."""
    if responder.tag == _BY_NAME:
        return responder.content == certificate.subject_der
    named = der.single(der.expect(responder, _BY_KEY), der.OCTET_STRING)
    return named == hashlib.sha1(key_bits(certificate), usedforsecurity=False).digest()


def _check_delegated(certificate: Certificate, issuer: Certificate, now: datetime) -> None:
    """Raise `InvalidCertificate` unless `issuer` itself lets `certificate` answer for it, and still does at `now`.

    That `certificate` is no authority, and that its key usage is critical, no specification demands.
    """
    if certificate.issuer_der != issuer.subject_der:
        raise InvalidCertificate("its responder was named by another authority than the issuer")
    check_work(certificate)
    check_strength(certificate)
    issuer.verify_child(certificate)
    # `anyExtendedKeyUsage` does not do: delegation must be explicit (4.2.2.2).
    if OCSP_SIGNING not in (certificate.extended_key_usage or ()):
        raise InvalidCertificate("its responder has not the extended key usage OCSPSigning")
    if certificate.key_usage is not None and "digitalSignature" not in certificate.key_usage:
        raise InvalidCertificate("its responder has not the key usage digitalSignature")
    if not certificate.not_before <= now <= certificate.not_after:
        raise InvalidCertificate("the certificate of its responder is not valid now")
