"""What the registry holds: content files, and the index that says which repository has what.

Order decides what survives a crash. Adding: the file is synced and named first, then its row is committed,
then the client is told. Removing: the row first, then the file. So a row never lacks its file; a file without
a row is possible, harmless, and replaced when the same content comes again.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from nv2.errors import EnvironmentFailure
from nv2.oci.digest import Digest
from nv2.server.messages import FileSlice
from nv2.server.registry import journal, pages, rows
from nv2.server.registry.conditions import Condition
from nv2.server.registry.content_files import ContentFiles
from nv2.server.registry.database import Database
from nv2.server.registry.directory_lock import INDEX, claim
from nv2.server.registry.journal import NOBODY, Entry, Who
from nv2.server.registry.limits import Limits
from nv2.server.registry.rows import NewManifest, StoredManifest
from nv2.server.registry.upload_files import Uploads

if TYPE_CHECKING:
    from nv2.server.registry.admission import Admission


class Storage:
    """A registry's directory, made if it is not there. Only one process serves it at a time.

    Raises `UsageError` if it is used already or holds other things, `EnvironmentFailure` if the machine
    refuses, `ConfigurationError` if its index cannot be used.
    """

    def __init__(self, directory: Path, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self.admission: Admission | None = None
        """Who says which content a tag may name; None: any."""
        self._lock = claim(directory)
        try:
            self.uploads = Uploads(directory / "uploads", self.limits)
            self._content = ContentFiles(directory / "blobs")
            self._database = Database(directory / INDEX, self._content.size)
        except OSError as e:
            self._lock.close()
            at = str(e.filename or directory)
            raise EnvironmentFailure(os.strerror(e.errno or 0).lower(), at=at) from None
        except BaseException:
            self._lock.close()
            raise

    def close(self) -> None:
        """Let go of the directory; nobody may be using it."""
        self._database.close()
        self._lock.close()

    # Blobs

    def blob(self, repository: str, digest: Digest) -> FileSlice | None:
        """The blob, open, if `repository` has it, and its file is not torn: then it counts as absent, to be sent again."""
        with self._database.reading() as db:
            known = rows.blob(db, rows.repository_of(db, repository), digest)
        return self._content.open(digest, *known) if known else None

    def add_blob(self, repository: str, digest: Digest, file: Path) -> None:
        """Adopt the synced and checked `file` as a blob of `repository`."""
        size = file.stat().st_size
        with self._database.writing() as db:
            self._content.adopt(file, digest)
            rows.link_blob(db, repository, digest, size)

    def mount_blob(self, repository: str, digest: Digest, source: str | None) -> bool:
        """Let `repository` have a blob that `source`, or any repository if None, has; False if it has not."""
        with self._database.writing() as db:
            if source is None:
                known = db.execute("SELECT 1 FROM blobs WHERE digest = ?", (digest,)).fetchone() is not None
            else:
                known = rows.has_blob(db, rows.repository_of(db, source), digest)
            if known:
                self._content.renew(digest)
                rows.link_blob(db, repository, digest, self._content.size(digest))
            return known

    def remove_blob(self, repository: str, digest: Digest) -> bool:
        """Take the blob out of `repository`; its file goes with the last who had it. False if it is not there."""
        with self._database.writing() as db:
            found = rows.repository_of(db, repository)
            removed = db.execute("DELETE FROM blobs WHERE repository = ? AND digest = ?", (found, digest))
        self._sweep(digest)
        return removed.rowcount > 0

    def promise(self, digest: Digest) -> None:
        """Let a collection keep this content for its grace from now on: somebody was told that it is there.

        In a transaction, so that a collection has not looked at its age yet, or has removed it already.
        """
        if self._content.is_rested(digest):
            with self._database.writing():
                self._content.renew(digest)

    # Manifests and tags

    def manifest(self, repository: str, name: str) -> StoredManifest | None:
        """The manifest that a tag or a digest names."""
        with self._database.reading() as db:
            return rows.manifest(db, rows.repository_of(db, repository), name)

    def open_manifest(self, manifest: StoredManifest) -> FileSlice | None:
        """Its bytes, as they were pushed; None if it was removed meanwhile, or its file is torn."""
        return self._content.open(manifest.digest, manifest.size)

    def add_manifest(
        self,
        repository: str,
        manifest: NewManifest,
        tags: Iterable[str],
        name: str,
        condition: Condition,
        who: Who = NOBODY,
    ) -> None:
        """Add `manifest` and let `tags` name it, if what `name` names now meets `condition`.

        Raises `Refusal` if it does not, or if a needed blob is missing; and, where tags were judged, if one names it
        as another type.
        """
        with self.uploads.written(manifest.data) as file, self._database.writing() as db:
            found = rows.make_repository(db, repository)
            rows.check(db, found, name, condition)
            if self.admission is not None:
                rows.refuse_other_type(db, found, manifest)
            if not self.limits.sparse:
                rows.refuse_missing(db, found, manifest.needs)
            self._content.adopt(file, manifest.digest)
            rows.put_manifest(db, found, manifest)
            rows.set_tags(db, repository, tags, manifest.digest, who)

    def remove_manifest(
        self, repository: str, digest: Digest, condition: Condition, who: Who = NOBODY
    ) -> bool:
        """Remove the manifest and every tag that names it; what refers to it stays. False if it is not there."""
        with self._database.writing() as db:
            found = rows.repository_of(db, repository)
            rows.check(db, found, digest, condition)
            rows.drop_tags(db, repository, journal.WITH_ITS_MANIFEST, "digest", digest, who)
            removed = db.execute("DELETE FROM manifests WHERE repository = ? AND digest = ?", (found, digest))
        self._sweep(digest)
        return removed.rowcount > 0

    def remove_tag(self, repository: str, tag: str, condition: Condition, who: Who = NOBODY) -> bool:
        """Remove the tag alone. False if it is not there."""
        with self._database.writing() as db:
            rows.check(db, rows.repository_of(db, repository), tag, condition)
            return rows.drop_tags(db, repository, journal.DELETED, "name", tag, who) > 0

    # Listings

    def tags(self, repository: str, after: str, count: int) -> list[str] | None:
        """As `pages.tags`."""
        with self._database.reading() as db:
            return pages.tags(db, repository, after, count)

    def repositories(self, after: str, count: int) -> list[str]:
        """As `pages.repositories`."""
        with self._database.reading() as db:
            return pages.repositories(db, after, count)

    def referrers(
        self, repository: str, subject: Digest, artifact_types: tuple[str, ...], after: str
    ) -> tuple[list[str], Digest | None]:
        """As `pages.referrers`, at most a page of them (`Limits.page`)."""
        with self._database.reading() as db:
            return pages.referrers(db, repository, subject, artifact_types, after, self.limits.page)

    def referrer_digests(self, repository: str, subject: Digest) -> frozenset[Digest]:
        """The digests of all manifests that name `subject`."""
        with self._database.reading() as db:
            found = db.execute(
                "SELECT digest FROM manifests WHERE repository = ? AND subject = ?",
                (rows.repository_of(db, repository), subject),
            )
            return frozenset(digest for (digest,) in found)

    def history(self, repository: str, tag: str | None, before: int | None, count: int) -> list[Entry] | None:
        """As `journal.read`; None if there is no such repository."""
        with self._database.reading() as db:
            known = rows.repository_of(db, repository) is not None
            return journal.read(db, repository, tag, before, count) if known else None

    def _sweep(self, digest: Digest) -> None:
        # In a transaction, so that nobody adds the content between the question and the removal.
        with self._database.writing() as db:
            if not rows.uses(db, digest):
                self._content.remove(digest)
