"""What certificate revocation lists say about one certificate (RFC 5280, 6.3; trust-store-trust-policy, "CRLs").

Judged from bytes and a time. Listed for good is revoked, however old the list is. Good takes more: authentic,
fresh, and answering for this certificate and for all reasons; with a delta where there is one.
What this module does not do: fetch, keep, or find out who issued a certificate.
"""

from __future__ import annotations

from datetime import datetime

from nv2.errors import InvalidRevocationData
from nv2.pki.certificate import Certificate
from nv2.pki.certificate_status import (
    CLOCK_SKEW,
    HOLD,
    MAX_CRL,
    REASONS,
    REMOVED,
    STRICT,
    Allowance,
    CertificateStatus,
    Status,
)
from nv2.pki.crl_entries import Entry
from nv2.pki.crl_format import Crl, parse_crl
from nv2.pki.distribution_points import distribution_points, freshest_points
from nv2.plain_text import rfc3339

__all__ = ["CLOCK_SKEW", "MAX_CRL", "Crl", "check_fit", "check_scope", "parse_crl", "status_by_crl"]


def status_by_crl(
    certificate: Certificate,
    issuer: Certificate,
    base: Crl,
    delta: Crl | None,
    now: datetime,
    signed_at: datetime | None,
    allowance: Allowance = STRICT,
) -> CertificateStatus:
    """What `base`, and `delta` to it, say about `certificate`, which `issuer` has issued. Nothing is raised.

    Where `base` or the certificate names a delta, only with one it is good. `signed_at` is the authentic signing
    time, if there is one: an entry with a later invalidityDate (5.3.2) does not count then. `allowance` says how old
    they may be. All times are aware.
    """
    try:
        return _status(_Question(certificate, issuer, now, signed_at, allowance), base, delta)
    except InvalidRevocationData as e:
        return CertificateStatus(Status.UNKNOWN, e.message)
    except (ValueError, IndexError) as e:
        return CertificateStatus(
            Status.UNKNOWN, f"the CRL or what the certificate says of it is malformed: {e}"
        )


class _Question:
    def __init__(
        self,
        certificate: Certificate,
        issuer: Certificate,
        now: datetime,
        signed_at: datetime | None,
        allowance: Allowance,
    ) -> None:
        self.certificate, self.issuer, self.now, self.signed_at = certificate, issuer, now, signed_at
        self.allowance = allowance

    def entries(self, crl: Crl) -> list[Entry]:
        """Those that count."""
        return [
            entry for entry in crl.entries.about(self.certificate.serial) if not self._came_later(entry, crl)
        ]

    def _came_later(self, entry: Entry, crl: Crl) -> bool:
        """Whether the key was still good when it signed. What is yet to come, no authority can have found out."""
        since = entry.invalid_since
        return (
            since is not None
            and since <= crl.this_update
            and self.signed_at is not None
            and self.signed_at < since
        )


def _status(question: _Question, base: Crl, delta: Crl | None) -> CertificateStatus:
    if question.issuer.subject_der != question.certificate.issuer_der:
        raise InvalidRevocationData("the certificate was issued by somebody else")
    if base.delta_base is not None:
        raise InvalidRevocationData("a delta CRL is published where a complete one belongs")
    _check_usable(base, question)
    check_scope(base, question.certificate)
    entries = question.entries(base)
    for entry in entries:
        if entry.reason not in (HOLD, REMOVED):
            return _revoked(entry, base)
    changes = []
    if delta is not None:
        _check_delta(delta, base, question)
        changes = question.entries(delta)
        for entry in changes:
            if entry.reason not in (HOLD, REMOVED):
                return _revoked(entry, delta)
    _check_complete(question, base, delta)
    held = _held(entries, changes)
    if held:
        return _revoked(held, base)
    if any(entry.reason == REMOVED for entry in entries):
        raise InvalidRevocationData(
            "a complete CRL lists a removal (removeFromCRL), which belongs into a delta"
        )
    _check_reasons(base, question.certificate)
    until = _fresh_until(base, delta)
    made_at = delta.this_update if delta else base.this_update
    return CertificateStatus(Status.GOOD, question.allowance.note(until, question.now), until, made_at)


