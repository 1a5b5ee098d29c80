"""The tables of the index, and how those of an older version become them.

`descriptor` of a manifest is the finished JSON object of one with a subject: listing referrers joins strings.
The journal is append-only: the database itself refuses to change or remove a line of it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

from nv2.oci.digest import Digest

VERSION = 2
"""Of these tables; a directory with a later one is refused, not guessed at."""

_JOURNAL = (
    """CREATE TABLE journal (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    repository TEXT NOT NULL,
    tag TEXT NOT NULL,
    event TEXT NOT NULL,
    digest TEXT,
    previous TEXT,
    user TEXT NOT NULL,
    peer TEXT NOT NULL
)""",
    "CREATE INDEX journal_of_tags ON journal (repository, tag, number)",
    """CREATE TRIGGER journal_is_kept BEFORE DELETE ON journal
BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END""",
    """CREATE TRIGGER journal_stands BEFORE UPDATE ON journal
BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END""",
)

TABLES = (
    """CREATE TABLE repositories (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
)""",
    """CREATE TABLE blobs (
    repository INTEGER NOT NULL REFERENCES repositories,
    digest TEXT NOT NULL,
    size INTEGER,
    PRIMARY KEY (repository, digest)
) WITHOUT ROWID""",
    "CREATE INDEX blobs_by_digest ON blobs (digest)",
    """CREATE TABLE manifests (
    repository INTEGER NOT NULL REFERENCES repositories,
    digest TEXT NOT NULL,
    media_type TEXT NOT NULL,
    subject TEXT,
    artifact_type TEXT,
    descriptor TEXT,
    size INTEGER,
    PRIMARY KEY (repository, digest)
)""",
    "CREATE INDEX manifests_by_digest ON manifests (digest)",
    "CREATE INDEX referrers ON manifests (repository, subject, digest) WHERE subject IS NOT NULL",
    """CREATE TABLE tags (
    repository INTEGER NOT NULL REFERENCES repositories,
    name TEXT NOT NULL,
    digest TEXT NOT NULL,
    PRIMARY KEY (repository, name)
) WITHOUT ROWID""",
    "CREATE INDEX tags_in_order ON tags (repository, name COLLATE NOCASE, name)",
    "CREATE INDEX tags_by_digest ON tags (repository, digest)",
    *_JOURNAL,
)
"""`size` is in bytes, NULL where it was not known when the row came from an older version."""

SizeOf = Callable[[Digest], "int | None"]
"""Bytes of the content file of a digest, None if there is none."""


def create(db: sqlite3.Connection) -> None:
    """Make the tables in an empty database, in the transaction that is open."""
    for statement in TABLES:
        db.execute(statement)
    db.execute(f"PRAGMA user_version={VERSION}")


def migrate(db: sqlite3.Connection, found: int, now: int, size_of: SizeOf) -> bool:
    """Bring tables of version `found` up to `VERSION`, in the transaction that is open; False if nobody knows how.

    `now` is in microseconds since 1970.
    """
    steps = MIGRATIONS[found - 1 :] if 0 < found < VERSION else ()
    for step in steps:
        step(db, now, size_of)
    if steps:
        db.execute(f"PRAGMA user_version={VERSION}")
    return bool(steps)


def _sizes_and_journal(db: sqlite3.Connection, now: int, size_of: SizeOf) -> None:
    """1 to 2. The journal begins with the tags that are there."""
    for table in ("blobs", "manifests"):
        db.execute(f"ALTER TABLE {table} ADD COLUMN size INTEGER")
        digests = [digest for (digest,) in db.execute(f"SELECT DISTINCT digest FROM {table}")]  # noqa: S608
        db.executemany(
            f"UPDATE {table} SET size = ? WHERE digest = ?",  # noqa: S608  (ours, both names)
            [(size_of(digest), digest) for digest in digests],
        )
    for statement in _JOURNAL:
        db.execute(statement)
    db.execute(
        "INSERT INTO journal (at, repository, tag, event, digest, user, peer)"
        " SELECT ?, repositories.name, tags.name, 'found', digest, '', ''"
        " FROM tags JOIN repositories ON repositories.id = tags.repository ORDER BY 2, 3",
        (now,),
    )


MIGRATIONS = (_sizes_and_journal,)
"""The step from version N is at N - 1."""
