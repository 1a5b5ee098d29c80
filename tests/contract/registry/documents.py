"""The data sets: what manifests there are, as the public suite has them, each as whoever pushes it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.contract.registry.client import IMAGE, INDEX, Client, digest_of

FOREIGN = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"
Builder = Callable[[Client, str], dict[str, Any]]
"""Pushes what a manifest needs, with digests of an algorithm; the manifest."""


def _absent(algorithm: str, media_type: str = IMAGE) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": digest_of(b"nobody", algorithm), "size": 6}


def _children(client: Client, algorithm: str) -> list[dict[str, Any]]:
    found = []
    for name in ("amd64", "arm64"):
        pushed = client.push(client.image(name.encode(), algorithm), algorithm=algorithm)
        platform = {"os": "linux", "architecture": name}
        found.append({**pushed.descriptor, "platform": platform})
    return found


def image(client: Client, algorithm: str) -> dict[str, Any]:
    return client.image(algorithm=algorithm)


def large(client: Client, algorithm: str) -> dict[str, Any]:
    """Of 3.9 MB, which every registry should take."""
    return client.image(algorithm=algorithm, annotations={"large": "x" * 3_900_000})


def data_field(client: Client, algorithm: str) -> dict[str, Any]:
    document = client.artifact("application/vnd.example", algorithm)
    document["config"] = {**document["config"], "data": "e30="}
    return document


def foreign_layers(client: Client, algorithm: str) -> dict[str, Any]:
    """A layer that is not to be distributed, and is not there."""
    layer = {**_absent(algorithm, FOREIGN), "urls": ["https://layers.example.com/layer"]}
    return {**client.image(algorithm=algorithm), "layers": [layer]}


def custom_fields(client: Client, algorithm: str) -> dict[str, Any]:
    return {**client.image(algorithm=algorithm), "org.example": {"nested": [1, None, "é"]}}


def no_layers(client: Client, algorithm: str) -> dict[str, Any]:
    return {**client.image(algorithm=algorithm), "layers": []}


def artifact(client: Client, algorithm: str) -> dict[str, Any]:
    return client.artifact("application/vnd.example", algorithm)


def artifact_without_layers(client: Client, algorithm: str) -> dict[str, Any]:
    return {**client.artifact("application/vnd.example", algorithm), "layers": []}


def unknown_types(client: Client, algorithm: str) -> dict[str, Any]:
    """Config and layer of types that nobody knows."""
    config = client.blob(b"any", algorithm, "application/vnd.example.config")
    return {"mediaType": IMAGE, "config": config, "layers": [client.blob(b"x", algorithm, "x/y")]}


def missing_subject(client: Client, algorithm: str) -> dict[str, Any]:
    return client.artifact("application/vnd.example", algorithm, subject=_absent(algorithm))


def with_subject(client: Client, algorithm: str) -> dict[str, Any]:
    subject = client.push(client.image(algorithm=algorithm), algorithm=algorithm).descriptor
    return client.artifact("application/vnd.example", algorithm, subject=subject, annotations={"a": "b"})


def index(client: Client, algorithm: str) -> dict[str, Any]:
    return {"mediaType": INDEX, "manifests": _children(client, algorithm)}


def empty_index(client: Client, algorithm: str) -> dict[str, Any]:
    return {"mediaType": INDEX, "manifests": []}


def nested_index(client: Client, algorithm: str) -> dict[str, Any]:
    inner = client.push(index(client, algorithm), algorithm=algorithm)
    return {"mediaType": INDEX, "manifests": [inner.descriptor]}


def artifact_index(client: Client, algorithm: str) -> dict[str, Any]:
    return {**index(client, algorithm), "artifactType": "application/vnd.example"}


def index_with_subject(client: Client, algorithm: str) -> dict[str, Any]:
    subject = client.push(client.image(algorithm=algorithm), algorithm=algorithm).descriptor
    return {**artifact_index(client, algorithm), "subject": subject, "annotations": {"a": "b"}}


DATA_SETS: dict[str, Builder] = {
    found.__name__: found
    for found in (
        image,
        large,
        data_field,
        foreign_layers,
        custom_fields,
        no_layers,
        artifact,
        artifact_without_layers,
        unknown_types,
        missing_subject,
        with_subject,
        index,
        empty_index,
        nested_index,
        artifact_index,
        index_with_subject,
    )
}
