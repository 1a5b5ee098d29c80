"""Small real images, pushed to a registry by plain HTTP or written as an OCI layout."""

from __future__ import annotations

import http.client
import json
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
    connection = http.client.HTTPConnection(address, timeout=30)
    try:
        for descriptor, data in made.blobs:
            location = _ask(connection, "POST", f"/v2/{repository}/blobs/uploads/", b"", {}, 202)
            path = location.removeprefix(f"http://{address}")
            joint = "&" if "?" in path else "?"
            _ask(
                connection,
                "PUT",
                f"{path}{joint}digest={descriptor.digest}",
                data,
                {"Content-Type": "application/octet-stream"},
                201,
            )
        kind = {"Content-Type": made.descriptor.media_type}
        _ask(connection, "PUT", f"/v2/{repository}/manifests/{tag}", made.manifest, kind, 201)
    finally:
        connection.close()
    return str(made.descriptor.digest)


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


def _json(document: dict[str, Any]) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()
