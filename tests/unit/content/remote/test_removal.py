"""Deleting in a registry: what its answers mean, and a fallback index that stays right beside rivals."""

from __future__ import annotations

import json

import pytest

from nv2.content.remote.fallback import RunJournal
from nv2.content.remote.store import RemoteStore
from nv2.errors import BadAnswer, NotFound, Refused
from nv2.oci import media_types as mt
from nv2.oci.descriptor import Descriptor
from nv2.oci.digest import fallback_tag
from tests.unit.content.remote.registry_world import World
from tests.world.artifacts import attach_referrer, push_image, push_index, push_referrer


@pytest.fixture
def world() -> World:
    return World(referrers_api=False)


@pytest.fixture
def store(world: World) -> RemoteStore:
    return world.store(push=True)


def listed(world: World, subject: Descriptor) -> list[str] | None:
    """What the fallback index names; None if there is no index."""
    repository = world.registry.repository("app")
    tag = repository.tags.get(fallback_tag(subject.digest))
    if tag is None:
        return None
    return [entry["digest"] for entry in json.loads(repository.manifests[tag][1])["manifests"]]


def test_a_detached_entry_goes_and_the_others_stay_as_they_are(world: World, store: RemoteStore) -> None:
    image = push_image(store)
    first, second = (attach_referrer(store, image, data) for data in (b"1", b"2"))
    store.remove(first)
    store.detach(image, [first.digest])
    assert listed(world, image) == [second.digest]


def test_with_the_last_entry_the_index_goes(world: World, store: RemoteStore) -> None:
    image = push_image(store)
    only = attach_referrer(store, image)
    store.remove(only)
    store.detach(image, [only.digest])
    assert listed(world, image) is None
    assert store.resolve(image.digest) == Descriptor(*image[:3])


def test_where_nothing_is_deleted_an_empty_index_stays(world: World, store: RemoteStore) -> None:
    image = push_image(store)
    only = attach_referrer(store, image)
    world.registry.quirks.add("no_delete")
    store.detach(image, [only.digest])
    assert listed(world, image) == []


def test_what_a_rival_attaches_meanwhile_stays_where_conditions_are_honoured(
    world: World, store: RemoteStore
) -> None:
    world.registry.quirks.add("etag")
    image = push_image(store)
    ours = attach_referrer(store, image, b"ours")
    rival = world.store(push=True)
    theirs = push_referrer(rival, image, b"theirs")
    store.remove(ours)
    world.registry.before("PUT", fallback_tag(image.digest), lambda: rival.attach(image, [theirs]))
    store.detach(image, [ours.digest])
    assert listed(world, image) == [theirs.digest]


def test_an_entry_that_a_rival_puts_back_is_taken_out_again(world: World, store: RemoteStore) -> None:
    image = push_image(store)
    first, second = (attach_referrer(store, image, data) for data in (b"1", b"2"))
    repository = world.registry.repository("app")
    before = repository.manifests[repository.tags[fallback_tag(image.digest)]][1]
    store.remove(first)

    def rival() -> None:
        repository.add(before, mt.IMAGE_INDEX, fallback_tag(image.digest))

    puts = iter((None, rival))

    def once() -> None:
        if act := next(puts, None):
            act()

    world.registry.before("GET", fallback_tag(image.digest), once)
    world.registry.before("GET", fallback_tag(image.digest), rival)
    store.detach(image, [first.digest])
    assert listed(world, image) == [second.digest]


def test_what_was_deleted_is_not_healed(world: World, store: RemoteStore) -> None:
    image = push_image(store)
    only = attach_referrer(store, image)
    store.remove(only)
    store.detach(image, [only.digest])
    assert store.heal(image) == ()
    assert listed(world, image) is None


def test_a_removed_manifest_is_gone_though_it_was_remembered(store: RemoteStore) -> None:
    image = push_image(store)
    store.resolve(image.digest)
    store.remove(image)
    with pytest.raises(NotFound):
        store.resolve(image.digest)


def test_a_tag_goes_alone(store: RemoteStore) -> None:
    image = push_image(store)
    store.tag(image, "v1")
    store.tag(image, "v2")
    store.untag("v1")
    assert store.resolve("v2") == Descriptor(*image[:3])
    with pytest.raises(NotFound):
        store.resolve("v1")


@pytest.mark.parametrize("status", [400, 404, 405, 501])
def test_a_registry_that_deletes_nothing_is_told_from_what_is_not_there(
    world: World, store: RemoteStore, status: int
) -> None:
    image = push_image(store)
    store.tag(image, "v1")
    world.registry.fail("DELETE", "manifests", status=status, times=2)
    with pytest.raises(BadAnswer, match="does not delete manifests"):
        store.remove(image)
    with pytest.raises(BadAnswer, match="does not delete tags"):
        store.untag("v1")
    assert store.resolve("v1") == Descriptor(*image[:3])


