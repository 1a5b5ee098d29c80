"""What revocation data says about one certificate: a value, whatever it was read from."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import NamedTuple

from nv2.plain_text import rfc3339, span

CLOCK_SKEW = timedelta(minutes=5)
"""How far an authority's clock may be ahead of ours: what it says it made later than that is refused."""

MAX_CRL = 64 * 1024 * 1024
"""Bytes of one CRL. The largest that were seen list a million certificates in 42 MB."""

MAX_RESPONSE = 64 * 1024
"""Bytes of an OCSP response. One with a chain of certificates for the responder has 5 kB."""

REASON_CODE, INVALIDITY_DATE = "2.5.29.21", "2.5.29.24"
"""Extensions of an entry of a CRL, and of an OCSP answer that has been made from one."""

UNSPECIFIED, HOLD, REMOVED = 0, 6, 8
REASONS = {
    0: "unspecified",
    1: "keyCompromise",
    2: "cACompromise",
    3: "affiliationChanged",
    4: "superseded",
    5: "cessationOfOperation",
    6: "certificateHold",
    8: "removeFromCRL",
    9: "privilegeWithdrawn",
    10: "aACompromise",
}
"""CRLReason (RFC 5280, 5.3.1)."""


class Status(Enum):
    """trust-store-trust-policy, "Certificate Revocation Evaluation"."""

    GOOD = "good"
    REVOKED = "revoked"
    UNKNOWN = "unknown"
    """Nothing that counts was said: never a yes."""


class CertificateStatus(NamedTuple):
    """The status of one certificate, and in one line why, where it is not good."""

    status: Status
    reason: str = ""
    fresh_until: datetime | None = None
    """When whoever said so promised newer information, at the latest (nextUpdate)."""
    made_at: datetime | None = None
    """When it was said (thisUpdate)."""
    for_good: bool = False
    """Whether it was revoked for ever, so that no newer information can change it: not put on hold."""


class Allowance(NamedTuple):
    """How old may be what an authority said, so that it still counts. None of it concerns revocations for good."""

    grace: timedelta = timedelta()
    """After nextUpdate."""
    max_age: timedelta | None = None
    """After thisUpdate, whatever nextUpdate says; None: nextUpdate alone counts."""

    def ends(self, this_update: datetime, next_update: datetime) -> datetime:
        """Until when it counts."""
        end = _later(next_update, self.grace)
        return end if self.max_age is None else min(end, _later(this_update, self.max_age))

    def fault(self, this_update: datetime, next_update: datetime, now: datetime) -> str:
        """Why what was said does not count at `now`; empty if it does."""
        if now <= self.ends(this_update, next_update):
            return ""
        if self.max_age is not None and now > _later(this_update, self.max_age):
            return f"was made at {rfc3339(this_update)}, longer ago than the {span(self.max_age)} allowed"
        late = f", more than the grace of {span(self.grace)} ago" if self.grace else ""
        return f"expired at {rfc3339(next_update)}{late}"

    def note(self, next_update: datetime, now: datetime) -> str:
        """What must be said of what counts by grace alone; empty if it is fresh."""
        if now <= next_update:
            return ""
        return f"expired at {rfc3339(next_update)}, within the grace of {span(self.grace)}"


STRICT = Allowance()
"""Nothing counts after its nextUpdate."""


def _later(instant: datetime, by: timedelta) -> datetime:
    try:
        return instant + by
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC)
