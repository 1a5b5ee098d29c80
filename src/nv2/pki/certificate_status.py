"""What revocation data says about one certificate: a value, whatever it was read from."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import Enum
from typing import NamedTuple

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
