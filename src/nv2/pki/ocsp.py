"""What an OCSP answer says about a certificate, decided from bytes (RFC 6960, 8954, 5019; trust-store-trust-policy,
"Revocation Checking with OCSP").

Good takes an answer that is authentic, fresh and about this certificate. Revoked for good is revoked, however old the
answer is. What this module does not do: ask, keep answers, or know the time.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from nv2.errors import InvalidCertificate, InvalidRevocationData
from nv2.pki import ocsp_cert_id
from nv2.pki.certificate import Certificate
from nv2.pki.certificate_status import MAX_RESPONSE, STRICT, Allowance, CertificateStatus, Status
from nv2.pki.ocsp_request import MAX_NONCE, NONCE, build_request, cache_key, nonce_value, request_path
from nv2.pki.ocsp_responder import signer_of
from nv2.pki.ocsp_response import OcspResponse, Statement, parse_response
from nv2.pki.ocsp_statements import Unusable, check_critical, check_past, conclude

__all__ = [
    "MAX_NONCE",
    "MAX_RESPONSE",
    "OcspAnswer",
    "build_request",
    "cache_key",
    "request_path",
    "status_by_ocsp",
]


class OcspAnswer(NamedTuple):
    """The status, and whose own revocation it still hangs on."""

    status: CertificateStatus
    responder: Certificate | None = None
    """A delegated responder's certificate that must be checked by CRL before the status counts: issued by the
    issuer of the certificate in question, and without `id-pkix-ocsp-nocheck` (step 4). None: nothing is left to check.
    """


def status_by_ocsp(
    response: bytes,
    certificate: Certificate,
    issuer: Certificate,
    now: datetime,
    nonce: bytes | None = None,
    signed_at: datetime | None = None,
    allowance: Allowance = STRICT,
) -> OcspAnswer:
    """What the OCSPResponse `response`, DER, says about `certificate`, which `issuer` issued.

    `nonce` is the one of the request, None if it had none or the answer comes from a cache. `signed_at` is the authentic
    signing time: a key that became bad after it does no harm. `allowance` says how old the answer may be. Whatever makes the answer not count is UNKNOWN with its
    reason. All times are aware. Raises `InvalidRevocationData` if it cannot be read at all.
    """
    found = parse_response(response)
    if isinstance(found, str):
        return _unknown(f"the responder answers {found}")
    if certificate.issuer_der != issuer.subject_der:
        return _unknown("the certificate was issued by somebody else")
    try:
        signer = signer_of(found, issuer, now)
        _check_answer(found, now, nonce)
        status = conclude(_about(found, certificate, issuer), now, signed_at, allowance)
    except Unusable as e:
        return _unknown(str(e))
    except InvalidCertificate as e:
        return _unknown(f"the OCSP response does not count: {e.message}")
    except (ValueError, IndexError) as e:
        raise InvalidRevocationData(f"not an OCSP response: {e}") from None
    return OcspAnswer(status, signer.certificate if signer.must_be_checked else None)


def _unknown(reason: str) -> OcspAnswer:
    return OcspAnswer(CertificateStatus(Status.UNKNOWN, reason))


def _check_answer(response: OcspResponse, now: datetime, nonce: bytes | None) -> None:
    """What is said of all statements together.

    An answer without the nonce is not refused: most responders sign in advance, for everybody, and RFC 8954 lets them.
    How old such an answer can be is what nextUpdate says.
    """
    check_critical(response.extensions)
    if nonce is not None and response.extensions.get(NONCE, (nonce_value(nonce),))[0] != nonce_value(nonce):
        raise Unusable("the OCSP response has another nonce than the request")
    check_past(response.produced_at, now)


def _about(response: OcspResponse, certificate: Certificate, issuer: Certificate) -> list[Statement]:
    return [said for said in response.statements if ocsp_cert_id.names(said.cert_id, certificate, issuer)]
