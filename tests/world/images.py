"""Small real images, pushed to a registry by plain HTTP or written as an OCI layout."""

from __future__ import annotations

import hashlib
import http.client
import json
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from nv2.oci import media_types as mt
from nv2.oci.descriptor import Descriptor, describe


class Image(NamedTuple):
    """An image: its manifest, and the blobs that it needs."""

    descriptor: Descriptor
    manifest: bytes
    blobs: tuple[tuple[Descriptor, bytes], ...]


def image(text: str) -> Image:
    """An image whose only layer is `text`."""
    layer = text.encode()
    config = _json({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}})
    layer_descriptor = describe(layer, "application/vnd.oci.image.layer.v1.tar")
    config_descriptor = describe(config, "application/vnd.oci.image.config.v1+json")
    manifest = _json(
        {
            "schemaVersion": 2,
            "mediaType": mt.IMAGE_MANIFEST,
            "config": config_descriptor.to_json(),
            "layers": [layer_descriptor.to_json()],
        }
    )
    blobs = ((config_descriptor, config), (layer_descriptor, layer))
    return Image(describe(manifest, mt.IMAGE_MANIFEST), manifest, blobs)


def push_image(address: str, repository: str, *, text: str | None = None, tag: str = "v1") -> str:
    """Push an image to the registry at `localhost:PORT` and tag it; its digest. Shares no code with nv2."""
    made = image(text or repository)
    for _, data in made.blobs:
        push_blob(address, repository, data)
    push_manifest(address, repository, made.manifest, made.descriptor.media_type, tag)
    return str(made.descriptor.digest)


def push_blob(address: str, repository: str, data: bytes) -> None:
    """Push `data` as a blob."""
    digest = _digest(data)
    with closing(http.client.HTTPConnection(address, timeout=30)) as connection:
        location = _ask(connection, "POST", f"/v2/{repository}/blobs/uploads/", b"", {}, 202)
        path = location.removeprefix(f"http://{address}")
        joint = "&" if "?" in path else "?"
        kind = {"Content-Type": "application/octet-stream"}
        _ask(connection, "PUT", f"{path}{joint}digest={digest}", data, kind, 201)


def push_manifest(
    address: str, repository: str, data: bytes, media_type: str, tag: str | None = None
) -> None:
    """Push `data` as a manifest, by its digest unless there is a `tag`."""
    with closing(http.client.HTTPConnection(address, timeout=30)) as connection:
        path = f"/v2/{repository}/manifests/{tag or _digest(data)}"
        _ask(connection, "PUT", path, data, {"Content-Type": media_type}, 201)


def image_layout(directory: Path, text: str, *, tag: str = "v1") -> str:
    """Write an OCI layout with one tagged image; its digest."""
    made = image(text)
    blobs = directory / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    for descriptor, data in (*made.blobs, (made.descriptor, made.manifest)):
        (blobs / descriptor.digest.partition(":")[2]).write_bytes(data)
    entry: dict[str, Any] = {**made.descriptor.to_json(), "annotations": {mt.REF_NAME: tag}}
    (directory / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    (directory / "index.json").write_bytes(_json({"schemaVersion": 2, "manifests": [entry]}))
    return str(made.descriptor.digest)


def _ask(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    body: bytes,
    headers: dict[str, str],
    status: int,
) -> str:
    connection.request(method, path, body, headers)
    response = connection.getresponse()
    said = response.read()
    assert response.status == status, f"{method} {path}: {response.status} {said!r}"
    return response.getheader("Location") or ""


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _json(document: dict[str, Any]) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()
