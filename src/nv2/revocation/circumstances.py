"""What inquiries have in common: about whom, under which circumstances, and how their answers are put together."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from nv2.pki.certificate_status import CertificateStatus, Status
from nv2.plain_text import one_line

if TYPE_CHECKING:
    from datetime import datetime

    from nv2.errors import RemoteError
    from nv2.pki.certificate import Certificate
    from nv2.revocation.caches import Caches
    from nv2.revocation.evidence import Evidence
    from nv2.transport.interface import Transport

MAX_ADDRESSES = 4
"""Responders, and places of a CRL, that are asked about one certificate. Those of the field name one or two."""

MAX_ADDRESS = 200
"""Characters of an address in a message."""

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


def in_turn(urls: Sequence[str], ask: Callable[[str], Inquiry]) -> Inquiry:
    """What the first of `urls` says that can tell."""
    found = CertificateStatus(Status.UNKNOWN)
    for url in urls[:MAX_ADDRESSES]:
        status = yield from ask(url)
        if status.status is not Status.UNKNOWN:
            return status
        found = both(found, status)
    if left := len(urls[MAX_ADDRESSES:]):
        return both(found, CertificateStatus(Status.UNKNOWN, f"{left} more addresses were not asked"))
    return found


def both(one: CertificateStatus, other: CertificateStatus) -> CertificateStatus:
    """Unknown, for the reasons of both."""
    return CertificateStatus(
        Status.UNKNOWN, "; ".join(reason for reason in (one.reason, other.reason) if reason)
    )


def at(status: CertificateStatus, method: str, url: str) -> CertificateStatus:
    """`status` with who said so."""
    place = f"{method} at {one_line(url, MAX_ADDRESS)}"
    return status._replace(reason=f"{place}: {status.reason}" if status.reason else f"by {place}")


def unknown(error: RemoteError) -> CertificateStatus:
    """Nothing was said, because of `error`."""
    return CertificateStatus(Status.UNKNOWN, error.message)
