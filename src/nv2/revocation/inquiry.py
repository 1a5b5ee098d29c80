"""What is asked about one certificate, in which order, and what the answers come to.

An inquiry is a generator. It yields whenever it has asked something and would have to wait, so that others can ask as
well before anybody waits. Its value is a `CertificateStatus` whose reason says where it was learnt.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from datetime import datetime
from typing import NamedTuple

from nv2.errors import RemoteError
from nv2.pki.certificate import Certificate
from nv2.pki.certificate_status import CertificateStatus, Status
from nv2.pki.crl import Crl, status_by_crl
from nv2.pki.distribution_points import freshest_points
from nv2.pki.ocsp import OcspAnswer, build_request, cache_key, status_by_ocsp
from nv2.plain_text import one_line
from nv2.revocation.caches import Caches
from nv2.revocation.evidence import Evidence
from nv2.transport.interface import Transport

MAX_ADDRESSES = 4
"""Responders, and places of a CRL, that are asked about one certificate. Those of the field name one or two."""

MAX_ADDRESS = 200
"""Characters of an address in a message."""

HASHES = ("sha1", "sha256")
"""How a request names the issuer: first as every responder understands it, then for those that do without SHA-1."""

Inquiry = Generator[None, None, CertificateStatus]


class Link(NamedTuple):
    """A certificate, and the one that issued it."""

    certificate: Certificate
    issuer: Certificate


class Circumstances(NamedTuple):
    """What all inquiries of one check have in common."""

    evidence: Evidence
    transport: Transport
    caches: Caches
    now: datetime
    signed_at: datetime | None


def inquire(link: Link, about: Circumstances) -> Inquiry:
    """OCSP first, and CRLs where it cannot tell ("Certificate Revocation Evaluation")."""
    if not (link.certificate.ocsp_urls or link.certificate.crl_urls):
        return CertificateStatus(Status.UNKNOWN, "it names a CRL, and no address of it")
    by_ocsp = yield from _in_turn(link.certificate.ocsp_urls, lambda url: _ask_responder(url, link, about))
    if by_ocsp.status is not Status.UNKNOWN or not link.certificate.crl_urls:
        return by_ocsp
    by_crl = yield from inquire_by_crl(link, about)
    return by_crl if by_crl.status is not Status.UNKNOWN else _both(by_ocsp, by_crl)


def inquire_by_crl(link: Link, about: Circumstances) -> Inquiry:
    """The CRLs that the certificate names, in order, until one can tell ("CRL Download")."""
    return (yield from _in_turn(link.certificate.crl_urls, lambda url: _ask_for_crl(url, link, about)))


def _in_turn(urls: Sequence[str], ask: Callable[[str], Inquiry]) -> Inquiry:
    """What the first of `urls` says that can tell."""
    found = CertificateStatus(Status.UNKNOWN)
    for url in urls[:MAX_ADDRESSES]:
        status = yield from ask(url)
        if status.status is not Status.UNKNOWN:
            return status
        found = _both(found, status)
    if left := len(urls[MAX_ADDRESSES:]):
        return _both(found, CertificateStatus(Status.UNKNOWN, f"{left} more addresses were not asked"))
    return found


def _both(one: CertificateStatus, other: CertificateStatus) -> CertificateStatus:
    return CertificateStatus(
        Status.UNKNOWN, "; ".join(reason for reason in (one.reason, other.reason) if reason)
    )


def _at(status: CertificateStatus, method: str, url: str) -> CertificateStatus:
    place = f"{method} at {one_line(url, MAX_ADDRESS)}"
    return status._replace(reason=f"{place}: {status.reason}" if status.reason else f"by {place}")


def _unknown(error: RemoteError) -> CertificateStatus:
    return CertificateStatus(Status.UNKNOWN, error.message)


def _ask_responder(url: str, link: Link, about: Circumstances) -> Inquiry:
    status = yield from _kept_answer(url, link, about)
    for hash_name in HASHES:
        if status.status is not Status.UNKNOWN:
            break
        request = build_request(link.certificate, link.issuer, None, hash_name)
        asked = about.evidence.ocsp(about.transport, url, request)
        yield
        try:
            response = asked.get()
            status = yield from _judge(response, link, about)
        except RemoteError as e:
            status = _unknown(e)
            break
        if status.status is not Status.UNKNOWN and about.caches.ocsp:
            about.caches.ocsp.store(cache_key(url, link.certificate, link.issuer), response)
    return _at(status, "OCSP", url)


def _kept_answer(url: str, link: Link, about: Circumstances) -> Inquiry:
    cache = about.caches.ocsp
    kept = cache.load(cache_key(url, link.certificate, link.issuer)) if cache else None
    if kept is None:
        return CertificateStatus(Status.UNKNOWN)
    try:
        return (yield from _judge(kept, link, about))
    except RemoteError as e:
        return _unknown(e)


def _judge(response: bytes, link: Link, about: Circumstances) -> Inquiry:
    """What `response` says, if whoever signed it may still do so. Raises `InvalidRevocationData`."""
    answer = status_by_ocsp(response, link.certificate, link.issuer, about.now, None, about.signed_at)
    if answer.responder is None or answer.status.status is Status.UNKNOWN:
        return answer.status
    responder = yield from _ask_about_responder(Link(answer.responder, link.issuer), about)
    return answer.status if responder.status is Status.GOOD else _by_whom(answer, responder)


def _ask_about_responder(link: Link, about: Circumstances) -> Inquiry:
    """A delegated responder's own revocation, by CRL alone ("Revocation Checking with OCSP", 4).

    Its authentic signing time is none of ours: what was signed by the artifact's signer says nothing of it.
    """
    if not link.certificate.has_revocation_information:
        return CertificateStatus(Status.GOOD)
    if not link.certificate.crl_urls:
        return CertificateStatus(Status.UNKNOWN, "names no CRL")
    return (yield from inquire_by_crl(link, about._replace(signed_at=None)))


def _by_whom(answer: OcspAnswer, responder: CertificateStatus) -> CertificateStatus:
    subject = one_line(answer.responder.subject, MAX_ADDRESS) if answer.responder else ""
    found = "is revoked" if responder.status is Status.REVOKED else "is of unknown revocation status"
    why = f": {responder.reason}" if responder.reason else ""
    return CertificateStatus(Status.UNKNOWN, f"the responder {subject} {found}{why}")


def _ask_for_crl(url: str, link: Link, about: Circumstances) -> Inquiry:
    status = _by_kept_crl(url, link, about)
    if status.status is Status.UNKNOWN:
        asked = about.evidence.crl(about.transport, url, link.issuer)
        yield
        try:
            base = asked.get()
        except RemoteError as e:
            return _at(_unknown(e), "CRL", url)
        status = yield from _with_delta(url, base, link, about)
    return _at(status, "CRL", url)


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
    status = _judge_crls(base, delta, link, about)
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
    return _judge_crls(*kept, link, about)


def _judge_crls(base: Crl, delta: Crl | None, link: Link, about: Circumstances) -> CertificateStatus:
    """What they say, unless newer ones were seen before. Who is listed stays so, however old the list is."""
    status = status_by_crl(link.certificate, link.issuer, base, delta, about.now, about.signed_at)
    if status.status is Status.UNKNOWN or about.caches.numbers is None:
        return status
    # A delta was looked at only if the base alone could not tell: nobody knows yet who made it.
    is_good = status.status is Status.GOOD
    for crl in (base, delta) if delta and is_good else (base,):
        older = about.caches.numbers.refusal(crl.series(link.issuer), crl.number)
        if older and is_good:
            return CertificateStatus(Status.UNKNOWN, older)
    return status
