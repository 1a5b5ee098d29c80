"""When to ask again, and after how long: pure arithmetic, no clock and no chance of its own."""

from __future__ import annotations

from collections.abc import Mapping

MAX_TRIES = 4
"""Times a request is sent at most."""

FIRST_DELAY = 0.25
"""Seconds before the second try; doubled for each one after it."""

MAX_RETRY_AFTER = 30.0
"""Seconds that a registry may make us wait. If it wants more, its refusal is the answer."""

_RETRIED = (408, 429, 500, 502, 503, 504)
_NOT_PROCESSED = (429, 503)
"""The peer says that it did nothing: even what is not idempotent may be sent again."""


def may_retry(status: int, idempotent: bool) -> bool:
    """Whether a request that got `status` may be sent again."""
    return status in _RETRIED and (idempotent or status in _NOT_PROCESSED)


def delay_before(attempt: int, headers: Mapping[str, str], now: float, chance: float) -> float | None:
    """Seconds to wait before try number `attempt` (2 is the first again), or None to give up.

    `now` is the time in seconds since 1970, for a Retry-After that is a date; `chance` is from 0 to 1
    and spreads those who were refused at the same moment.
    """
    asked = _retry_after(headers.get("retry-after"), now)
    if asked is None:
        return FIRST_DELAY * 2.0 ** (attempt - 2) * (0.9 + 0.2 * chance)
    return asked if asked <= MAX_RETRY_AFTER else None


def _retry_after(value: str | None, now: float) -> float | None:
    """RFC 9110 10.2.3: seconds, or a date. What cannot be read counts as absent."""
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    from email.utils import parsedate_to_datetime

    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now)
    except (ValueError, OverflowError):
        return None
