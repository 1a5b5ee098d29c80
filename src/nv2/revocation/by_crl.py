"""Which CRLs are asked for about one certificate, with their deltas, and what they come to."""

from __future__ import annotations

from nv2.errors import RemoteError
from nv2.pki.certificate import Certificate
from nv2.pki.certificate_status import STRICT, Allowance, CertificateStatus, Status
from nv2.pki.crl import Crl, status_by_crl
from nv2.pki.distribution_points import freshest_points
from nv2.plain_text import one_line
from nv2.revocation.circumstances import (
    MAX_ADDRESS,
    MAX_ADDRESSES,
    Circumstances,
    Inquiry,
    Link,
    at,
    in_turn,
    unknown,
)


def inquire_by_crl(link: Link, about: Circumstances) -> Inquiry:
    """The CRLs that the certificate names, in order, until one can tell ("CRL Download")."""
    return (yield from in_turn(link.certificate.crl_urls, lambda url: ask_for_crl(url, link, about)))


def ask_for_crl(url: str, link: Link, about: Circumstances) -> Inquiry:
    """The CRL at one of the addresses that the certificate names, with its delta."""
    status = _by_kept_crl(url, link, about)
    if status.status is Status.UNKNOWN:
        asked = about.evidence.crl(about.transport, url, link.issuer)
        yield
        try:
            base = asked.get()
        except RemoteError as e:
            return at(unknown(e), "CRL", url)
        status = yield from _with_delta(url, base, link, about)
    return at(status, "CRL", url)


def _with_delta(url: str, base: Crl, link: Link, about: Circumstances) -> Inquiry:
    """What `base` says together with its delta, if it announces one ("Revocation Checking with Delta CRLs").

    Whose `base` is was checked: where its delta is, nobody else says, for that would be a redirect that no rule narrows.
    """
    delta, problems = None, []
    for where in _delta_urls(base, link.certificate)[:MAX_ADDRESSES]:
        asked = about.evidence.crl(about.transport, where, link.issuer)
        yield
        try:
            delta = asked.get()
            break
        except RemoteError as e:
            problems.append(f"delta CRL at {one_line(where, MAX_ADDRESS)}: {e.message}")
    status = judge_crls(base, delta, link, about)
    if status.status is Status.UNKNOWN:
        reasons = (status.reason, *problems) if delta is None else (status.reason,)
        return status._replace(reason="; ".join(filter(None, reasons)))
    about.evidence.keep(url, base, delta, about.caches.crl)
    return status


def _delta_urls(base: Crl, certificate: Certificate) -> tuple[str, ...]:
    """What the base says, else the certificate (RFC 5280, 4.2.1.15, 5.2.6)."""
    if base.freshest_urls:
        return base.freshest_urls
    try:
        return tuple(url for point in freshest_points(certificate) for url in point.urls)
    except ValueError:
        return ()  # what cannot be read makes the certificate's status unknown, which the judgement says


def _by_kept_crl(url: str, link: Link, about: Circumstances) -> CertificateStatus:
    kept = about.evidence.kept_crl(url, about.caches.crl)
    if kept is None:
        return CertificateStatus(Status.UNKNOWN)
    return judge_crls(*kept, link, about, about.caches.allowance(link.issuer))


def judge_crls(
    base: Crl, delta: Crl | None, link: Link, about: Circumstances, allowance: Allowance = STRICT
) -> CertificateStatus:
    """What they say, unless newer ones were seen before. Who is listed stays so, however old the list is."""
    status = status_by_crl(link.certificate, link.issuer, base, delta, about.now, about.signed_at, allowance)
    if status.status is Status.UNKNOWN or about.caches.numbers is None:
        return status
    # A delta was looked at only if the base alone could not tell: nobody knows yet who made it.
    is_good = status.status is Status.GOOD
    for crl in (base, delta) if delta and is_good else (base,):
        older = about.caches.numbers.refusal(crl.series(link.issuer), crl.number)
        if older and is_good:
            return CertificateStatus(Status.UNKNOWN, older)
    return status
