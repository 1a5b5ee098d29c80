"""The index of the registry: SQLite in WAL mode. What it answers is in `storage`; here is how it is kept.

Many connections read at once, one writes at a time. A transaction that has returned is on the disk
(`synchronous=FULL`): a client that was told 201 finds its content after a power cut.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

from nv2.errors import ConfigurationError
from nv2.server.registry import journal, tables
from nv2.server.registry.tables import SizeOf


class Database:
    """The file at `path`, made if it is not there; one of an older version is brought up to ours.

    `size_of` says how large the content of a digest is, which older versions did not write down. Raises
    `ConfigurationError` for a file that cannot be used, or is of a later version.
    """

    def __init__(self, path: Path, size_of: SizeOf) -> None:
        self._path = path
        self._size_of = size_of
        self._resting: list[sqlite3.Connection] = []
        self._writer = threading.Lock()
        try:
            with self.writing() as db:
                self._prepare(db)
        except sqlite3.DatabaseError as e:
            self.close()
            raise ConfigurationError(f"the index cannot be used: {e}", at=str(path)) from None
        except ConfigurationError:
            self.close()
            raise

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection for queries; it goes back to the others afterwards."""
        try:
            db = self._resting.pop()
        except IndexError:
            db = self._connect()
        try:
            yield db
        finally:
            self._resting.append(db)

    @contextlib.contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction, the only one at this time: it is on the disk at the end, or undone on any exception."""
        with self._writer, self.reading() as db:
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
                db.execute("COMMIT")
            except BaseException:
                if db.in_transaction:
                    db.execute("ROLLBACK")
                raise

    def close(self) -> None:
        """Close every connection; nobody may be using one."""
        while self._resting:
            self._resting.pop().close()

    def _connect(self) -> sqlite3.Connection:
        # Each connection serves one thread at a time, but not always the same one.
        db = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False, timeout=30.0)
        try:
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("PRAGMA synchronous=FULL")
            db.execute("PRAGMA foreign_keys=ON")
        except sqlite3.Error:
            db.close()
            raise
        return db

    def _prepare(self, db: sqlite3.Connection) -> None:
        (found,) = db.execute("PRAGMA user_version").fetchone()
        if found == tables.VERSION or tables.migrate(db, found, journal.now(), self._size_of):
            return
        if found or db.execute("SELECT 1 FROM sqlite_master").fetchone():
            raise ConfigurationError(
                f"the index has version {found}, this nv2 knows version {tables.VERSION}", at=str(self._path)
            )
        tables.create(db)
