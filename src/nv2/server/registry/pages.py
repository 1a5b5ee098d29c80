"""Lists out of the index, a page at a time; on a connection that the caller keeps."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from nv2.oci.digest import Digest
from nv2.server.registry.rows import repository_of


def tags(db: sqlite3.Connection, repository: str, after: str, count: int) -> list[str] | None:
    """At most `count` tags that come after `after`, in lexical order; None if there is no such repository."""
    found = repository_of(db, repository)
    rows = db.execute(
        "SELECT name FROM tags WHERE repository = ? AND (name COLLATE NOCASE, name) > (?, ?)"
        " ORDER BY name COLLATE NOCASE, name LIMIT ?",
        (found, after, after, count),
    )
    return None if found is None else [name for (name,) in rows]


def repositories(db: sqlite3.Connection, after: str, count: int) -> list[str]:
    """At most `count` names of repositories that come after `after`."""
    rows = db.execute("SELECT name FROM repositories WHERE name > ? ORDER BY name LIMIT ?", (after, count))
    return [name for (name,) in rows]


def referrers(
    db: sqlite3.Connection,
    repository: str,
    subject: Digest,
    artifact_types: tuple[str, ...],
    after: str,
    limit: int,
) -> tuple[list[str], Digest | None]:
    """Descriptors of the manifests that name `subject`, those of `artifact_types` if there are any.

    At most `limit` bytes of them, in the order of their digests and from after `after`; with the digest of
    the last if there are more.
    """
    kinds = ", ".join("?" * len(artifact_types))
    rows = db.execute(
        "SELECT digest, descriptor FROM manifests"  # noqa: S608  (only question marks are put in)
        " WHERE repository = ? AND subject = ? AND digest > ?"
        + (f" AND artifact_type IN ({kinds})" if kinds else "")
        + " ORDER BY digest",
        (repository_of(db, repository), subject, after, *artifact_types),
    )
    return _page(rows, limit)


def _page(rows: Iterable[tuple[Digest, str]], limit: int) -> tuple[list[str], Digest | None]:
    """Descriptors until `limit` bytes are full, at least one of them."""
    found: list[str] = []
    last: Digest | None = None
    for digest, descriptor in rows:
        limit -= len(descriptor.encode()) + 1
        if found and limit < 0:
            return found, last
        found.append(descriptor)
        last = digest
    return found, None
