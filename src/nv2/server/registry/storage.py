"""What the registry holds: content files, and the index that says which repository has what.

Order decides what survives a crash. Adding: the file is synced and named first, then its row is committed,
then the client is told. Removing: the row first, then the file. So a row never lacks its file; a file without
a row is possible, harmless, and replaced when the same content comes again.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from nv2.oci.digest import Digest
from nv2.server.messages import FileSlice
from nv2.server.registry.conditions import Condition
from nv2.server.registry.content_files import ContentFiles
from nv2.server.registry.database import Database
from nv2.server.registry.directory_lock import INDEX, claim
from nv2.server.registry.errors import Refusal
from nv2.server.registry.limits import Limits
from nv2.server.registry.upload_files import Uploads


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


class Storage:
    """A registry's directory, made if it is not there. Only one process serves it at a time.

    Raises `UsageError` if it is used already or holds other things, `EnvironmentFailure` if the machine
    refuses, `ConfigurationError` if its index cannot be used.
    """

    def __init__(self, directory: Path, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self._lock = claim(directory)
        try:
            self.uploads = Uploads(directory / "uploads", self.limits)
            self._content = ContentFiles(directory / "blobs")
            self._database = Database(directory / INDEX)
        except BaseException:
            self._lock.close()
            raise

    def close(self) -> None:
        """Let go of the directory; nobody may be using it."""
        self._database.close()
        self._lock.close()

    # Blobs

    def blob(self, repository: str, digest: Digest) -> FileSlice | None:
        """The blob, open, if `repository` has it."""
        with self._database.reading() as db:
            known = _has_blob(db, _repository(db, repository), digest)
        return self._content.open(digest) if known else None

    def add_blob(self, repository: str, digest: Digest, file: Path) -> None:
        """Adopt the synced and checked `file` as a blob of `repository`."""
        with self._database.writing() as db:
            self._content.adopt(file, digest)
            _link_blob(db, repository, digest)

    def mount_blob(self, repository: str, digest: Digest, source: str | None) -> bool:
        """Let `repository` have a blob that `source`, or any repository if None, has; False if it has not."""
        with self._database.writing() as db:
            if source is None:
                known = db.execute("SELECT 1 FROM blobs WHERE digest = ?", (digest,)).fetchone() is not None
            else:
                known = _has_blob(db, _repository(db, source), digest)
            if known:
                _link_blob(db, repository, digest)
            return known

    def remove_blob(self, repository: str, digest: Digest) -> bool:
        """Take the blob out of `repository`; its file goes with the last who had it. False if it is not there."""
        with self._database.writing() as db:
            found = _repository(db, repository)
            removed = db.execute("DELETE FROM blobs WHERE repository = ? AND digest = ?", (found, digest))
        self._sweep(digest)
        return removed.rowcount > 0

    # Manifests and tags

    def manifest(self, repository: str, name: str) -> StoredManifest | None:
        """The manifest that a tag or a digest names."""
        with self._database.reading() as db:
            return _manifest(db, _repository(db, repository), name)

    def open_manifest(self, manifest: StoredManifest) -> FileSlice | None:
        """Its bytes, as they were pushed; None if it was removed meanwhile."""
        return self._content.open(manifest.digest)

    def add_manifest(
        self, repository: str, manifest: NewManifest, tags: Iterable[str], name: str, condition: Condition
    ) -> None:
        """Add `manifest` and let `tags` name it, if what `name` names now meets `condition`.

        Raises `Refusal` if it does not, or if a needed blob is missing.
        """
        with self.uploads.written(manifest.data) as file, self._database.writing() as db:
            found = _make_repository(db, repository)
            _check(db, found, name, condition)
            _refuse_missing(db, found, manifest.needs)
            self._content.adopt(file, manifest.digest)
            db.execute(
                "INSERT OR REPLACE INTO manifests VALUES (?, ?, ?, ?, ?, ?)",
                (
                    found,
                    manifest.digest,
                    manifest.media_type,
                    manifest.subject,
                    manifest.artifact_type,
                    manifest.descriptor,
                ),
            )
            db.executemany(
                "INSERT OR REPLACE INTO tags VALUES (?, ?, ?)",
                [(found, tag, manifest.digest) for tag in tags],
            )

    def remove_manifest(self, repository: str, digest: Digest, condition: Condition) -> bool:
        """Remove the manifest and every tag that names it; what refers to it stays. False if it is not there."""
        with self._database.writing() as db:
            found = _repository(db, repository)
            _check(db, found, digest, condition)
            db.execute("DELETE FROM tags WHERE repository = ? AND digest = ?", (found, digest))
            removed = db.execute("DELETE FROM manifests WHERE repository = ? AND digest = ?", (found, digest))
        self._sweep(digest)
        return removed.rowcount > 0

    def remove_tag(self, repository: str, tag: str, condition: Condition) -> bool:
        """Remove the tag alone. False if it is not there."""
        with self._database.writing() as db:
            found = _repository(db, repository)
            _check(db, found, tag, condition)
            removed = db.execute("DELETE FROM tags WHERE repository = ? AND name = ?", (found, tag))
        return removed.rowcount > 0

    # Listings

    def tags(self, repository: str, after: str, count: int) -> list[str] | None:
        """At most `count` tags that come after `after`, in lexical order; None if there is no such repository."""
        with self._database.reading() as db:
            found = _repository(db, repository)
            rows = db.execute(
                "SELECT name FROM tags WHERE repository = ? AND (name COLLATE NOCASE, name) > (?, ?)"
                " ORDER BY name COLLATE NOCASE, name LIMIT ?",
                (found, after, after, count),
            ).fetchall()
        return None if found is None else [name for (name,) in rows]

    def repositories(self, after: str, count: int) -> list[str]:
        """At most `count` names of repositories that come after `after`."""
        with self._database.reading() as db:
            rows = db.execute(
                "SELECT name FROM repositories WHERE name > ? ORDER BY name LIMIT ?", (after, count)
            ).fetchall()
        return [name for (name,) in rows]

    def referrers(
        self, repository: str, subject: Digest, artifact_types: tuple[str, ...], after: str
    ) -> tuple[list[str], Digest | None]:
        """Descriptors of the manifests that name `subject`, those of `artifact_types` if there are any.

        At most a page of them (`Limits.page`), in the order of their digests and from after `after`; with the
        digest of the last if there are more.
        """
        kinds = ", ".join("?" * len(artifact_types))
        with self._database.reading() as db:
            rows = db.execute(
                "SELECT digest, descriptor FROM manifests"  # noqa: S608  (only question marks are put in)
                " WHERE repository = ? AND subject = ? AND digest > ?"
                + (f" AND artifact_type IN ({kinds})" if kinds else "")
                + " ORDER BY digest",
                (_repository(db, repository), subject, after, *artifact_types),
            )
            return _page(rows, self.limits.page)

    def _sweep(self, digest: Digest) -> None:
        # In a transaction, so that nobody adds the content between the question and the removal.
        with self._database.writing() as db:
            used = "SELECT 1 FROM blobs WHERE digest = ?1 UNION ALL SELECT 1 FROM manifests WHERE digest = ?1"
            if db.execute(used, (digest,)).fetchone() is None:
                self._content.remove(digest)


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


def _repository(db: sqlite3.Connection, name: str) -> int | None:
    row = db.execute("SELECT id FROM repositories WHERE name = ?", (name,)).fetchone()
    return row[0] if row else None


def _make_repository(db: sqlite3.Connection, name: str) -> int | None:
    db.execute("INSERT OR IGNORE INTO repositories (name) VALUES (?)", (name,))
    return _repository(db, name)


def _has_blob(db: sqlite3.Connection, repository: int | None, digest: Digest) -> bool:
    query = "SELECT 1 FROM blobs WHERE repository = ? AND digest = ?"
    return db.execute(query, (repository, digest)).fetchone() is not None


def _link_blob(db: sqlite3.Connection, repository: str, digest: Digest) -> None:
    db.execute("INSERT OR IGNORE INTO blobs VALUES (?, ?)", (_make_repository(db, repository), digest))


def _manifest(db: sqlite3.Connection, repository: int | None, name: str) -> StoredManifest | None:
    if ":" not in name:  # a tag cannot contain one, a digest must
        row = db.execute(
            "SELECT digest FROM tags WHERE repository = ? AND name = ?", (repository, name)
        ).fetchone()
        name = row[0] if row else ""
    row = db.execute(
        "SELECT digest, media_type FROM manifests WHERE repository = ? AND digest = ?", (repository, name)
    ).fetchone()
    return StoredManifest(*row) if row else None


def _check(db: sqlite3.Connection, repository: int | None, name: str, condition: Condition) -> None:
    current = _manifest(db, repository, name)
    if not condition.holds(current.digest if current else None):
        raise Refusal(412, "DENIED", f"{name} names {current.digest if current else 'nothing'} by now")


def _refuse_missing(db: sqlite3.Connection, repository: int | None, needs: Iterable[Digest]) -> None:
    for digest in sorted(needs):
        if not _has_blob(db, repository, digest):
            raise Refusal(
                404,
                "MANIFEST_BLOB_UNKNOWN",
                "the manifest needs a blob that the repository does not have",
                detail={"digest": digest},
            )
