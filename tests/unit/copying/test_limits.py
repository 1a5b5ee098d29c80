"""How much is copied at the most."""

from __future__ import annotations

import hashlib
import io
import tracemalloc
from contextlib import closing
from pathlib import Path

import pytest

from nv2.content.memory import MemoryStore
from nv2.content.remote.store import RemoteStore
from nv2.copying import copy
from nv2.errors import (
    ArtifactError,
    MalformedManifest,
)
from nv2.oci import media_types as mt
from nv2.oci.descriptor import Descriptor
from nv2.oci.digest import Digest
from nv2.server.registry import serve
from nv2.transport.http import HttpTransport
from tests.unit.copying.stores import ABSENT, Recording
from tests.world.artifacts import (
    CONFIG,
    LAYER,
    attach_referrer,
    push_blob,
    push_image,
    push_index,
    push_manifest,
    thread_lock,
)


def test_an_artifact_of_too_many_manifests_is_refused(
    source: MemoryStore, destination: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nv2.closure.MAX_MANIFESTS", 3)
    index = push_index(source, [push_image(source, b"%d" % number) for number in range(3)])
    with pytest.raises(ArtifactError, match="more than 3 manifests"):
        copy(source, destination, index.digest, "v1")


def test_too_many_referrers_are_a_problem(
    source: MemoryStore, destination: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = push_image(source, b"layer")
    for number in range(4):
        attach_referrer(source, image, b"%d" % number)
    monkeypatch.setattr("nv2.closure.MAX_MANIFESTS", 3)
    result = copy(source, destination, image.digest, "v1")
    assert len(destination.referrers(image).descriptors) == 2
    assert len(result.problems) == 1


def test_manifests_take_a_bounded_amount_of_memory(
    source: MemoryStore, destination: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = push_index(source, [push_image(source, b"one"), push_image(source, b"two")])
    monkeypatch.setattr("nv2.closure.MAX_TOTAL", index.size + 100)
    with pytest.raises(ArtifactError, match="bytes of them"):
        copy(source, destination, index.digest, "v1")


def test_a_manifest_that_is_too_large_is_refused(source: MemoryStore, destination: Recording) -> None:
    huge = Descriptor(mt.IMAGE_MANIFEST, ABSENT, 1 << 40)
    index = push_index(source, [huge])
    with pytest.raises(MalformedManifest, match="more than 4194304 bytes"):
        copy(source, destination, index.digest, "v1")


@pytest.mark.parametrize(("levels", "copied"), [(8, True), (9, False)])
def test_indexes_are_followed_to_a_depth(
    source: MemoryStore, destination: Recording, levels: int, copied: bool
) -> None:
    manifest = push_image(source, b"layer")
    for _ in range(levels - 1):
        manifest = push_index(source, [manifest])
    if copied:
        copy(source, destination, manifest.digest, None)
        assert destination.contents == source.contents
    else:
        with pytest.raises(ArtifactError, match="nested deeper than 8"):
            copy(source, destination, manifest.digest, None)


@pytest.mark.parametrize(("rounds", "problems"), [(7, 0), (8, 1)])
def test_referrers_of_referrers_are_followed_to_a_depth(
    source: MemoryStore, destination: Recording, rounds: int, problems: int
) -> None:
    image = subject = push_image(source, b"layer")
    for number in range(rounds):
        subject = attach_referrer(source, subject, b"%d" % number)
    result = copy(source, destination, image.digest, None)
    assert len(result.problems) == problems
    assert destination.exists(subject)


def test_a_large_layer_that_goes_from_registry_to_registry_is_never_whole_in_memory(tmp_path: Path) -> None:
    size = 48 * 1024 * 1024
    layer = Descriptor(LAYER, Digest(f"sha256:{hashlib.sha256(bytes(size)).hexdigest()}"), size)
    with (
        serve(tmp_path / "here") as here,
        serve(tmp_path / "there") as there,
        closing(HttpTransport()) as transport,
    ):
        source, destination = (
            RemoteStore(each.address, "app", transport, plain_http=True, lock=thread_lock())
            for each in (here, there)
        )
        source.push(layer, lambda: io.BytesIO(bytes(size)))
        config = push_blob(source, b"{}", CONFIG)
        image = push_manifest(
            source, {"config": config.to_json(), "layers": [layer.to_json()]}, mt.IMAGE_MANIFEST
        )
        tracemalloc.start()
        copy(source, destination, image.digest, "v1")
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert destination.exists(layer)
    assert peak < size / 4, "both registries and the copy together"
