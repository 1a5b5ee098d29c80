"""What carried evidence will be worth at a later instant: before departure, and before it is used.

What this module does not do: verify anything; `nv2 bundle verify` does. Times are those that the pieces state.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from enum import Enum
from typing import NamedTuple

from nv2.bundling.evidence import Evidence, Kind, Piece
from nv2.pki.certificate import Certificate
from nv2.pki.certificate_status import Allowance
from nv2.plain_text import one_line


class Freshness(Enum):
    """Of a piece at an instant."""

    FRESH = "fresh"
    BY_GRACE = "byGrace"
    """Past its nextUpdate: nv2 uses it by the rule of this machine, and notation does not."""
    STALE = "stale"


class Arriving(NamedTuple):
    """A piece, and until when it counts."""

    piece: Piece
    issuer: str
    """Subject of the issuer's certificate."""
    freshness: Freshness
    ends: datetime | None
    """Until when it counts here by the age rule; None: never, for it says no nextUpdate."""


def arriving(evidence: Evidence, at: datetime, allowance: Callable[[str], Allowance]) -> tuple[Arriving, ...]:
    """What each piece will be at the instant `at`. `allowance` is by the thumbprint of the issuer's certificate."""
    subjects = {certificate.thumbprint: certificate.subject for certificate in evidence.certificates}
    return tuple(
        _arriving(piece, subjects.get(piece.issuer, ""), at, allowance(piece.issuer))
        for piece in evidence.pieces
    )


def _arriving(piece: Piece, issuer: str, at: datetime, allowance: Allowance) -> Arriving:
    if piece.next_update is None:
        return Arriving(piece, issuer, Freshness.STALE, None)
    ends = allowance.ends(piece.this_update, piece.next_update)
    if at > ends:
        return Arriving(piece, issuer, Freshness.STALE, ends)
    return Arriving(piece, issuer, Freshness.FRESH if at <= piece.next_update else Freshness.BY_GRACE, ends)


def left_open(evidence: Evidence, pieces: Sequence[Arriving]) -> tuple[Certificate, ...]:
    """The certificates about whose revocation none of `pieces` will tell: signatures under them will be undecided."""
    stale = {(each.piece.kind, each.piece.address) for each in pieces if each.freshness is Freshness.STALE}
    lists = {
        each.piece.address
        for each in pieces
        if each.piece.kind is Kind.CRL and stale.isdisjoint(_with_delta(each.piece.address))
    }
    answered = {
        each.piece.certificate
        for each in pieces
        if each.piece.kind is Kind.OCSP and each.freshness is not Freshness.STALE
    }
    return tuple(
        certificate
        for certificate in evidence.certificates
        if certificate.has_revocation_information
        and _issuer_is_here(certificate, evidence.certificates)
        and certificate.thumbprint not in answered
        and lists.isdisjoint(certificate.crl_urls)
    )


def _with_delta(address: str) -> set[tuple[Kind, str]]:
    return {(Kind.CRL, address), (Kind.DELTA, address)}


def _issuer_is_here(certificate: Certificate, every: Sequence[Certificate]) -> bool:
    """Whether it is one that is asked about: not the last one of its chain."""
    own = certificate.subject_der == certificate.issuer_der
    return not own and any(other.subject_der == certificate.issuer_der for other in every)


def notation_warnings(evidence: Evidence) -> tuple[str, ...]:
    """What notation will not be able to use: it reads no OCSP answers that were carried, and wants every CRL."""
    carried = {(piece.kind, piece.address) for piece in evidence.pieces}
    return tuple(
        f'notation cannot verify signatures by "{one_line(certificate.subject)}" beyond the gap: {reason}'
        for certificate in evidence.certificates
        if (reason := _obstacle(certificate, carried, evidence.certificates))
    )


def _obstacle(certificate: Certificate, carried: set[tuple[Kind, str]], every: Sequence[Certificate]) -> str:
    if not _issuer_is_here(certificate, every):
        return ""
    if certificate.ocsp_urls and not certificate.crl_urls:
        return "its certificate names OCSP responders alone, and notation cannot be given their answers"
    missing = [url for url in certificate.crl_urls if (Kind.CRL, url) not in carried]
    if missing:
        return f"it wants every CRL of the certificate, and {len(missing)} of {len(certificate.crl_urls)} could not be had"
    return ""
