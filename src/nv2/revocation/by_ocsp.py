"""What is asked of OCSP responders about one certificate, and what their answers come to."""

from __future__ import annotations

from nv2.errors import RemoteError
from nv2.pki.certificate_status import STRICT, Allowance, CertificateStatus, Status
from nv2.pki.ocsp import OcspAnswer, build_request, cache_key, status_by_ocsp
from nv2.plain_text import one_line
from nv2.revocation.circumstances import MAX_ADDRESS, Circumstances, Inquiry, Link, at, in_turn, unknown

HASHES = ("sha1", "sha256")
"""How a request names the issuer: first as every responder understands it, then for those that do without SHA-1."""


def inquire_by_ocsp(link: Link, about: Circumstances) -> Inquiry:
    """The responders that the certificate names, in order, until one can tell ("OCSP Download")."""
    return (yield from in_turn(link.certificate.ocsp_urls, lambda url: ask_responder(url, link, about)))


def ask_responder(url: str, link: Link, about: Circumstances) -> Inquiry:
    """One of the responders that the certificate names."""
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
            status = unknown(e)
            break
        if status.status is not Status.UNKNOWN and about.caches.ocsp:
            about.caches.ocsp.store(cache_key(url, link.certificate, link.issuer), response)
    return at(status, "OCSP", url)


def _kept_answer(url: str, link: Link, about: Circumstances) -> Inquiry:
    cache = about.caches.ocsp
    kept = cache.load(cache_key(url, link.certificate, link.issuer)) if cache else None
    if kept is None:
        return CertificateStatus(Status.UNKNOWN)
    try:
        return (yield from _judge(kept, link, about, about.caches.allowance(link.issuer)))
    except RemoteError as e:
        return unknown(e)


def _judge(response: bytes, link: Link, about: Circumstances, allowance: Allowance = STRICT) -> Inquiry:
    """What `response` says, if whoever signed it may still do so. Raises `InvalidRevocationData`."""
    answer = status_by_ocsp(
        response, link.certificate, link.issuer, about.now, None, about.signed_at, allowance
    )
    if answer.responder is None or answer.status.status is Status.UNKNOWN:
        return answer.status
    responder = yield from _ask_about_responder(Link(answer.responder, link.issuer), about)
    return answer.status if responder.status is Status.GOOD else by_whom(answer, responder)


def _ask_about_responder(link: Link, about: Circumstances) -> Inquiry:
    """A delegated responder's own revocation, by CRL alone ("Revocation Checking with OCSP", 4).

    Its authentic signing time is none of ours: what was signed by the artifact's signer says nothing of it.
    """
    if not link.certificate.has_revocation_information:
        return CertificateStatus(Status.GOOD)
    if not link.certificate.crl_urls:
        return CertificateStatus(Status.UNKNOWN, "names no CRL")
    from nv2.revocation.by_crl import inquire_by_crl  # hardly any responder names one

    return (yield from inquire_by_crl(link, about._replace(signed_at=None)))


def by_whom(answer: OcspAnswer, responder: CertificateStatus) -> CertificateStatus:
    """Unknown: `answer` does not count because of the status of its `responder`."""
    subject = one_line(answer.responder.subject, MAX_ADDRESS) if answer.responder else ""
    found = "is revoked" if responder.status is Status.REVOKED else "is of unknown revocation status"
    why = f": {responder.reason}" if responder.reason else ""
    return CertificateStatus(Status.UNKNOWN, f"the responder {subject} {found}{why}")