def _check_usable(crl: Crl, question: _Question) -> None:
    """What must hold before anything that is listed counts."""
    crl.check_origin(question.issuer)
    if crl.unknown_critical:
        raise InvalidRevocationData(
            f"the CRL has a critical extension that is not known: {crl.unknown_critical[0]}"
        )
    if name := crl.entries.unknown_critical():
        raise InvalidRevocationData(f"an entry of the CRL has a critical extension that is not known: {name}")
    if crl.this_update > question.now + CLOCK_SKEW:
        raise InvalidRevocationData(f"the CRL is from the future: {rfc3339(crl.this_update)}")
    if crl.next_update is not None and crl.next_update < crl.this_update:
        raise InvalidRevocationData("the CRL expired before it was made")


def check_scope(crl: Crl, certificate: Certificate) -> None:
    """5.2.5 and 6.3.3 (b): raise `InvalidRevocationData` unless the CRL is about `certificate` at all."""
    point = crl.issuing_point
    if point is None:
        return
    other = {
        "indirectCRL": True,
        "onlyContainsAttributeCerts": True,
        "onlyContainsUserCerts": certificate.is_ca,
        "onlyContainsCACerts": not certificate.is_ca,
    }
    for flag, is_other in other.items():
        if flag in point.flags and is_other:
            raise InvalidRevocationData(f"the CRL does not answer for this certificate ({flag})")
    if point.names and not any(
        point.names & found.names for found in distribution_points(certificate) if not found.issuer_names
    ):
        raise InvalidRevocationData(
            "the CRL belongs to a distribution point that the certificate does not name"
        )


def _check_reasons(crl: Crl, certificate: Certificate) -> None:
    """Whether who is not listed was not revoked for any reason (5.2.5, 4.2.1.13)."""
    names = crl.issuing_point.names if crl.issuing_point else frozenset()
    points = [point for point in distribution_points(certificate) if not names or names & point.names]
    partial = bool(points) and all(point.reasons is not None for point in points)
    if partial or (crl.issuing_point is not None and crl.issuing_point.reasons is not None):
        raise InvalidRevocationData("the CRL lists what was revoked for some reasons only")


def _check_delta(delta: Crl, base: Crl, question: _Question) -> None:
    """5.2.4."""
    _check_usable(delta, question)
    check_fit(delta, base)


def check_fit(delta: Crl, base: Crl) -> None:
    """5.2.4: raise `InvalidRevocationData` unless `delta` says what has changed since `base`."""
    if delta.delta_base is None:
        raise InvalidRevocationData("a complete CRL is published where a delta belongs")
    if delta.scope != base.scope:
        raise InvalidRevocationData("the delta CRL answers for others than the complete one")
    if base.number is None or delta.number is None:
        raise InvalidRevocationData("a delta CRL, and the one that it belongs to, must have numbers")
    if delta.number < base.number:
        raise InvalidRevocationData(
            f"the delta CRL {delta.number} is older than the complete one, {base.number}"
        )
    if delta.delta_base > base.number:
        raise InvalidRevocationData(
            f"the delta CRL belongs to CRL {delta.delta_base} or later, and the complete one is {base.number}"
        )


def _check_complete(question: _Question, base: Crl, delta: Crl | None) -> None:
    """Whether all of it is there, and newer information was not to come before `question.now`."""
    if delta is None and (base.names_delta or freshest_points(question.certificate)):
        raise InvalidRevocationData("the delta to the CRL is missing")
    for crl in (base, delta) if delta else (base,):
        if crl.next_update is None:
            raise InvalidRevocationData("the CRL does not say when it expires (nextUpdate)")
        if fault := question.allowance.fault(crl.this_update, crl.next_update, question.now):
            raise InvalidRevocationData(f"the CRL {fault}")


def _held(entries: list[Entry], changes: list[Entry]) -> Entry | None:
    """The hold that was not removed. A delta has the last word, unless the hold is said to be younger."""
    holds = [entry for entry in (*entries, *changes) if entry.reason == HOLD]
    removals = [entry.revoked_at for entry in changes if entry.reason == REMOVED]
    for hold in holds:
        in_delta = hold in changes
        if not any(at > hold.revoked_at or (at == hold.revoked_at and not in_delta) for at in removals):
            return hold
    return None


def _revoked(entry: Entry, crl: Crl) -> CertificateStatus:
    reason = REASONS.get(entry.reason, str(entry.reason))
    return CertificateStatus(
        Status.REVOKED,
        f"revoked at {rfc3339(entry.revoked_at)} ({reason})",
        crl.next_update,
        crl.this_update,
        entry.reason != HOLD,
    )


def _fresh_until(base: Crl, delta: Crl | None) -> datetime:
    return min(crl.next_update for crl in (base, delta) if crl is not None and crl.next_update is not None)
