"""What of a repository is alive: the tagged manifests, what they name, and what refers to any of it.

It only errs on the side of keeping. What this module does not do: remove anything.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import NamedTuple

from nv2.errors import ConfigurationError, ContentMismatch, MalformedManifest
from nv2.oci.digest import Digest, check_digest
from nv2.server.registry.content_files import ContentFiles
from nv2.server.registry.named_content import names_in


class Member(NamedTuple):
    """A manifest of the repository."""

    subject: Digest | None
    tagged: bool


class Names:
    """What manifests name; read once each, for what a digest stands for never changes."""

    def __init__(self, content: ContentFiles) -> None:
        self._content = content
        self._known: dict[str, frozenset[str]] = {}

    def of(self, digest: Digest) -> frozenset[str]:
        """Raises `ConfigurationError` if the manifest cannot be read: then nobody knows what it keeps alive."""
        if digest not in self._known:
            self._known[digest] = self._read(digest)
        return self._known[digest]

    def _read(self, digest: Digest) -> frozenset[str]:
        content = self._content.open(digest)
        if content is None:
            raise _unreadable(digest, "its file is missing")
        with content.file as file:
            data = file.read()
        try:
            check_digest(data, digest)
            return names_in(data)
        except (ContentMismatch, MalformedManifest) as e:
            raise _unreadable(digest, e.message) from None


def _unreadable(digest: Digest, why: str) -> ConfigurationError:
    return ConfigurationError(
        f"a manifest cannot be read, so what it keeps is not known: {why}",
        at=digest,
        hint="nothing was removed here; 'nv2 registry check' says what is damaged",
    )


def members(db: sqlite3.Connection, repository: int) -> dict[Digest, Member]:
    """Every manifest of the repository."""
    rows = db.execute(
        "SELECT digest, subject, EXISTS (SELECT 1 FROM tags"
        " WHERE tags.repository = manifests.repository AND tags.digest = manifests.digest)"
        " FROM manifests WHERE repository = ?",
        (repository,),
    )
    return {digest: Member(subject, bool(tagged)) for digest, subject, tagged in rows}


def alive(roots: set[Digest], all_members: Mapping[Digest, Member], names: Names) -> set[Digest]:
    """`roots`, and every manifest that one of them names or that refers to one, at any depth."""
    referrers: dict[Digest, list[Digest]] = {}
    for digest, member in all_members.items():
        if member.subject is not None:
            referrers.setdefault(member.subject, []).append(digest)
    found: set[Digest] = set()
    waiting = list(roots)
    while waiting:
        digest = waiting.pop()
        if digest in found or digest not in all_members:
            continue
        found.add(digest)
        waiting += referrers.get(digest, ())
        waiting += [Digest(name) for name in names.of(digest)]
    return found
