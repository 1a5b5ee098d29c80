"""A registry that lists referrers by itself is looked at: some lose entries when many come at once."""

from __future__ import annotations

import pytest

from nv2.content.remote.store import RemoteStore
from nv2.content.remote.writing import Writing
from nv2.errors import BadAnswer
from nv2.oci.descriptor import Descriptor
from tests.unit.content.remote.registry_world import World, push_signature
from tests.world.artifacts import push_image


def signed(world: World) -> tuple[RemoteStore, Descriptor, list[Descriptor]]:
    store = world.store()
    image = push_image(store, b"layer")
    return store, image, [push_signature(store, image, name) for name in ("one", "two", "three")]


@pytest.fixture
def world() -> World:
    return World()


def test_what_is_not_listed_is_pushed_again_and_nothing_else(world: World) -> None:
    store, image, signatures = signed(world)
    # The registry in memory lists what it has: what it lost is what it does not list.
    lost = world.registry.repository("app").manifests.pop(signatures[1].digest)
    before = len(world.asked("PUT"))
    store.attach(image, signatures)
    assert world.registry.repository("app").manifests[signatures[1].digest] == lost
    assert len(world.asked("PUT")) == before + 1
    assert {item.digest for item in store.referrers(image).descriptors} == {s.digest for s in signatures}


def test_what_is_never_listed_is_an_error(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    store, image, signatures = signed(world)
    gone = world.registry.repository("app").manifests
    for digest in [item.digest for item in signatures[1:]]:
        del gone[digest]
    monkeypatch.setattr(Writing, "_push_again", lambda *_: None)
    with pytest.raises(BadAnswer, match="does not list 2 of the 3 referrers"):
        store.attach(image, signatures)


def test_a_list_that_is_cut_short_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World("link_for_ever", page_size=1)
    monkeypatch.setattr("nv2.content.remote.referrers.MAX_PAGES", 2)
    store, image, signatures = signed(world)
    before = len(world.asked("PUT"))
    store.attach(image, signatures)
    assert len(world.asked("PUT")) == before


def test_one_signature_costs_no_look(world: World) -> None:
    store, image, signatures = signed(world)
    store.attach(image, signatures[:1])
    asked = len(world.asked("GET", "/referrers/"))
    store.attach(image, signatures[1:2])
    assert len(world.asked("GET", "/referrers/")) == asked
