"""A small real image: one layer, a config and a manifest, as image-spec has them."""

from __future__ import annotations

import io
import json
import tarfile

from nv2.content.interface import opener
from nv2.notary.session import Session
from nv2.oci import media_types as mt
from nv2.oci.descriptor import Descriptor, describe
from nv2.oci.reference import Reference

LAYER = "application/vnd.oci.image.layer.v1.tar"
CONFIG = "application/vnd.oci.image.config.v1+json"


def push_image(reference: Reference, text: str) -> Descriptor:
    """Push an image whose only file says `text`, under the reference's tag; its descriptor."""
    layer = _layer(text)
    layer_descriptor = describe(layer, LAYER)
    config = _json(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": {"Cmd": ["/bin/cat", "/net-monitor.txt"]},
            "rootfs": {"type": "layers", "diff_ids": [layer_descriptor.digest]},
        }
    )
    config_descriptor = describe(config, CONFIG)
    manifest = _json(
        {
            "schemaVersion": 2,
            "mediaType": mt.IMAGE_MANIFEST,
            "config": config_descriptor.to_json(),
            "layers": [layer_descriptor.to_json()],
        }
    )
    descriptor = describe(manifest, mt.IMAGE_MANIFEST)
    with Session.from_environment() as session:
        store = session.store(reference, push=True)
        for item, data in ((layer_descriptor, layer), (config_descriptor, config), (descriptor, manifest)):
            store.push(item, opener(data))
        store.tag(descriptor, reference.tag or "latest")
    return descriptor


def _layer(text: str) -> bytes:
    stream, content = io.BytesIO(), text.encode()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        member = tarfile.TarInfo("net-monitor.txt")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return stream.getvalue()


def _json(document: dict[str, object]) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()
