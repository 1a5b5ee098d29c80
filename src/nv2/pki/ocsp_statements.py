"""What the statements of an OCSP response about one certificate come to (RFC 6960, 4.2.2; trust-store-trust-policy,
"Revocation Checking with OCSP", 2 and 3).

What this module does not do: ask who made them.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from nv2.pki import der
from nv2.pki.certificate_status import (
    CLOCK_SKEW,
    HOLD,
    INVALIDITY_DATE,
    REASON_CODE,
    REASONS,
    UNSPECIFIED,
    Allowance,
    CertificateStatus,
    Status,
)
from nv2.pki.extensions import Extensions
from nv2.pki.ocsp_request import NONCE
from nv2.pki.ocsp_response import CertStatus, Statement
from nv2.plain_text import rfc3339

_CRL_REFERENCES, _ARCHIVE_CUTOFF = "1.3.6.1.5.5.7.48.1.3", "1.3.6.1.5.5.7.48.1.6"
_KNOWN = (NONCE, _CRL_REFERENCES, _ARCHIVE_CUTOFF, REASON_CODE, INVALIDITY_DATE)
"""Extensions that may be critical: those that say nothing against an answer (4.4), or are heeded here."""


class Unusable(Exception):
    """An answer, or a statement of it, that says nothing that counts; why, in one line."""


def conclude(
    said: Iterable[Statement], now: datetime, signed_at: datetime | None, allowance: Allowance
) -> CertificateStatus:
    """What all statements about one certificate come to: the worst of them, if they contradict each other.

    Raises `NotDer`; `Unusable` if there are none.
    """
    found = [_judge(statement, now, signed_at, allowance) for statement in said]
    if not found:
        raise Unusable("the OCSP response is about other certificates")
    for worst in (Status.REVOKED, Status.UNKNOWN):
        for status in found:
            if status.status is worst:
                return status
    return min(found, key=lambda status: status.fresh_until or now)


def _judge(
    said: Statement, now: datetime, signed_at: datetime | None, allowance: Allowance
) -> CertificateStatus:
    try:
        return _status(said, now, signed_at, allowance)
    except Unusable as e:
        return CertificateStatus(Status.UNKNOWN, str(e))


def _status(
    said: Statement, now: datetime, signed_at: datetime | None, allowance: Allowance
) -> CertificateStatus:
    check_critical(said.extensions)
    check_past(said.this_update, now)
    if said.said is CertStatus.UNKNOWN:
        raise Unusable("the responder does not know the certificate")
    harmless = _became_bad_later(said, signed_at)
    # A hold ends; whatever else was revoked stays so, and who says it may be as old as he likes.
    if said.said is CertStatus.REVOKED and said.reason != HOLD and not harmless:
        return _revoked(said)
    until = _check_fresh(said, now, allowance)
    if said.said is CertStatus.REVOKED and not harmless:
        return _revoked(said)
    notes = "; ".join(filter(None, (harmless, allowance.note(until, now))))
    return CertificateStatus(Status.GOOD, notes, until, said.this_update)


def _revoked(said: Statement) -> CertificateStatus:
    reason = REASONS.get(said.reason or UNSPECIFIED, str(said.reason))
    at = f" at {rfc3339(said.revoked_at)}" if said.revoked_at else ""
    return CertificateStatus(
        Status.REVOKED, f"revoked{at} ({reason})", said.next_update, said.this_update, said.reason != HOLD
    )


def _became_bad_later(said: Statement, signed_at: datetime | None) -> str:
    """Why a revocation does no harm to what was signed at `signed_at`; empty if it does.

    The invalidity date (RFC 5280, 5.3.2) is that of this statement. What stands beside all statements is about nobody, and
    what is yet to come, no authority can have found out.
    """
    value = said.extensions.get(INVALIDITY_DATE)
    if said.said is not CertStatus.REVOKED or value is None:
        return ""
    since = der.instant(der.Element(der.GENERALIZED_TIME, der.single(value[0], der.GENERALIZED_TIME), b""))
    if signed_at is None or since > said.this_update or signed_at >= since:
        return ""
    return f"revoked, but signed before its key became bad at {rfc3339(since)}"


def check_critical(extensions: Extensions) -> None:
    """Raise `Unusable` if one of `extensions` must be understood, and is not."""
    for name, (_, critical) in extensions.items():
        if critical and name not in _KNOWN:
            raise Unusable(f"the OCSP response has a critical extension that is not known: {name}")


def check_past(instant: datetime, now: datetime) -> None:
    """Raise `Unusable` if the responder cannot have known at `instant` what it says."""
    if instant - now > CLOCK_SKEW:
        raise Unusable(f"the OCSP response is from the future: {rfc3339(instant)}")


def _check_fresh(said: Statement, now: datetime, allowance: Allowance) -> datetime:
    """Its nextUpdate. An answer without nextUpdate would be as good in ten years as today, so it is not good today."""
    if said.next_update is None:
        raise Unusable("the OCSP response does not say when it expires (nextUpdate)")
    if said.next_update < said.this_update:
        raise Unusable("the OCSP response expired before it was made")
    if fault := allowance.fault(said.this_update, said.next_update, now):
        raise Unusable(f"the OCSP response {fault}")
    return said.next_update
