"""Laws of copying, over artifacts of any shape."""

from __future__ import annotations

from random import Random
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from nv2.content.interface import opener
from nv2.content.memory import MemoryStore
from nv2.copying import copy
from nv2.oci.descriptor import Descriptor
from tests.world.artifacts import attach_referrer, push_image, push_index


class Shape(NamedTuple):
    """An artifact to build: an image of layers, or an index of children; and what refers to it."""

    layers: tuple[bytes, ...]
    children: tuple[Shape, ...]
    referrers: tuple[Shape, ...]


LAYERS = st.lists(st.binary(max_size=2), max_size=3).map(tuple)

SHAPES = st.recursive(
    st.builds(Shape, LAYERS, st.just(()), st.just(())),
    lambda inner: st.builds(
        Shape, LAYERS, st.lists(inner, max_size=3).map(tuple), st.lists(inner, max_size=3).map(tuple)
    ),
    max_leaves=12,
)


def build(store: MemoryStore, shape: Shape, subject: Descriptor | None = None) -> Descriptor:
    """Push `shape`, refer to `subject`, and attach what refers to it."""
    if shape.children:
        made = push_index(store, [build(store, child) for child in shape.children], subject=subject)
    else:
        made = push_image(store, *shape.layers, subject=subject)
    for number, referrer in enumerate(shape.referrers):
        upon = build(store, referrer, subject=made)
        store.attach(made, [upon])
        attach_referrer(store, upon, b"%d" % number)
    return made


def state(store: MemoryStore) -> object:
    listed = {subject: set(found) for subject, found in store.listed.items() if found}
    return dict(store.contents), set(store.manifests), dict(store.tags), listed


@given(SHAPES)
def test_copying_again_sends_nothing_and_changes_nothing(shape: Shape) -> None:
    source, destination = MemoryStore(), MemoryStore()
    root = build(source, shape)
    first = copy(source, destination, root.digest, "v1")
    before = state(destination)
    second = copy(source, destination, root.digest, "v1")
    assert state(destination) == before
    assert (second.copied, second.bytes_sent, second.problems) == ((), 0, ())
    assert {d.digest for d in second.skipped} == {d.digest for d in first.copied}


@given(SHAPES)
def test_a_copy_is_all_that_was_there(shape: Shape) -> None:
    source, destination = MemoryStore(), MemoryStore()
    source.tag(build(source, shape), "v1")
    copy(source, destination, "v1", "v1")
    assert state(destination) == state(source)


@given(SHAPES, st.randoms(use_true_random=False))
def test_what_is_there_in_part_becomes_whole(shape: Shape, random: Random) -> None:
    source, whole, part = MemoryStore(), MemoryStore(), MemoryStore()
    root = build(source, shape)
    copy(source, whole, root.digest, "v1")
    for digest, data in source.contents.items():
        if random.random() < 0.5:
            known = source.manifests.get(digest, Descriptor("application/blob", digest, len(data)))
            part.push(known, opener(data))
    copy(source, part, root.digest, "v1")
    assert state(part) == state(whole)
