"""The journal: each digest that a tag ever named, who set it, and when. Lines are added, never changed.

A line is written in the transaction that moves the tag, so the two cannot differ. Setting a tag to what it
names already moves nothing and is not written.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import NamedTuple

from nv2.oci.digest import Digest
from nv2.plain_text import rfc3339

SET, DELETED, WITH_ITS_MANIFEST, FOUND = "set", "deleted", "manifest deleted", "found"
"""What happened to a tag; `FOUND` is how tags begin that are older than the journal."""


class Who(NamedTuple):
    """Who asked for a change."""

    user: str = ""
    """The name that a login proved, empty without one."""
    peer: str = ""
    """The address that the connection came from."""


NOBODY = Who()


class Entry(NamedTuple):
    """A line of the journal."""

    number: int
    """Grows with each line and is never used again."""
    at: datetime
    """By the clock of the registry's machine, UTC."""
    tag: str
    event: str
    digest: Digest | None
    """What the tag names since then; None if it was removed."""
    previous: Digest | None
    user: str
    peer: str

    def to_json(self) -> dict[str, object]:
        """As clients of the registry may see it: the address only of who had no name."""
        said: dict[str, object] = {
            "number": self.number,
            "at": rfc3339(self.at),
            "tag": self.tag,
            "event": self.event,
            "digest": self.digest,
            "previous": self.previous,
            "user": self.user,
            "peer": "" if self.user else self.peer,
        }
        return {key: value for key, value in said.items() if value not in (None, "")}


def now() -> int:
    """Microseconds since 1970."""
    return time.time_ns() // 1000


def record(
    db: sqlite3.Connection,
    repository: str,
    event: str,
    moves: Iterable[tuple[str, Digest | None, Digest | None]],
    who: Who,
) -> None:
    """Write down tags of `repository` that moved: each its name, the new digest, and the previous one."""
    at = now()
    db.executemany(
        "INSERT INTO journal (at, repository, tag, event, digest, previous, user, peer)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [(at, repository, tag, event, digest, previous, *who) for tag, digest, previous in moves],
    )


def read(
    db: sqlite3.Connection, repository: str, tag: str | None, before: int | None, count: int
) -> list[Entry]:
    """At most `count` lines about `tag`, or all tags if None: the latest first, only those `before` a number."""
    wanted: dict[str, object] = {"repository": repository, "tag": tag, "before": before, "count": count}
    rows = db.execute(
        "SELECT number, at, tag, event, digest, previous, user, peer FROM journal"  # noqa: S608  (words of ours)
        " WHERE repository = :repository"
        + (" AND tag = :tag" if tag is not None else "")
        + (" AND number < :before" if before is not None else "")
        + " ORDER BY number DESC LIMIT :count",
        wanted,
    )
    return [Entry(number, datetime.fromtimestamp(at / 1e6, UTC), *rest) for number, at, *rest in rows]
