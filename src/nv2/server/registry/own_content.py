"""A repository of the registry as a source of content, for verification without a network to oneself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import BinaryIO

from nv2 import strict_json
from nv2.content.interface import Referrers, check_size, one_by_one
from nv2.errors import BadAnswer, NotFound, Nv2Error
from nv2.oci.descriptor import Descriptor, parse_descriptor
from nv2.oci.digest import Digest
from nv2.oci.manifest import is_manifest
from nv2.server.messages import FileSlice
from nv2.server.registry.storage import Storage
from nv2.strict_json import Fields

MAX_REFERRERS = 10_000
"""Of one manifest that are read; as many as `discovery` looks at."""


class OwnContent:
    """Keeps `content.interface.Source` for `repository`."""

    def __init__(self, storage: Storage, repository: str) -> None:
        self._storage = storage
        self._repository = repository

    def resolve(self, name: str) -> Descriptor:
        """The descriptor of a tag or digest. Raises `NotFound`."""
        manifest = self._storage.manifest(self._repository, name)
        content = self._storage.open_manifest(manifest) if manifest else None
        if manifest is None or content is None:
            raise NotFound("no such manifest", at=name)
        content.file.close()
        return Descriptor(manifest.media_type, manifest.digest, content.size)

    def fetch(self, descriptor: Descriptor, limit: int) -> bytes:
        """The whole content."""
        check_size(descriptor, limit)
        with self._content(descriptor).file as file:
            data = file.read(descriptor.size + 1)
        descriptor.check(data)
        return data

    def fetch_many(self, descriptors: Sequence[Descriptor], limit: int) -> Iterator[bytes | Nv2Error]:
        """`fetch` of each; an error takes the place of its content."""
        return one_by_one(self, descriptors, limit)

    def open(self, descriptor: Descriptor) -> BinaryIO:
        """The content as a stream, which nobody checks: verification reads what is small with `fetch`."""
        return self._content(descriptor).file

    def referrers(self, subject: Descriptor, artifact_type: str | None = None) -> Referrers:
        """Every manifest of the repository that names `subject`."""
        found: list[Descriptor] = []
        kinds, after = (artifact_type,) if artifact_type else (), Digest("")
        while True:
            page, last = self._storage.referrers(self._repository, subject.digest, kinds, after)
            found += [_descriptor(text) for text in page]
            if last is None or len(found) > MAX_REFERRERS:
                return Referrers(tuple(found[:MAX_REFERRERS]), len(found) <= MAX_REFERRERS)
            after = last

    def _content(self, descriptor: Descriptor) -> FileSlice:
        if is_manifest(descriptor.media_type):
            manifest = self._storage.manifest(self._repository, descriptor.digest)
            content = self._storage.open_manifest(manifest) if manifest else None
        else:
            content = self._storage.blob(self._repository, descriptor.digest)
        if content is None:
            raise NotFound("the repository does not have this content", at=descriptor.digest)
        return content


def _descriptor(text: str) -> Descriptor:
    at = "the index of the registry"
    return parse_descriptor(Fields.of(strict_json.loads(text.encode(), BadAnswer, at=at), at, BadAnswer))
