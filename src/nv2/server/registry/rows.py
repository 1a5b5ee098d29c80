"""Questions to the index and small changes of it, each on a connection whose transaction the caller keeps."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import NamedTuple

from nv2.oci.digest import Digest
from nv2.server.registry import journal
from nv2.server.registry.conditions import Condition
from nv2.server.registry.errors import Refusal
from nv2.server.registry.journal import Who


class NewManifest(NamedTuple):
    """A manifest to add."""

    digest: Digest
    data: bytes
    media_type: str
    needs: frozenset[Digest]
    """The blobs that must be in the repository."""
    subject: Digest | None
    artifact_type: str | None
    descriptor: str | None
    """What a listing of its subject's referrers shows of it: a JSON object."""


class StoredManifest(NamedTuple):
    """A manifest of a repository."""

    digest: Digest
    media_type: str
    size: int | None
    """Bytes; None where an older version did not write them down."""


def repository_of(db: sqlite3.Connection, name: str) -> int | None:
    """The number of the repository, None if there is no such one."""
    row = db.execute("SELECT id FROM repositories WHERE name = ?", (name,)).fetchone()
    return row[0] if row else None


def make_repository(db: sqlite3.Connection, name: str) -> int | None:
    """The number of the repository, which is there afterwards."""
    db.execute("INSERT OR IGNORE INTO repositories (name) VALUES (?)", (name,))
    return repository_of(db, name)


def has_blob(db: sqlite3.Connection, repository: int | None, digest: Digest) -> bool:
    """Whether the repository has the blob."""
    return blob(db, repository, digest) is not None


def blob(db: sqlite3.Connection, repository: int | None, digest: Digest) -> tuple[int | None] | None:
    """The bytes that the blob has, None where they are not known; None alone if the repository does not have it."""
    query = "SELECT size FROM blobs WHERE repository = ? AND digest = ?"
    found: tuple[int | None] | None = db.execute(query, (repository, digest)).fetchone()
    return found


def uses(db: sqlite3.Connection, digest: Digest) -> int:
    """How many repositories have this content, counted twice where it is a blob and a manifest."""
    row = db.execute(
        "SELECT (SELECT count(*) FROM blobs WHERE digest = ?1) + (SELECT count(*) FROM manifests WHERE digest = ?1)",
        (digest,),
    ).fetchone()
    return int(row[0])


def link_blob(db: sqlite3.Connection, repository: str, digest: Digest, size: int | None) -> None:
    """Let the repository have the blob."""
    db.execute(
        "INSERT OR REPLACE INTO blobs (repository, digest, size) VALUES (?, ?, ?)",
        (make_repository(db, repository), digest, size),
    )


def manifest(db: sqlite3.Connection, repository: int | None, name: str) -> StoredManifest | None:
    """The manifest that a tag or a digest names."""
    if ":" not in name:  # a tag cannot contain one, a digest must
        row = db.execute(
            "SELECT digest FROM tags WHERE repository = ? AND name = ?", (repository, name)
        ).fetchone()
        name = row[0] if row else ""
    row = db.execute(
        "SELECT digest, media_type, size FROM manifests WHERE repository = ? AND digest = ?",
        (repository, name),
    ).fetchone()
    return StoredManifest(*row) if row else None


def put_manifest(db: sqlite3.Connection, repository: int | None, manifest: NewManifest) -> None:
    """Let the repository have the manifest."""
    db.execute(
        "INSERT OR REPLACE INTO manifests"
        " (repository, digest, media_type, subject, artifact_type, descriptor, size)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            repository,
            manifest.digest,
            manifest.media_type,
            manifest.subject,
            manifest.artifact_type,
            manifest.descriptor,
            len(manifest.data),
        ),
    )


def set_tags(db: sqlite3.Connection, name: str, tags: Iterable[str], digest: Digest, who: Who) -> None:
    """Let `tags` of the repository called `name` name `digest`, and write down which of them moved."""
    found = repository_of(db, name)
    moved = []
    for tag in dict.fromkeys(tags):
        previous = db.execute(
            "SELECT digest FROM tags WHERE repository = ? AND name = ?", (found, tag)
        ).fetchone()
        if previous != (digest,):
            db.execute("INSERT OR REPLACE INTO tags VALUES (?, ?, ?)", (found, tag, digest))
            moved.append((tag, digest, previous[0] if previous else None))
    journal.record(db, name, journal.SET, moved, who)


def drop_tags(db: sqlite3.Connection, name: str, event: str, where: str, value: str, who: Who) -> int:
    """Remove the tags of the repository called `name` whose column `where` is `value`; how many there were."""
    found = repository_of(db, name)
    gone = db.execute(
        f"DELETE FROM tags WHERE repository = ? AND {where} = ? RETURNING name, digest",  # noqa: S608  (ours)
        (found, value),
    ).fetchall()
    journal.record(db, name, event, [(tag, None, digest) for tag, digest in gone], who)
    return len(gone)


def check(db: sqlite3.Connection, repository: int | None, name: str, condition: Condition) -> None:
    """Raise `Refusal` unless what `name` names now meets `condition`."""
    current = manifest(db, repository, name)
    if not condition.holds(current.digest if current else None):
        raise Refusal(412, "DENIED", f"{name} names {current.digest if current else 'nothing'} by now")


def refuse_other_type(db: sqlite3.Connection, repository: int | None, manifest: NewManifest) -> None:
    """Raise `Refusal` if a tag names the same bytes as another type: signatures are about type and digest."""
    row = db.execute(
        "SELECT media_type FROM manifests WHERE repository = ?1 AND digest = ?2 AND media_type != ?3"
        " AND EXISTS (SELECT 1 FROM tags WHERE repository = ?1 AND digest = ?2)",
        (repository, manifest.digest, manifest.media_type),
    ).fetchone()
    if row:
        raise Refusal(
            403, "DENIED", f"a tag names this content as {row[0]}, and may not name it as another type"
        )


def refuse_missing(db: sqlite3.Connection, repository: int | None, needs: Iterable[Digest]) -> None:
    """Raise `Refusal` if the repository lacks one of the blobs."""
    for digest in sorted(needs):
        if not has_blob(db, repository, digest):
            raise Refusal(
                404,
                "MANIFEST_BLOB_UNKNOWN",
                "the manifest needs a blob that the repository does not have",
                detail={"digest": digest},
            )
