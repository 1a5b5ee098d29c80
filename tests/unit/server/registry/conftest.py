"""A registry in a temporary directory, asked without a socket."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nv2.oci import media_types as mt
from nv2.oci.digest import digest_of
from nv2.server.registry.limits import Limits
from nv2.server.registry.routes import respond
from nv2.server.registry.storage import Storage
from tests.unit.server.calls import Heard, ask

SMALL = Limits(manifest=4096, page=700, entries=3, uploads=4)


class Shelf:
    """The registry, and what a client does with it."""

    def __init__(self, directory: Path, limits: Limits = SMALL) -> None:
        self.directory = directory
        self.storage = Storage(directory, limits)
        self.warnings: list[str] = []

    def ask(self, method: str, target: str, body: bytes = b"", **headers: str) -> Heard:
        """The answer to a request under `/v2/`."""
        return ask(
            lambda call: respond(self.storage, call, self.warnings.append),
            method,
            f"/v2/{target}",
            body,
            **headers,
        )

    def push_blob(self, data: bytes, repository: str = "a") -> str:
        """Push `data` in one request; its digest."""
        digest = digest_of(data)
        assert self.ask("POST", f"{repository}/blobs/uploads/?digest={digest}", data).status == 201
        return digest

    def push(self, document: dict[str, Any], name: str = "", repository: str = "a", **headers: str) -> Heard:
        """Push a manifest, by its digest if no tag is given."""
        data = json.dumps(document).encode()
        headers.setdefault("content_type", document.get("mediaType", mt.IMAGE_MANIFEST))
        return self.ask("PUT", f"{repository}/manifests/{name or digest_of(data)}", data, **headers)

    def image(self, repository: str = "a", **more: Any) -> dict[str, Any]:
        """An image manifest whose blobs are there; `more` are further fields."""
        config = self.push_blob(b"{}", repository)
        layer = self.push_blob(b"layer", repository)
        return {
            "schemaVersion": 2,
            "mediaType": mt.IMAGE_MANIFEST,
            "config": {"mediaType": mt.EMPTY, "digest": config, "size": 2},
            "layers": [{"mediaType": mt.OCTET_STREAM, "digest": layer, "size": 5}],
            **more,
        }


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    """An empty registry with small limits."""
    shelf = Shelf(tmp_path / "registry")
    yield shelf
    shelf.storage.close()


def subject(digest: str) -> dict[str, Any]:
    """The field `subject` of a manifest that refers to `digest`."""
    return {"mediaType": mt.IMAGE_MANIFEST, "digest": digest, "size": 1}
