"""What carried evidence says about a certificate, without asking anybody.

Of several pieces, one that says revoked for good decides, however old; else the youngest that counts, OCSP before CRL.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from nv2.errors import RemoteError
from nv2.pki.certificate_status import CertificateStatus, Status
from nv2.revocation.circumstances import MAX_ADDRESSES, Circumstances, Link, at, both, unknown

if TYPE_CHECKING:
    from nv2.revocation.carried import Carried, Place

_NOTHING = CertificateStatus(Status.UNKNOWN, "nothing was carried here")
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


def by_carried(link: Link, about: Circumstances, carried: Carried) -> CertificateStatus:
    """The status by all that `carried` has about `link`, at the instant that it allows."""
    at_least = about._replace(now=carried.instant(about.now))
    by_ocsp = list(_by_answers(link, at_least, carried))
    by_crl = list(_by_crls(link, at_least, carried))
    for status in (*by_ocsp, *by_crl):
        if status.for_good:
            return status
    found = _youngest(by_ocsp)
    if found.status is not Status.UNKNOWN or not by_crl:
        return found
    other = _youngest(by_crl)
    return other if other.status is not Status.UNKNOWN else both(found, other)


def _youngest(found: Sequence[CertificateStatus]) -> CertificateStatus:
    known = [status for status in found if status.status is not Status.UNKNOWN]
    if known:
        return max(known, key=lambda status: status.made_at or _LONG_AGO)
    reasons = dict.fromkeys(status.reason for status in found)  # the same lies in several places, often
    return CertificateStatus(Status.UNKNOWN, "; ".join(filter(None, reasons)))


def _by_answers(link: Link, about: Circumstances, carried: Carried) -> Iterator[CertificateStatus]:
    if not link.certificate.ocsp_urls:
        return
    from nv2.pki.ocsp import cache_key  # few certificates name responders

    for url in link.certificate.ocsp_urls[:MAX_ADDRESSES]:
        answers = carried.answers(cache_key(url, link.certificate, link.issuer))
        for status in [_by_answer(*answer, link, about, carried) for answer in answers] or [_NOTHING]:
            yield at(status, "carried OCSP answer", url)


def _by_answer(
    response: bytes, place: Place, link: Link, about: Circumstances, carried: Carried
) -> CertificateStatus:
    from nv2.pki.ocsp import status_by_ocsp
    from nv2.revocation.by_ocsp import by_whom

    allowance = carried.allowance(place, link.issuer)
    try:
        answer = status_by_ocsp(
            response, link.certificate, link.issuer, about.now, None, about.signed_at, allowance
        )
    except RemoteError as e:
        return unknown(e)
    if answer.responder is None or answer.status.status is Status.UNKNOWN:
        return answer.status
    responder = _responder(Link(answer.responder, link.issuer), about, carried)
    return answer.status if responder.status is Status.GOOD else by_whom(answer, responder)


def _responder(link: Link, about: Circumstances, carried: Carried) -> CertificateStatus:
    """A delegated responder's own revocation, by CRL alone, as `by_ocsp` has it."""
    if not link.certificate.has_revocation_information:
        return CertificateStatus(Status.GOOD)
    found = list(_by_crls(link, about._replace(signed_at=None), carried))
    for_good = [status for status in found if status.for_good]
    return for_good[0] if for_good else _youngest(found)


def _by_crls(link: Link, about: Circumstances, carried: Carried) -> Iterator[CertificateStatus]:
    if not link.certificate.crl_urls:
        return
    from nv2.revocation.by_crl import judge_crls

    for url in link.certificate.crl_urls[:MAX_ADDRESSES]:
        found = [
            judge_crls(base, delta, link, about, carried.allowance(place, link.issuer))
            for base, delta, place in carried.crls(url)
        ]
        for status in found or [_NOTHING]:
            yield at(status, "carried CRL", url)
