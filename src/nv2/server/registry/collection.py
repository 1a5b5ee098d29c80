"""Garbage collection: removes what nothing names, while the registry is served or not.

Each repository is judged and swept in one transaction, so what is pushed meanwhile is either seen, or comes
later and finds what it needs or is told that it is missing. Content that a client was promised (pushed, mounted,
or asked for with HEAD) stays for a grace, so that the manifest which will name it has time to come. What this
module never removes: a tag, what a tag leads to, a referrer of what lives, or a line of the journal.
"""

from __future__ import annotations

import contextlib
import re
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

from nv2.errors import ConfigurationError
from nv2.oci.digest import Digest
from nv2.server.registry import reachable, rows
from nv2.server.registry.limits import Limits
from nv2.server.registry.maintenance import Kept, opened
from nv2.server.registry.reachable import Member, Names

GRACE = timedelta(days=1)
"""For which content stays that nothing names: longer than any push takes, and than an upload may rest."""

_CONTENT = re.compile(r"(?P<algorithm>[a-z0-9]+)/[0-9a-f]{2}/(?P<encoded>[0-9a-f]{64,128})")


class Rule(NamedTuple):
    """What to collect."""

    grace: timedelta = GRACE
    untagged: timedelta | None = None
    """How long a manifest must have been without a tag, and nothing alive naming it, to go; None: it stays."""
    dry: bool = False
    """Whether to say only what would go."""

    @classmethod
    def at_once(cls) -> Rule:
        """Without a grace: for a directory that nobody pushes into."""
        return cls(timedelta(0))


class Removed(NamedTuple):
    """Something that went, or would go."""

    kind: str
    """`manifest`, `blob`, `file` (content that no repository has) or `upload`."""
    repository: str
    name: str
    """A digest, or the name of an upload's file."""
    size: int
    """Bytes of its file. Repositories share files: what is freed is the sum over those of kind `file`."""


def collect(directory: Path, rule: Rule) -> Iterator[Removed]:
    """Collect, and say of each thing that it is gone (or with `Rule.dry` would go).

    Raises `Nv2Error` as `maintenance.opened`; `ConfigurationError` where a manifest cannot be read: nothing of
    its repository is removed, and nothing after it.
    """
    now = time.time()
    with opened(directory) as kept:
        with kept.database.reading() as db:
            repositories = db.execute("SELECT id, name FROM repositories ORDER BY name").fetchall()
        condemned: Counter[str] = Counter()
        for number, name in repositories:
            removed = _of_repository(kept, number, name, rule, now)
            condemned.update(one.name for one in removed)
            yield from removed
        yield from _files(kept, condemned, rule, now)
        yield from _uploads(directory / "uploads", rule, now)


def _of_repository(kept: Kept, number: int, name: str, rule: Rule, now: float) -> list[Removed]:
    """Judge and sweep a repository."""
    names = Names(kept.content)
    with kept.database.reading() as db:
        present = reachable.members(db, number)
    for digest in present:  # before the transaction, so that nobody need wait for it
        with contextlib.suppress(ConfigurationError):  # it may have been deleted meanwhile
            names.of(digest)
    with kept.database.writing() as db:
        manifests, blobs = _dead(db, kept, names, number, name, rule, now)
        found = [
            Removed(kind, name, digest, kept.content.size(digest) or 0)
            for kind, digests in (("manifest", manifests), ("blob", blobs))
            for digest in sorted(digests)
        ]
        if not rule.dry:
            for table, digests in (("manifests", manifests), ("blobs", blobs)):
                db.executemany(
                    f"DELETE FROM {table} WHERE repository = ? AND digest = ?",  # noqa: S608  (ours)
                    [(number, digest) for digest in digests],
                )
    return found


def _dead(
    db: sqlite3.Connection, kept: Kept, names: Names, number: int, name: str, rule: Rule, now: float
) -> tuple[set[Digest], set[Digest]]:
    """The manifests and the blobs of a repository that may go."""
    members = reachable.members(db, number)
    dead: set[Digest] = set()
    if rule.untagged is not None:
        before = now - rule.untagged.total_seconds()
        roots = {d for d, m in members.items() if m.tagged or _is_young(kept, d, before)}
        roots |= _untagged_lately(db, name, members, before)
        dead = members.keys() - reachable.alive(roots, members, names)
    needed = frozenset[str]().union(*(names.of(digest) for digest in members.keys() - dead))
    before = now - rule.grace.total_seconds()
    blobs = {digest for (digest,) in db.execute("SELECT digest FROM blobs WHERE repository = ?", (number,))}
    return dead, {d for d in blobs - needed if not _is_young(kept, d, before)}


def _is_young(kept: Kept, digest: Digest, before: float) -> bool:
    written = kept.content.written(digest)
    return written is not None and written >= before


def _untagged_lately(
    db: sqlite3.Connection, name: str, members: dict[Digest, Member], before: float
) -> set[Digest]:
    """What a tag named that moved since `before`."""
    moved = db.execute(
        "SELECT DISTINCT previous FROM journal WHERE repository = ? AND at >= ? AND previous IS NOT NULL",
        (name, int(before * 1e6)),
    )
    return {digest for (digest,) in moved if digest in members}


def _files(kept: Kept, condemned: Counter[str], rule: Rule, now: float) -> Iterator[Removed]:
    """Content files that no repository has: those that lost their last row, and what a crash left.

    `condemned` counts the rows that went, or with `Rule.dry` would go.
    """
    before = now - rule.grace.total_seconds()
    for path in sorted((kept.directory / "blobs").glob("*/*/*")):
        found = _CONTENT.fullmatch("/".join(path.parts[-3:]))
        if found is None:
            continue
        digest = Digest(f"{found['algorithm']}:{found['encoded']}")
        spared = condemned[digest] if rule.dry else 0
        with kept.database.reading() as db:
            if rows.uses(db, digest) > spared:
                continue
        with kept.database.writing() as db:  # nobody adds it between the question and the removal
            size = kept.content.size(digest)
            young = digest not in condemned and _is_young(kept, digest, before)
            if size is None or young or rows.uses(db, digest) > spared:
                continue
            if not rule.dry:
                kept.content.remove(digest)
        yield Removed("file", "", digest, size)


def _uploads(directory: Path, rule: Rule, now: float) -> Iterator[Removed]:
    """Uploads that nobody continued for as long as the server lets them rest; it drops them itself when it is asked."""
    before = now - max(rule.grace.total_seconds(), Limits().upload_rest)
    for path in sorted(directory.iterdir()) if directory.is_dir() else ():
        try:
            found = path.stat()
            if found.st_mtime >= before:
                continue
            if not rule.dry:
                path.unlink()
        except FileNotFoundError:
            continue  # it ended meanwhile
        yield Removed("upload", "", path.name, found.st_size)
