"""What revocation data says about one certificate: a value, whatever it was read from."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import NamedTuple


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
