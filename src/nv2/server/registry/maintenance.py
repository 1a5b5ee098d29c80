"""A registry's directory from outside: for commands that look after it while it is served, or while it is not.

Whoever changes something does so in a transaction, as the server does, and SQLite lets one transaction write at
a time, whichever process it is of. That is all the order that is needed between the two.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from nv2.errors import EnvironmentFailure, UsageError
from nv2.server.registry import journal
from nv2.server.registry.content_files import ContentFiles
from nv2.server.registry.database import Database
from nv2.server.registry.directory_lock import INDEX
from nv2.server.registry.journal import Entry
from nv2.server.registry.rows import repository_of


class Kept(NamedTuple):
    """What a registry's directory is made of."""

    directory: Path
    content: ContentFiles
    database: Database


@contextlib.contextmanager
def opened(directory: Path) -> Iterator[Kept]:
    """The registry in `directory`, served or not; an index of an older version is brought up to ours.

    Raises `UsageError` if there is no registry, `ConfigurationError` if its index cannot be used, and
    `EnvironmentFailure` if the machine refuses, in the body of the context too.
    """
    if not (directory / INDEX).is_file():
        raise UsageError("there is no registry", at=str(directory), hint="name its directory with --dir")
    try:
        content = ContentFiles(directory / "blobs")
        database = Database(directory / INDEX, content.size)
        try:
            yield Kept(directory, content, database)
        finally:
            database.close()
    except OSError as e:
        at = str(e.filename or directory)
        raise EnvironmentFailure(os.strerror(e.errno or 0).lower(), at=at) from None
    except sqlite3.Error as e:
        raise EnvironmentFailure(f"the index cannot be used: {e}", at=str(directory / INDEX)) from None


def history_in(
    directory: Path, repository: str, tag: str | None, before: int | None, count: int
) -> list[Entry] | None:
    """As `journal.read`; None if there is no such repository. Raises `Nv2Error` as `opened`."""
    with opened(directory) as kept, kept.database.reading() as db:
        known = repository_of(db, repository) is not None
        return journal.read(db, repository, tag, before, count) if known else None
