"""Ten thousand referrers of as many subjects, and three of one more: put where a registry finds them when it starts.

Pushed one by one they would take minutes: zot writes its whole list anew for each, and ours brings each to the disk
before it answers. Both read what lies there as if it had been pushed. olareg keeps all in memory: it is sent as many as
it takes in a time.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from nv2.oci.digest import Digest
from nv2.server.registry import rows
from nv2.server.registry.database import Database
from nv2.server.registry.rows import NewManifest
from nv2.server.registry.storage import INDEX, Storage

OCI = "application/vnd.oci.image.manifest.v1+json"
EMPTY = "application/vnd.oci.empty.v1+json"
REPOSITORY = "crowd"
REFERRERS = 3
"""Of the subject that is asked for."""
PATIENCE = 20.0
"""Seconds for those that must be pushed."""


def digest_of(data: bytes) -> str:
    """As `sha256:…`."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def image(**more: object) -> dict[str, object]:
    """A manifest without layers."""
    config = {"mediaType": EMPTY, "digest": digest_of(b"{}"), "size": 2}
    return {"schemaVersion": 2, "mediaType": OCI, "config": config, "layers": [config], **more}


SUBJECT = json.dumps(image(annotations={"n": "subject"})).encode()
"""The one that is asked for."""


class Referrer(NamedTuple):
    """A manifest, and the digest of what it refers to."""

    data: bytes
    subject: str


def referrers(count: int) -> Iterator[Referrer]:
    """Those of the subject, which are asked for, and `count` of others."""
    wanted = [digest_of(SUBJECT)] * REFERRERS
    for number, subject in enumerate([*wanted, *(digest_of(b"%d" % i) for i in range(count))]):
        described = {"mediaType": OCI, "digest": subject, "size": len(SUBJECT)}
        document = image(subject=described, annotations={"n": str(number)})
        yield Referrer(json.dumps(document).encode(), subject)


def fill_embedded(folder: Path, count: int) -> None:
    """Into the directory of our own registry, in one transaction."""
    Storage(folder).close()
    database = Database(folder / INDEX, lambda _: None)
    with database.writing() as db:
        number = rows.make_repository(db, REPOSITORY)
        rows.link_blob(db, REPOSITORY, Digest(digest_of(b"{}")), 2)
        _write(folder / "blobs", b"{}", spread=True)
        for data, subject in (Referrer(SUBJECT, ""), *referrers(count)):
            _write(folder / "blobs", data, spread=True)
            rows.put_manifest(db, number, _new_manifest(data, subject))
    database.close()


def _new_manifest(data: bytes, subject: str) -> NewManifest:
    digest = Digest(digest_of(data))
    annotations = json.loads(data)["annotations"]
    shown = {"mediaType": OCI, "digest": digest, "size": len(data), "artifactType": EMPTY}
    described = json.dumps({**shown, "annotations": annotations}, separators=(",", ":")) if subject else None
    needs = frozenset((Digest(digest_of(b"{}")),))
    return NewManifest(digest, data, OCI, needs, Digest(subject) if subject else None, EMPTY, described)


def fill_layout(folder: Path, count: int) -> None:
    """As an OCI image layout, which is how zot keeps a repository."""
    entries = []
    _write(folder / "blobs", b"{}")
    for data, _ in (Referrer(SUBJECT, ""), *referrers(count)):
        _write(folder / "blobs", data)
        entries.append({"mediaType": OCI, "digest": digest_of(data), "size": len(data)})
    (folder / "oci-layout").write_text(json.dumps({"imageLayoutVersion": "1.0.0"}))
    index = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": entries}
    (folder / "index.json").write_text(json.dumps(index))


def _write(blobs: Path, data: bytes, *, spread: bool = False) -> None:
    algorithm, _, encoded = digest_of(data).partition(":")
    path = blobs / algorithm / encoded[:2] / encoded if spread else blobs / algorithm / encoded
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def push_crowd(push: Callable[[str, Mapping[str, object]], object], count: int) -> int:
    """`push` those of the subject, and as many of `count` others as go in `PATIENCE`; how many."""
    push(REPOSITORY, json.loads(SUBJECT))
    end, pushed = time.monotonic() + PATIENCE, 0
    for data, _ in referrers(count):
        push(REPOSITORY, json.loads(data))
        pushed += 1
        if time.monotonic() > end:
            break
    return pushed - REFERRERS