def test_what_is_not_there_is_not_found(world: World, store: RemoteStore) -> None:
    image = push_image(store)
    store.remove(image)
    world.registry.fail("DELETE", "manifests", status=404, times=2)
    with pytest.raises(NotFound, match="no such manifest"):
        store.remove(image)
    with pytest.raises(NotFound, match="no such tag v9"):
        store.untag("v9")


def test_who_may_not_delete_is_refused(world: World, store: RemoteStore) -> None:
    image = push_image(store)
    world.registry.fail("DELETE", "manifests", status=403)
    with pytest.raises(Refused):
        store.remove(image)


def test_deleting_asks_for_the_scope_of_deleting(world: World, store: RemoteStore) -> None:
    image = push_image(store)
    store.remove(image)
    [request] = world.registry.asked("DELETE", "manifests")
    assert "repository:app:delete" in request.scopes


def test_entries_of_what_else_is_gone_do_not_stand_in_the_way(world: World, store: RemoteStore) -> None:
    image = push_image(store)
    ours, gone, other = (attach_referrer(store, image, data) for data in (b"1", b"2", b"3"))
    store.remove(gone)
    store.remove(ours)
    error = b'{"errors":[{"code":"MANIFEST_BLOB_UNKNOWN"}]}'
    world.registry.fail("PUT", fallback_tag(image.digest), status=404, body=error)
    assert [item.digest for item in store.detach(image, [ours.digest])] == [ours.digest]
    assert listed(world, image) == [other.digest]
    assert any(gone.digest in warning for warning in store.warnings)


def test_what_is_no_list_under_the_tag_lists_nothing(world: World, store: RemoteStore) -> None:
    image, other = push_image(store, b"1"), push_image(store, b"2")
    store.tag(other, fallback_tag(image.digest))
    assert store.detach(image, [other.digest]) == ()
    assert store.resolve(fallback_tag(image.digest)).digest == other.digest


def test_an_artifact_that_is_an_empty_index_is_not_taken_for_an_emptied_list(
    world: World, store: RemoteStore
) -> None:
    image = push_image(store)
    only = attach_referrer(store, image)
    empty = push_index(store, [])
    store.tag(empty, "stays")
    store.detach(image, [only.digest])
    other = push_image(store, b"other")
    store.tag(empty, fallback_tag(other.digest))
    store.detach(other, [only.digest])
    assert store.resolve("stays").digest == empty.digest


def test_entries_that_are_none_stay_as_they_are(world: World, store: RemoteStore) -> None:
    image = push_image(store)
    only = attach_referrer(store, image)
    repository, junk = world.registry.repository("app"), ["no entry", {"digest": 5}]
    document = {"schemaVersion": 2, "mediaType": mt.IMAGE_INDEX, "manifests": [*junk, only.to_json()]}
    repository.add(json.dumps(document).encode(), mt.IMAGE_INDEX, fallback_tag(image.digest))
    store.detach(image, [only.digest])
    assert json.loads(index_of(world, image))["manifests"] == junk


def test_who_attaches_to_an_emptied_list_finds_a_plain_one(world: World, store: RemoteStore) -> None:
    world.registry.quirks.add("no_delete")
    image = push_image(store)
    first = attach_referrer(store, image, b"1")
    store.detach(image, [first.digest])
    assert b"emptied" in index_of(world, image)
    second = attach_referrer(store, image, b"2")
    assert listed(world, image) == [second.digest]
    assert b"annotations" not in index_of(world, image).partition(b"manifests")[0]
    assert b"emptied" not in index_of(world, image)


def index_of(world: World, subject: Descriptor) -> bytes:
    repository = world.registry.repository("app")
    data: bytes = repository.manifests[repository.tags[fallback_tag(subject.digest)]][1]
    return data


def test_who_attaches_does_not_put_back_what_is_deleted_meanwhile() -> None:
    journal = RunJournal()
    begun: list[float] = []

    def delete_once(_: float) -> None:
        if not begun:
            begun.append(1.0)
            deleting.detach(image, [doomed.digest])  # and its manifest is still there

    world = World(referrers_api=False)
    store = world.store(push=True, journal=journal)
    image = push_image(store)
    doomed = attach_referrer(store, image, b"doomed")
    ours = push_referrer(store, image, b"ours")
    deleting = world.store(push=True, journal=journal)
    world.on_sleep = delete_once
    store.attach(image, [ours])
    assert begun
    assert listed(world, image) == [ours.digest]
