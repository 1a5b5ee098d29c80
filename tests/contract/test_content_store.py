"""What every content store promises (`content.interface`), asked of each: memory, layouts, registries.

A registry is one in memory, the embedded one over loopback HTTP, and real ones of other projects.
"""

from __future__ import annotations

import io
import itertools
import os
import tarfile
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO

import pytest

from nv2.content.interface import Referrers, Store, opener
from nv2.content.layout.store import LayoutStore
from nv2.content.memory import MemoryStore
from nv2.content.remote.store import RemoteStore
from nv2.errors import ArtifactError, BadAnswer, ContentMismatch, NotFound
from nv2.oci import media_types as mt
from nv2.oci.descriptor import Descriptor, describe
from nv2.oci.digest import Digest, digest_of
from nv2.oci.manifest import MAX_MANIFEST
from nv2.server.registry import serve
from nv2.transport.http import HttpTransport
from tests.world.artifacts import (
    SBOM,
    attach_referrer,
    push_blob,
    push_image,
    push_index,
    push_referrer,
    thread_lock,
)
from tests.world.network import FunctionTransport
from tests.world.registry import Registry

NUMBERS = itertools.count()
ABSENT = Digest("sha256:" + "0" * 64)


def memory(directory: Path) -> Store:
    return MemoryStore()


def layout(directory: Path) -> Store:
    return LayoutStore(directory / "layout", create=True, lock=thread_lock())


