"""An artifact as bare bytes, to be spoiled and then held by a registry, a layout or an archive."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import tarfile
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any, NamedTuple

from nv2.oci import media_types as mt
from tests.world.registry import Repository

Document = dict[str, Any]


class Content:
    """Manifests and blobs by digest; `root` has the tag `v1`. Nothing says that digests fit."""

    def __init__(self) -> None:
        self.manifests: dict[str, tuple[str, bytes]] = {}
        self.blobs: dict[str, bytes] = {}
        self.root = ""

    @classmethod
    def of_layout(cls, directory: Path) -> Content:
        """Everything in a layout in which every manifest is listed."""
        found = cls()
        for entry in json.loads((directory / "index.json").read_text())["manifests"]:
            found.manifests[entry["digest"]] = (entry["mediaType"], b"")
            if entry.get("annotations", {}).get(mt.REF_NAME) == "v1":
                found.root = entry["digest"]
        for path in (directory / "blobs/sha256").iterdir():
            digest = f"sha256:{path.name}"
            if digest in found.manifests:
                found.manifests[digest] = (found.manifests[digest][0], path.read_bytes())
            else:
                found.blobs[digest] = path.read_bytes()
        return found

    def copy(self) -> Content:
        """One that can be spoiled without the other."""
        return deepcopy(self)

    def document(self, digest: str) -> Document:
        """A manifest as JSON."""
        found: Document = json.loads(self.manifests[digest][1])
        return found

    def add(self, document: Document) -> Document:
        """Put in a manifest; its descriptor."""
        data = json.dumps(document).encode()
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        self.manifests[digest] = (document["mediaType"], data)
        return {"mediaType": document["mediaType"], "digest": digest, "size": len(data)}

    def change(self, digest: str, how: Callable[[Document], object]) -> str:
        """Let `how` change a manifest, and let what names it name the new one; the new digest."""
        document = self.document(digest)
        how(document)
        del self.manifests[digest]
        new = self.add(document)
        if digest == self.root:
            self.root = new["digest"]
        for parent in [d for d, (_, data) in self.manifests.items() if digest.encode() in data]:
            self.change(parent, lambda above: _rename(above, digest, new))
        return str(new["digest"])

    # --- the parts by which tests call them

    @property
    def children(self) -> list[str]:
        """The images of the index."""
        return [child["digest"] for child in self.document(self.root)["manifests"]]

    @property
    def layer(self) -> str:
        """The layer of the first image."""
        return str(self.document(self.children[0])["layers"][0]["digest"])

    @property
    def signature(self) -> str:
        """The manifest of the signature of the index."""
        return next(d for d in self.manifests if self.document(d).get("subject", {}).get("digest"))

    @property
    def envelope(self) -> str:
        """The envelope in it."""
        return str(self.document(self.signature)["layers"][0]["digest"])


def _rename(document: Document, old: str, new: Document) -> None:
    for part in (*document.get("manifests", ()), document.get("subject", {})):
        if part.get("digest") == old:
            part.update(new)


class Fault(NamedTuple):
    """What is wrong with content; `spoil` says which digest the error must name."""

    name: str
    spoil: Callable[[Content], str]
    says: str


def hold_in_registry(repository: Repository, content: Content) -> None:
    """Let `repository` have `content` and nothing else."""
    repository.blobs, repository.manifests = dict(content.blobs), dict(content.manifests)
    repository.tags = {"v1": content.root}


def hold_in_layout(directory: Path, content: Content) -> None:
    """Write a layout with `content` and nothing else."""
    shutil.rmtree(directory, ignore_errors=True)
    (directory / "blobs/sha256").mkdir(parents=True)
    for name, data in _files(content):
        (directory / name).write_bytes(data)


def hold_in_archive(path: Path, content: Content) -> None:
    """Write a tar archive of such a layout."""
    with tarfile.open(path, "w") as archive:
        for name, data in _files(content):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))


def _files(content: Content) -> Iterator[tuple[str, bytes]]:
    """The files of a layout, in which every manifest is listed."""
    entries: list[Document] = []
    for digest, (media_type, data) in content.manifests.items():
        tag = {"annotations": {mt.REF_NAME: "v1"}} if digest == content.root else {}
        entries.append({"mediaType": media_type, "digest": digest, "size": len(data), **tag})
        yield f"blobs/sha256/{digest.partition(':')[2]}", data
    for digest, data in content.blobs.items():
        yield f"blobs/sha256/{digest.partition(':')[2]}", data
    yield "oci-layout", b'{"imageLayoutVersion":"1.0.0"}'
    yield "index.json", json.dumps({"schemaVersion": 2, "manifests": entries}).encode()
