"""Images and signatures that are only there to be copied: pushed by plain HTTP, without any of the programs measured."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
from collections.abc import Iterator
from contextlib import closing
from urllib.parse import urlsplit

from tests.world.images import push_blob, push_manifest

from nv2.oci import media_types as mt
from nv2.oci.descriptor import Descriptor, describe
from nv2.oci.digest import Digest, fallback_tag

BLOCK = 4 * 1024 * 1024
EMPTY = describe(b"{}", mt.EMPTY)


def push_layers(address: str, repository: str, count: int, size: int) -> Descriptor:
    """Push an image of `count` layers of `size` bytes each, as `v1`."""
    config = b'{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}'
    push_blob(address, repository, config)
    layers = [_push_layer(address, repository, size) for _ in range(count)]
    document = {
        "schemaVersion": 2,
        "mediaType": mt.IMAGE_MANIFEST,
        "config": describe(config, "application/vnd.oci.image.config.v1+json").to_json(),
        "layers": [layer.to_json() for layer in layers],
    }
    return _push(address, repository, document, "v1")


def _push_layer(address: str, repository: str, size: int) -> Descriptor:
    block = os.urandom(min(BLOCK, size))

    def blocks() -> Iterator[bytes]:
        left = size
        while left:
            data = block[:left]
            left -= len(data)
            yield data

    hashed = hashlib.sha256()
    for data in blocks():
        hashed.update(data)
    digest = Digest(f"sha256:{hashed.hexdigest()}")
    with closing(http.client.HTTPConnection(address, timeout=60)) as connection:
        connection.request("POST", f"/v2/{repository}/blobs/uploads/", headers={"Content-Length": "0"})
        answer = connection.getresponse()
        answer.read()
        place = urlsplit(answer.headers["Location"])
        target = f"{place.path}?{place.query}&digest={digest}"
        headers = {"Content-Length": str(size), "Content-Type": mt.OCTET_STREAM}
        connection.request("PUT", target, body=blocks(), headers=headers)
        answer = connection.getresponse()
        answer.read()
        if answer.status != 201:
            raise RuntimeError(f"{address} answered {answer.status} to a layer")
    return Descriptor("application/vnd.oci.image.layer.v1.tar", digest, size)


def push_signatures(address: str, repository: str, subject: Descriptor, count: int) -> None:
    """Push what looks like `count` signatures of `subject`, and list them under the fallback tag, in one write."""
    push_blob(address, repository, b"{}")
    listed = []
    for _ in range(count):
        envelope = os.urandom(1500).hex().encode()
        push_blob(address, repository, envelope)
        document = {
            "schemaVersion": 2,
            "mediaType": mt.IMAGE_MANIFEST,
            "artifactType": mt.SIGNATURE,
            "config": EMPTY.to_json(),
            "layers": [describe(envelope, mt.JWS).to_json()],
            "subject": subject.to_json(),
            "annotations": {"io.cncf.notary.x509chain.thumbprint#S256": json.dumps([os.urandom(32).hex()])},
        }
        found = _push(address, repository, document, None)
        listed.append(
            found._replace(artifact_type=mt.SIGNATURE, annotations=document["annotations"]).to_json()  # type: ignore[arg-type]
        )
    index = {"schemaVersion": 2, "mediaType": mt.IMAGE_INDEX, "manifests": listed}
    _push(address, repository, index, fallback_tag(subject.digest))


def listed_signatures(address: str, repository: str, subject: Descriptor) -> int:
    """Entries under the fallback tag of `subject`."""
    with closing(http.client.HTTPConnection(address, timeout=60)) as connection:
        path = f"/v2/{repository}/manifests/{fallback_tag(subject.digest)}"
        connection.request("GET", path, headers={"Accept": mt.IMAGE_INDEX})
        return len(json.loads(connection.getresponse().read()).get("manifests", ()))


def _push(address: str, repository: str, document: dict[str, object], tag: str | None) -> Descriptor:
    data = json.dumps(document).encode()
    found = describe(data, str(document["mediaType"]))
    push_manifest(address, repository, data, found.media_type, tag or found.digest)
    return found