class Packed(LayoutStore):
    """Writes to a directory, and reads all of it from a tar archive that is packed anew each time."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory, create=True, lock=thread_lock())
        self._packed_from = directory

    def _packed(self) -> LayoutStore:
        archive = self._packed_from.with_suffix(".tar")
        with tarfile.open(archive, "w") as file:
            file.add(self._packed_from, ".")
        return LayoutStore(archive, lock=thread_lock())

    def resolve(self, name: str) -> Descriptor:
        return self._packed().resolve(name)

    def fetch(self, descriptor: Descriptor, limit: int) -> bytes:
        return self._packed().fetch(descriptor, limit)

    def open(self, descriptor: Descriptor) -> BinaryIO:
        return self._packed().open(descriptor)

    def exists(self, descriptor: Descriptor) -> bool:
        return self._packed().exists(descriptor)

    def referrers(self, subject: Descriptor, artifact_type: str | None = None) -> Referrers:
        return self._packed().referrers(subject, artifact_type)


def packed(directory: Path) -> Store:
    return Packed(directory / "layout")


def archive(directory: Path) -> Store:
    return LayoutStore(directory / "layout.tar", create=True, lock=thread_lock())


def remote(directory: Path, *, referrers_api: bool) -> Store:
    registry = Registry(referrers_api=referrers_api)
    return RemoteStore(
        registry.host,
        "net-monitor",
        FunctionTransport(registry),
        plain_http=True,
        lock=thread_lock(),
        sleep=lambda _: None,
    )


STORES: dict[str, Callable[[Path], Store]] = {
    "memory": memory,
    "layout": layout,
    "layout in an archive": packed,
    "layout in an archive that is written": archive,
    "registry": partial(remote, referrers_api=True),
    "registry without referrers API": partial(remote, referrers_api=False),
}
REGISTRIES = ("embedded", "olareg", "distribution31", "distribution28")


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serve(tmp_path_factory.mktemp("embedded"), "127.0.0.1", 0) as registry:
        yield registry.address


@pytest.fixture(
    params=[*STORES, "embedded", *(pytest.param(name, marks=pytest.mark.peers) for name in REGISTRIES[1:])]
)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def store(request: pytest.FixtureRequest, tmp_path: Path, kind: str) -> Iterator[Store]:
    if kind in STORES:
        made = STORES[kind](tmp_path)
        yield made
        if isinstance(made, LayoutStore):
            made.close()
        return
    transport = HttpTransport()
    # A repository of its own, so that no test meets what another one left.
    repository = f"contract/{os.getpid()}-{next(NUMBERS)}"
    address = request.getfixturevalue(kind)
    yield RemoteStore(
        address, repository, transport, plain_http=True, lock=thread_lock(), sleep=lambda _: None
    )
    transport.close()


def test_a_blob_comes_back_as_it_went_in(store: Store) -> None:
    blob = push_blob(store, b"layer")
    assert store.fetch(blob, 100) == b"layer"
    with store.open(blob) as stream:
        assert stream.read() == b"layer"


def test_an_empty_blob_is_a_blob(store: Store) -> None:
    assert store.fetch(push_blob(store, b""), 0) == b""


def test_a_blob_of_another_registered_algorithm_is_stored(store: Store) -> None:
    blob = Descriptor(mt.OCTET_STREAM, digest_of(b"layer", "sha512"), 5)
    store.push(blob, opener(b"layer"))
    assert store.exists(blob)
    assert store.fetch(blob, 5) == b"layer"


def test_what_was_pushed_exists_and_nothing_else(store: Store) -> None:
    image = push_image(store, b"layer")
    assert store.exists(image)
    assert store.exists(describe(b"layer", mt.OCTET_STREAM))
    assert not store.exists(image._replace(digest=ABSENT))
    assert not store.exists(describe(b"another", mt.OCTET_STREAM))


def test_pushing_again_changes_nothing(store: Store) -> None:
    image = push_image(store, b"layer")
    assert push_image(store, b"layer") == image
    assert store.resolve(image.digest) == image


def test_content_larger_than_the_limit_is_not_read(store: Store) -> None:
    blob = push_blob(store, b"layer")
    with pytest.raises(BadAnswer):
        store.fetch(blob, 4)


def test_absent_content_is_not_found(store: Store) -> None:
    push_blob(store, b"layer")
    for absent in (Descriptor(mt.OCTET_STREAM, ABSENT, 5), Descriptor(mt.IMAGE_MANIFEST, ABSENT, 5)):
        with pytest.raises(NotFound):
            store.fetch(absent, 100)
    with pytest.raises(NotFound):
        store.open(Descriptor(mt.OCTET_STREAM, ABSENT, 5))


@pytest.mark.parametrize("size", [4, 6])
def test_content_of_another_size_than_said_is_refused(store: Store, size: int) -> None:
    wrong = push_blob(store, b"layer")._replace(size=size)
    # A registry's answer that is longer than the descriptor says is cut off before it can be hashed.
    with pytest.raises((ContentMismatch, BadAnswer)):
        store.fetch(wrong, 100)
    with pytest.raises(ContentMismatch), store.open(wrong) as stream:
        stream.read()


@pytest.mark.parametrize("content", [b"other", b"shor", b"longer"])
@pytest.mark.parametrize("media_type", [mt.OCTET_STREAM, mt.IMAGE_MANIFEST])
def test_a_push_of_other_bytes_than_said_fails_and_leaves_nothing(
    store: Store, content: bytes, media_type: str
) -> None:
    promised = describe(b"layer", media_type)
    with pytest.raises((ArtifactError, BadAnswer)):
        store.push(promised, opener(content))
    assert not store.exists(promised)


def test_a_push_whose_source_breaks_leaves_nothing(store: Store) -> None:
    class Breaking(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise NotFound("the source is gone")

    promised = describe(b"layer", mt.OCTET_STREAM)
    with pytest.raises(NotFound):
        store.push(promised, lambda: Breaking(b"layer"))
    assert not store.exists(promised)


def test_many_are_fetched_in_order_and_an_error_takes_the_place_of_its_content(store: Store) -> None:
    first, last = push_blob(store, b"first"), push_blob(store, b"last")
    missing, large = Descriptor(mt.OCTET_STREAM, ABSENT, 5), Descriptor(mt.OCTET_STREAM, ABSENT, 500)
    found = list(store.fetch_many([last, missing, first, large, last], 100))
    assert [found[0], found[2], found[4]] == [b"last", b"first", b"last"]
    assert isinstance(found[1], NotFound)
    assert isinstance(found[3], BadAnswer)
    assert list(store.fetch_many([], 100)) == []


def test_a_digest_resolves_to_a_plain_descriptor(store: Store) -> None:
    image = push_image(store, b"layer")
    assert store.resolve(image.digest) == Descriptor(*image[:3])


@pytest.mark.parametrize(
    "media_type", [mt.IMAGE_MANIFEST, mt.IMAGE_INDEX, mt.DOCKER_MANIFEST, mt.DOCKER_MANIFEST_LIST]
)
def test_a_manifest_keeps_its_media_type(store: Store, media_type: str) -> None:
    if media_type in mt.INDEXES:
        manifest = push_index(store, [], media_type=media_type)
    else:
        manifest = push_image(store, b"layer", media_type=media_type)
    store.tag(manifest, "v1")
    assert store.resolve("v1") == store.resolve(manifest.digest) == manifest


def test_a_child_of_an_index_resolves_by_digest(store: Store) -> None:
    child = push_image(store, b"layer")
    push_index(store, [child])
    assert store.resolve(child.digest) == child


def test_a_referrer_resolves_by_digest(store: Store) -> None:
    signature = push_referrer(store, push_image(store, b"layer"))
    assert store.resolve(signature.digest).same_content(signature)


def test_a_tag_resolves_to_what_it_was_put_on_last(store: Store) -> None:
    old, new = push_image(store, b"old"), push_image(store, b"new")
    store.tag(old, "v1")
    store.tag(new, "v1")
    assert store.resolve("v1") == new
    assert store.resolve(old.digest) == old


def test_a_manifest_can_have_several_tags(store: Store) -> None:
    image = push_image(store, b"layer")
    for tag in ("v1", "latest", "v1"):
        store.tag(image, tag)
    assert store.resolve("v1") == store.resolve("latest") == image


def test_an_absent_tag_or_digest_is_not_found(store: Store) -> None:
    store.tag(push_image(store, b"layer"), "v1")
    with pytest.raises(NotFound):
        store.resolve("v2")
    with pytest.raises(NotFound):
        store.resolve(ABSENT)


def test_a_blob_is_not_resolved_as_an_artifact(store: Store) -> None:
    blob = push_blob(store, b"layer")
    # Distribution 2.8 answers 500.
    with pytest.raises((NotFound, ArtifactError, BadAnswer)):
        store.resolve(blob.digest)


def test_what_is_not_there_cannot_be_tagged(store: Store) -> None:
    push_image(store, b"layer")
    with pytest.raises(NotFound):
        store.tag(Descriptor(mt.IMAGE_MANIFEST, ABSENT, 5), "v1")


def test_an_artifact_nobody_refers_to_has_no_referrers(store: Store) -> None:
    listing = store.referrers(push_image(store, b"layer"))
    assert (listing.descriptors, listing.complete) == ((), True)


def test_an_attached_manifest_is_a_referrer_with_its_type_and_annotations(store: Store) -> None:
    image = push_image(store, b"layer")
    signature = attach_referrer(store, image, annotations={"who": "wabbit"})
    listing = store.referrers(image)
    assert listing.descriptors == (signature,)
    assert listing.complete


def test_referrers_of_one_subject_are_not_those_of_another(store: Store) -> None:
    image, other = push_image(store, b"layer"), push_image(store, b"other")
    attach_referrer(store, image)
    assert store.referrers(other).descriptors == ()


def test_attaching_keeps_what_was_attached_before(store: Store) -> None:
    image = push_image(store, b"layer")
    found = {attach_referrer(store, image, content).digest for content in (b"one", b"two", b"three")}
    assert {descriptor.digest for descriptor in store.referrers(image).descriptors} == found


def test_many_are_attached_at_once(store: Store) -> None:
    image = push_image(store, b"layer")
    signatures = [push_referrer(store, image, b"%d" % i) for i in range(20)]
    store.attach(image, signatures)
    assert {d.digest for d in store.referrers(image).descriptors} == {d.digest for d in signatures}


def test_attaching_again_lists_nothing_twice(store: Store) -> None:
    image = push_image(store, b"layer")
    signature = attach_referrer(store, image)
    store.attach(image, [signature, signature])
    assert store.referrers(image).descriptors == (signature,)


def test_a_type_that_is_asked_for_is_among_what_comes(store: Store) -> None:
    image = push_image(store, b"layer")
    sbom = attach_referrer(store, image, b"packages", artifact_type=SBOM)
    attach_referrer(store, image)
    assert sbom in store.referrers(image, SBOM).descriptors


def test_a_subject_need_not_be_there(store: Store) -> None:
    absent = Descriptor(mt.IMAGE_MANIFEST, ABSENT, 5)
    signature = attach_referrer(store, absent)
    assert store.referrers(absent).descriptors == (signature,)


def test_a_referrer_can_have_referrers(store: Store) -> None:
    sbom = attach_referrer(store, push_image(store, b"layer"), b"packages", artifact_type=SBOM)
    signature = attach_referrer(store, sbom)
    assert store.referrers(sbom).descriptors == (signature,)


def test_a_manifest_over_the_limit_is_refused(store: Store) -> None:
    data = b" " * MAX_MANIFEST + b"{}"
    with pytest.raises((ArtifactError, BadAnswer)):
        store.push(describe(data, mt.IMAGE_MANIFEST), opener(data))


def test_threads_that_attach_at_once_lose_nothing(store: Store, kind: str) -> None:
    image = push_image(store, b"layer")
    # olareg 0.1.2 itself forgets some of what reaches it at once.
    turns = threading.Semaphore(1 if kind == "olareg" else 12)

    def sign(number: int) -> None:
        with turns:
            attach_referrer(store, image, b"signature %d" % number)

    threads = [threading.Thread(target=sign, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store.referrers(image).descriptors) == 12
