"""What is asked about one certificate, in which order, and what the answers come to.

An inquiry is a generator. It yields whenever it has asked something and would have to wait, so that others can ask as
well before anybody waits. Its value is a `CertificateStatus` whose reason says where it was learnt.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nv2.pki.certificate_status import CertificateStatus, Status
from nv2.revocation.circumstances import Circumstances, Inquiry, Link, both

if TYPE_CHECKING:
    from nv2.revocation.carried import Carried


def inquire(link: Link, about: Circumstances) -> Inquiry:
    """OCSP first, and CRLs where it cannot tell ("Certificate Revocation Evaluation")."""
    if not (link.certificate.ocsp_urls or link.certificate.crl_urls):
        return CertificateStatus(Status.UNKNOWN, "it names a CRL, and no address of it")
    if about.caches.carried is None:
        return (yield from _ask(link, about))
    return (yield from _with_carried(link, about, about.caches.carried))


def _with_carried(link: Link, about: Circumstances, carried: Carried) -> Inquiry:
    """Who was revoked for good stays so. Else what was carried here, and may be old, counts where nobody else can tell."""
    from nv2.revocation.by_carried import by_carried  # where somebody carried something

    told = by_carried(link, about, carried)
    if told.for_good:
        return told
    if fault := carried.clock_fault(about.now):
        return CertificateStatus(Status.UNKNOWN, fault)
    if carried.alone:
        return told
    asked = yield from _ask(link, about._replace(now=carried.instant(about.now)))
    if asked.status is not Status.UNKNOWN:
        return asked
    return told if told.status is not Status.UNKNOWN else both(asked, told)


def _ask(link: Link, about: Circumstances) -> Inquiry:
    # Few certificates name both. What reads answers of the other kind is not loaded.
    by_ocsp = CertificateStatus(Status.UNKNOWN)
    if link.certificate.ocsp_urls:
        from nv2.revocation.by_ocsp import inquire_by_ocsp

        by_ocsp = yield from inquire_by_ocsp(link, about)
    if by_ocsp.status is not Status.UNKNOWN or not link.certificate.crl_urls:
        return by_ocsp
    from nv2.revocation.by_crl import inquire_by_crl

    by_crl = yield from inquire_by_crl(link, about)
    return by_crl if by_crl.status is not Status.UNKNOWN else both(by_ocsp, by_crl)
