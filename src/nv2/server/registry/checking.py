"""Is everything there that the index names? Reads it all, and changes nothing; the registry may be served meanwhile.

What is found wrong is looked at once more at the end: it may have been deleted or mended while we looked.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from nv2.oci.digest import Digest, algorithm_of, hasher
from nv2.server.registry import rows
from nv2.server.registry.content_files import ContentFiles
from nv2.server.registry.maintenance import Kept, opened

PIECE = 1024 * 1024
"""Bytes that are read and hashed at a time."""


class Damage(NamedTuple):
    """Something that is not as the index says."""

    kind: str
    """`index`, `missing`, `size`, `digest`, `tag` or `journal`."""
    name: str
    """A digest, `repository:tag`, or what SQLite names."""
    reason: str


class Report(NamedTuple):
    """What a check came to."""

    repositories: int
    tags: int
    manifests: int
    blobs: int
    content: int
    """Different digests, that is files."""
    size: int
    """Bytes of them together."""
    damages: tuple[Damage, ...]

    @property
    def is_sound(self) -> bool:
        """Whether nothing is damaged."""
        return not self.damages


def check(directory: Path, *, quick: bool = False) -> Report:
    """Check the registry in `directory`: the index itself, every file's digest (with `quick` its size alone), tags.

    Raises `Nv2Error` as `maintenance.opened`.
    """
    with opened(directory) as kept:
        with kept.database.reading() as db:
            db.execute("BEGIN")  # one state of the index, whatever is pushed meanwhile
            try:
                found = [*_index(db, quick), *_tags(db)]
                counts = {
                    table: _count(db, table) for table in ("repositories", "tags", "manifests", "blobs")
                }
                sizes = _sizes(db)
            finally:
                db.execute("ROLLBACK")
        with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            looked = list(pool.map(lambda row: _file(kept.content, quick, *row), sizes))
        suspects = [row for row, (_, damage) in zip(sizes, looked, strict=True) if damage is not None]
        found += _still_wrong(kept, quick, suspects)
        total = sum(size for size, _ in looked)
        return Report(**counts, content=len(sizes), size=total, damages=tuple(found))


def _count(db: sqlite3.Connection, table: str) -> int:
    return int(db.execute(f"SELECT count(*) FROM {table}").fetchone()[0])  # noqa: S608  (ours)


def _index(db: sqlite3.Connection, quick: bool) -> Iterator[Damage]:
    for (line,) in db.execute("PRAGMA quick_check" if quick else "PRAGMA integrity_check"):
        if line != "ok":
            yield Damage("index", "registry.db", line)
    for table, row, parent, _ in db.execute("PRAGMA foreign_key_check"):
        yield Damage("index", f"{table} {row}", f"has no row in {parent}")


def _tags(db: sqlite3.Connection) -> Iterator[Damage]:
    dangling = db.execute(
        "SELECT repositories.name || ':' || tags.name, tags.digest FROM tags"
        " JOIN repositories ON repositories.id = tags.repository"
        " LEFT JOIN manifests ON manifests.repository = tags.repository AND manifests.digest = tags.digest"
        " WHERE manifests.digest IS NULL"
    )
    for name, digest in dangling:
        yield Damage("tag", name, f"names {digest}, which the repository does not have")
    now, then = _TAGS_NOW, _TAGS_BY_JOURNAL
    for name, digest in db.execute(f"{now} EXCEPT {then}"):
        yield Damage("journal", name, f"names {digest}, and the journal does not say so")
    for name, digest in db.execute(f"{then} EXCEPT {now}"):
        yield Damage("journal", name, f"was set to {digest}, and does not name it")


_TAGS_NOW = (
    "SELECT repositories.name || ':' || tags.name, tags.digest FROM tags"
    " JOIN repositories ON repositories.id = tags.repository"
)
_TAGS_BY_JOURNAL = (
    "SELECT repository || ':' || tag, digest FROM journal WHERE digest IS NOT NULL"
    " AND number IN (SELECT max(number) FROM journal GROUP BY repository, tag)"
)


def _sizes(db: sqlite3.Connection) -> list[tuple[Digest, int | None]]:
    """Every digest of the index, and the bytes that its content must have where they are known."""
    return db.execute(
        "SELECT digest, max(size) FROM"
        " (SELECT digest, size FROM blobs UNION ALL SELECT digest, size FROM manifests)"
        " GROUP BY digest ORDER BY digest"
    ).fetchall()


def _file(content: ContentFiles, quick: bool, digest: Digest, size: int | None) -> tuple[int, Damage | None]:
    """The size of the file, and what is wrong with it."""
    found = content.size(digest)
    if found is None:
        return 0, Damage("missing", digest, "its file is not there")
    if size is not None and found != size:
        return found, Damage("size", digest, f"its file has {found} bytes instead of {size}")
    return found, None if quick else _digest(content, digest)


def _digest(content: ContentFiles, digest: Digest) -> Damage | None:
    opened_file = content.open(digest)
    if opened_file is None:
        return Damage("missing", digest, "its file is not there")
    hashed = hasher(digest)
    try:
        with opened_file.file as file:
            while data := file.read(PIECE):
                hashed.update(data)
    except OSError as e:
        return Damage("digest", digest, f"its file cannot be read: {e.strerror}")
    found = f"{algorithm_of(digest)}:{hashed.hexdigest()}"
    return None if found == digest else Damage("digest", digest, f"its file has digest {found}")


def _still_wrong(kept: Kept, quick: bool, suspects: list[tuple[Digest, int | None]]) -> Iterator[Damage]:
    """A second look at `suspects`: what was deleted or sent again meanwhile is no damage."""
    for digest, size in suspects:
        _, damage = _file(kept.content, quick, digest, size)
        with kept.database.reading() as db:  # afterwards: a row goes before its file
            if damage is not None and rows.uses(db, digest):
                yield damage
