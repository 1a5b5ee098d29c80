"""Values as plain text: instants, and what strangers wrote.

What this module does not do: escape for a terminal. Only the printer knows where a text ends up.
"""

from __future__ import annotations

from datetime import UTC, datetime

MAX_LINE = 400
"""Characters of a line that quotes strangers; longer ones are hostile and would flood a log."""


def one_line(text: str, limit: int = MAX_LINE) -> str:
    """`text` as one line of at most `limit` characters (and an ellipsis), without control characters."""
    line = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text[: limit + 1])
    return line if len(line) <= limit else line[:limit] + "…"


def rfc3339(instant: datetime) -> str:
    """`instant` (aware) in UTC and whole seconds: `2026-01-02T15:04:05Z`."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
