"""Values as plain text: instants, spans of time, and what strangers wrote, which is cut, and quoted or made one line.

`quoted` writes a value as a Python literal; `one_line` replaces what is not printable and quotes nothing. What this
module does not do: escape for a terminal. Only the printer, `cli.output`, knows where a text ends up.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

MAX_LINE = 400
"""Characters of a line that quotes strangers; longer ones are hostile and would flood a log."""

MAX_QUOTED = 80
"""Characters of a foreign value in a message: enough to recognise it, too few to flood a log."""

_SPAN = re.compile(
    r"(?:(?P<days>[0-9]{1,6})d)?(?:(?P<hours>[0-9]{1,6})h)?(?:(?P<minutes>[0-9]{1,6})m)?(?:(?P<seconds>[0-9]{1,6})s)?",
    re.ASCII,
)


def quoted(value: object) -> str:
    """`value` in quotes on one line: at most `MAX_QUOTED` characters of it (and an ellipsis), control characters escaped."""
    text = str(value)
    return repr(text if len(text) <= MAX_QUOTED else text[:MAX_QUOTED] + "…")


def one_line(text: str, limit: int = MAX_LINE) -> str:
    """`text` as one line of at most `limit` characters (and an ellipsis), without control characters."""
    line = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text[: limit + 1])
    return line if len(line) <= limit else line[:limit] + "…"


def rfc3339(instant: datetime) -> str:
    """`instant` (aware) in UTC and whole seconds: `2026-01-02T15:04:05Z`."""
    return instant.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat() + "Z"


def parse_instant(text: str) -> datetime | None:
    """The instant that `text` names with its offset, in UTC; None if it names none, or one that no calendar in UTC has."""
    try:
        found = datetime.fromisoformat(text)
        return found.astimezone(UTC) if found.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None


def span(length: timedelta) -> str:
    """`length` in the two largest units that it has, whole seconds: `14d`, `3d12h`, `5m`, `0s`."""
    left, parts = int(length.total_seconds()), []
    for unit, seconds in (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)):
        count, left = divmod(left, seconds)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts[:2]) or "0s"


def parse_span(text: str) -> timedelta | None:
    """What `span` writes, such as `14d` or `1d12h`; None for anything else: no unit, one twice, or a smaller one before it."""
    found = _SPAN.fullmatch(text) if text else None
    return (
        timedelta(**{unit: int(number) for unit, number in found.groupdict("0").items()}) if found else None
    )
