"""In which order it is copied."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from nv2.content.layout.store import LayoutStore
from nv2.content.memory import MemoryStore
from nv2.copying import Outcome, copy
from nv2.oci import media_types as mt
from tests.unit.copying.stores import Recording, T, Told, digests
from tests.world.artifacts import (
    SBOM,
    attach_referrer,
    push_blob,
    push_image,
    push_index,
    thread_lock,
)


def test_nothing_is_visible_before_what_it_needs_and_the_tag_comes_last(
    source: MemoryStore, destination: Recording
) -> None:
    child = push_image(source, b"amd64")
    index = push_index(source, [child])
    source.tag(index, "v1")
    sbom = attach_referrer(source, index, b"packages", artifact_type=SBOM)
    signature = attach_referrer(source, sbom)
    copy(source, destination, "v1", "v1")
    at = {entry: position for position, entry in enumerate(destination.log)}
    blobs = [at[digest] for digest in source.contents if digest not in source.manifests]
    order = [child.digest, index.digest, sbom.digest, signature.digest, f"attach {index.digest}", "tag v1"]
    assert [*sorted(blobs), *(at[entry] for entry in order)] == sorted(
        [*blobs, *(at[entry] for entry in order)]
    )
    assert destination.log[-1] == "tag v1"


def test_the_referrers_of_one_subject_are_listed_in_one_write(
    source: MemoryStore, destination: Recording
) -> None:
    image = push_image(source, b"layer")
    for number in range(5):
        attach_referrer(source, image, b"%d" % number)
    copy(source, destination, image.digest, None)
    assert destination.log.count(f"attach {image.digest}") == 1
    assert len(destination.referrers(image).descriptors) == 5


def test_jobs_may_be_done_by_threads(source: MemoryStore, tmp_path: Path) -> None:
    index = push_index(source, [push_image(source, b"%d" % number) for number in range(8)])
    for number in range(30):
        attach_referrer(source, index, b"signature %d" % number)
    layout = LayoutStore(tmp_path, create=True, lock=thread_lock())
    with ThreadPoolExecutor(4) as pool:

        def execute(jobs: Sequence[Callable[[], T]]) -> Iterator[T]:
            return pool.map(lambda job: job(), jobs)

        copy(source, layout, index.digest, "v1", execute=execute)
    assert digests(*layout.referrers(index).descriptors) == digests(*source.referrers(index).descriptors)


def test_every_piece_is_told_as_it_is_done(source: MemoryStore, destination: Recording) -> None:
    image = push_image(source, b"layer")
    attach_referrer(source, image)
    push_blob(destination, b"layer")
    told = Told()
    result = copy(source, destination, image.digest, None, watcher=told)
    assert len(told.outcomes) == told.pieces
    assert told.size == sum(descriptor.size for _, descriptor in told.outcomes)
    assert [item for outcome, item in told.outcomes if outcome is Outcome.COPIED] == list(result.copied)
    assert [item for outcome, item in told.outcomes if outcome is Outcome.SKIPPED] == list(result.skipped)
    assert told.bytes == sum(item.size for item in result.copied if item.media_type not in mt.MANIFESTS)
