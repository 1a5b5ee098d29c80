"""A client of the distribution specification that shares no code with nv2, and believes nothing."""

from __future__ import annotations

import hashlib
import http.client
import json
from typing import Any, NamedTuple
from urllib.parse import urlsplit

IMAGE = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
EMPTY = "application/vnd.oci.empty.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
ACCEPT = f"{IMAGE}, {INDEX}"


def digest_of(data: bytes, algorithm: str = "sha256") -> str:
    """The digest of `data`."""
    return f"{algorithm}:{hashlib.new(algorithm, data).hexdigest()}"


class Reply(NamedTuple):
    """An answer whose body was read."""

    status: int
    headers: http.client.HTTPMessage
    data: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.data)

    @property
    def place(self) -> str:
        """Where `Location` leads, as path and query: some registries name themselves, some do not."""
        parts = urlsplit(self.headers["Location"])
        return f"{parts.path}?{parts.query}" if parts.query else parts.path

    @property
    def code(self) -> str:
        """The first code of an error document."""
        return str(self.json["errors"][0]["code"])


class Pushed(NamedTuple):
    """A manifest as it was sent, and what was answered."""

    data: bytes
    media_type: str
    digest: str
    reply: Reply

    @property
    def descriptor(self) -> dict[str, Any]:
        """What other manifests say of it."""
        return {"mediaType": self.media_type, "digest": self.digest, "size": len(self.data)}


class Client:
    """A client with one connection, of the repository `repository`."""

    def __init__(self, address: str, repository: str = "a") -> None:
        self.address = address
        self.repository = repository
        self.connection = http.client.HTTPConnection(address, timeout=30)

    def ask(self, method: str, target: str, body: Any = None, **headers: str) -> Reply:
        """The reply to a request in the repository, or, from a slash on, anywhere."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        path = target if target.startswith("/") else f"/v2/{self.repository}/{target}"
        if method in ("GET", "HEAD"):
            named.setdefault("Accept", ACCEPT)
        self.connection.request(method, path, body, named, encode_chunked=hasattr(body, "__next__"))
        response = self.connection.getresponse()
        return Reply(response.status, response.headers, response.read())

    def open(self, **headers: str) -> str:
        """Begin an upload; where it goes on."""
        reply = self.ask("POST", "blobs/uploads/", **headers)
        assert reply.status == 202, reply
        return reply.place

    def finish(self, place: str, digest: str, data: bytes = b"", **headers: str) -> Reply:
        """End an upload."""
        joint = "&" if "?" in place else "?"
        return self.ask("PUT", f"{place}{joint}digest={digest}", data, **headers)

    def blob(self, data: bytes, algorithm: str = "sha256", media_type: str = LAYER) -> dict[str, Any]:
        """Push a blob; its descriptor."""
        digest = digest_of(data, algorithm)
        headers = {"content_type": "application/octet-stream"}
        assert self.finish(self.open(), digest, data, **headers).status == 201
        return {"mediaType": media_type, "digest": digest, "size": len(data)}

    def push(self, document: dict[str, Any], name: str = "", algorithm: str = "sha256") -> Pushed:
        """Push a document as a manifest, by its digest if there is no other name."""
        data = json.dumps({"schemaVersion": 2, **document}).encode()
        digest, media_type = digest_of(data, algorithm), document["mediaType"]
        reply = self.ask("PUT", f"manifests/{name or digest}", data, content_type=media_type)
        return Pushed(data, media_type, digest, reply)

    def image(self, layer: bytes = b"layer", algorithm: str = "sha256", **more: Any) -> dict[str, Any]:
        """An image whose blobs are there, as a document; `more` are further members."""
        return {
            "mediaType": IMAGE,
            "config": self.blob(b"{}", algorithm, CONFIG),
            "layers": [self.blob(layer, algorithm)],
            **more,
        }

    def artifact(self, kind: str, algorithm: str = "sha256", **more: Any) -> dict[str, Any]:
        """An artifact with the empty config and the empty layer."""
        empty = self.blob(b"{}", algorithm, EMPTY)
        return {"mediaType": IMAGE, "artifactType": kind, "config": empty, "layers": [empty], **more}
