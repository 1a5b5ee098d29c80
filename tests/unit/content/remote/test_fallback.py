"""Writing the fallback tag: what others wrote stays, what we wrote stays, or it is said that it did not."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from nv2.content.remote.fallback import MAX_ROUNDS
from nv2.errors import BadAnswer, MalformedManifest, Unreachable
from nv2.oci import media_types as mt
from nv2.oci.descriptor import Descriptor
from nv2.oci.digest import fallback_tag
from tests.unit.content.remote.registry_world import World, push_signature, sign
from tests.world.artifacts import push_image, push_index


def index(world: World, subject: Descriptor) -> dict[str, Any]:
    repository = world.registry.repository("app")
    found: dict[str, Any] = json.loads(repository.manifests[repository.tags[fallback_tag(subject.digest)]][1])
    return found


def names(world: World, subject: Descriptor) -> list[str]:
    return [entry["annotations"]["name"] for entry in index(world, subject)["manifests"]]


def test_the_api_needs_no_fallback_tag() -> None:
    world = World()
    subject = push_image(world.store())
    sign(world.store(), subject, "one")
    assert world.registry.repository("app").tags == {}


def test_without_the_api_an_entry_has_type_and_annotations() -> None:
    world = World(referrers_api=False)
    subject = push_image(world.store())
    (one,) = sign(world.store(), subject, "one")
    assert index(world, subject) == {
        "schemaVersion": 2,
        "mediaType": mt.IMAGE_INDEX,
        "manifests": [one.to_json()],
    }


def test_many_are_one_write_and_two_reads() -> None:
    world = World(referrers_api=False)
    subject = push_image(world.store())
    store = world.store()
    found = [push_signature(store, subject, str(n)) for n in range(20)]
    before = len(world.registry.requests)
    store.attach(subject, found)
    assert [r.method for r in world.registry.requests[before:]] == ["GET", "PUT", "GET"]


def test_nothing_is_written_if_all_of_it_is_there() -> None:
    world = World(referrers_api=False)
    subject = push_image(world.store())
    found = sign(world.store(), subject, "one")
    before = len(world.asked("PUT"))
    world.store().attach(subject, found)
    assert len(world.asked("PUT")) == before and world.naps == world.naps[:1]


def test_the_tag_can_be_asked_for_although_there_is_an_api() -> None:
    world = World()
    subject = push_image(world.store())
    sign(world.store(force_referrers_tag=True), subject, "one")
    assert names(world, subject) == ["one"]


def test_a_header_is_not_believed_where_the_api_was_seen_to_be_missing() -> None:
    world = World("subject_without_api", referrers_api=False)
    subject = push_image(world.store())
    store = world.store()
    store.referrers(subject)
    sign(store, subject, "one")
    assert names(world, subject) == ["one"]


def test_nor_is_it_believed_by_whoever_has_not_asked_for_referrers_yet() -> None:
    world = World("subject_without_api", referrers_api=False)
    subject = push_image(world.store())
    sign(world.store(), subject, "one")
    assert names(world, subject) == ["one"]


def test_a_registry_that_keeps_the_list_is_asked_whether_it_does_and_whether_it_did() -> None:
    world = World()
    subject = push_image(world.store())
    sign(world.store(), subject, "one", "two", "three")
    assert len(world.asked("GET", "/referrers/")) == 2


def test_what_somebody_else_pushed_is_attached_by_what_the_registry_can() -> None:
    for api in (True, False):
        world = World(referrers_api=api)
        subject = push_image(world.store())
        one = push_signature(world.store(), subject)
        world.store().attach(subject, [one])
        assert bool(world.registry.repository("app").tags) is not api


@pytest.mark.parametrize("kind", ["images", "artifact"])
def test_an_artifact_that_somebody_gave_the_tag_to_is_not_deleted(kind: str) -> None:
    world = World(referrers_api=False)
    store = world.store()
    subject, other = push_image(store), push_image(store, b"other")
    if kind == "images":
        valuable = push_index(store, [other])
    else:  # what it consists of looks like referrers, itself it does not
        typed = other._replace(artifact_type="application/x-chart")
        valuable = push_index(store, [typed], artifact_type="application/x-charts")
    store.tag(valuable, "v1")
    store.tag(valuable, fallback_tag(subject.digest))
    (one,) = sign(world.store(), subject, "one")
    assert one.digest in {entry["digest"] for entry in index(world, subject)["manifests"]}
    assert world.store().resolve("v1") == Descriptor(*valuable[:3])
    assert not world.asked("DELETE")


def test_a_list_that_is_there_at_the_end_is_not_deleted_though_it_was_replaced_before() -> None:
    """A rival puts it back, and what we had put back is deleted meanwhile: then nothing of ours is missing."""
    rivals: list[Callable[[], object]] = []
    world = World(referrers_api=False, on_sleep=lambda _: rivals.pop()() if rivals else None)
    store, other = world.store(), world.store()
    subject = push_image(store)
    (ours,) = sign(store, subject, "ours")
    (theirs,) = sign(other, subject, "theirs")
    repository, tag = world.registry.repository("app"), fallback_tag(subject.digest)
    without = json.dumps({**index(world, subject), "manifests": [theirs.to_json()]}).encode()
    repository.add(without, mt.IMAGE_INDEX, tag)

    def rival() -> None:
        repository.add(without, mt.IMAGE_INDEX, tag)
        del repository.manifests[ours.digest]

    rivals.append(rival)
    store.attach(subject, [theirs])
    assert names(world, subject) == ["theirs"]


def test_entries_of_others_keep_every_field() -> None:
    world = World(referrers_api=False)
    subject = push_image(world.store())
    theirs = {
        "mediaType": "x/y",
        "digest": "sha256:" + "a" * 64,
        "size": 1,
        "data": "eA==",
        "platform": {"os": "é"},
    }
    document = {
        "schemaVersion": 2,
        "manifests": [theirs],
        "annotations": {"k": "v"},
        "extra": [1, {"b": None}],
    }
    world.registry.repository("app").add(
        json.dumps(document).encode(), mt.IMAGE_INDEX, fallback_tag(subject.digest)
    )
    (one,) = sign(world.store(), subject, "one")
    assert index(world, subject) == {**document, "manifests": [theirs, one.to_json()]}


def rival(world: World, subject: Descriptor, name: str, *, blind: bool = True) -> None:
    """Another host writes: blind, it had read before the last write, and overwrites it."""
    repository = world.registry.repository("app")
    entries = [] if blind else index(world, subject)["manifests"]
    entries.append(
        {
            "mediaType": mt.IMAGE_MANIFEST,
            "digest": "sha256:" + "e" * 64,
            "size": 9,
            "annotations": {"name": name},
        }
    )
    document = {"schemaVersion": 2, "mediaType": mt.IMAGE_INDEX, "manifests": entries}
    repository.add(json.dumps(document).encode(), mt.IMAGE_INDEX, fallback_tag(subject.digest))


def test_an_entry_that_a_rival_overwrote_is_written_again() -> None:
    overwritten: list[float] = []

    def during_the_wait(seconds: float) -> None:
        if not overwritten:
            rival(world, subject, "rival")
        overwritten.append(seconds)

    world = World(referrers_api=False, on_sleep=during_the_wait)
    subject = push_image(world.store())
    sign(world.store(), subject, "one")
    assert names(world, subject) == ["rival", "one"]


def test_a_rival_who_is_slow_between_our_read_and_write_is_merged() -> None:
    world = World(referrers_api=False)
    subject = push_image(world.store())
    sign(world.store(), subject, "first")
    world.registry.before("GET", "/manifests/sha256-", lambda: rival(world, subject, "rival", blind=False))
    sign(world.store(), subject, "one")
    assert names(world, subject) == ["first", "rival", "one"]


def test_earlier_entries_of_this_store_are_put_back_if_they_vanished() -> None:
    world = World(referrers_api=False)
    subject = push_image(world.store())
    store = world.store()
    sign(store, subject, "one")
    rival(world, subject, "rival")
    sign(store, subject, "two")
    assert sorted(names(world, subject)) == ["one", "rival", "two"]


def test_what_was_deleted_is_not_put_back() -> None:
    world = World(referrers_api=False)
    subject = push_image(world.store())
    store = world.store()
    (one,) = sign(store, subject, "one")
    rival(world, subject, "rival")
    del world.registry.repository("app").manifests[one.digest]
    sign(store, subject, "two")
    assert sorted(names(world, subject)) == ["rival", "two"]


def test_a_registry_that_keeps_nothing_is_found_out() -> None:
    world = World("forgets_fallback", referrers_api=False)
    subject = push_image(world.store())
    with pytest.raises(BadAnswer, match="never kept ours"):
        sign(world.store(), subject, "one")
    assert len(world.naps) == MAX_ROUNDS


def test_if_match_is_used_where_there_is_an_etag() -> None:
    world = World("etag", referrers_api=False)
    subject = push_image(world.store())
    sign(world.store(), subject, "one")
    world.registry.before("PUT", "/manifests/sha256-", lambda: rival(world, subject, "rival"))
    sign(world.store(), subject, "two")
    assert "two" in names(world, subject) and "rival" in names(world, subject)


def test_an_etag_that_means_nothing_does_no_harm() -> None:
    world = World("etag_ignored", referrers_api=False)
    subject = push_image(world.store())
    sign(world.store(), subject, "one")
    sign(world.store(), subject, "two")
    assert names(world, subject) == ["one", "two"]


def test_the_superseded_index_is_deleted() -> None:
    world = World(referrers_api=False)
    subject = push_image(world.store())
    for name in "abc":
        sign(world.store(), subject, name)
    kept = [m for m, _ in world.registry.repository("app").manifests.values() if m == mt.IMAGE_INDEX]
    assert len(kept) == 1 and names(world, subject) == ["a", "b", "c"]


def test_a_registry_that_deletes_nothing_is_an_ordinary_one() -> None:
    world = World("no_delete", referrers_api=False)
    subject = push_image(world.store())
    store = world.store()
    sign(store, subject, "one")
    sign(store, subject, "two")
    assert store.warnings == []


@pytest.mark.parametrize("failure", [{"status": 500}, {"error": Unreachable("gone", at="registry.test:80")}])
def test_a_deletion_that_fails_is_a_warning(failure: dict[str, Any]) -> None:
    world = World(referrers_api=False)
    subject = push_image(world.store())
    store = world.store()
    sign(store, subject, "one")
    world.registry.fail("DELETE", "/manifests/", **failure)
    sign(store, subject, "two")
    assert len(store.warnings) == 1 and "stays" in store.warnings[0]


def test_a_tag_that_lists_something_else_is_not_overwritten() -> None:
    world = World(referrers_api=False)
    subject = push_image(world.store())
    tag = fallback_tag(subject.digest)
    digest = world.registry.repository("app").add(b'{"layers":[]}', mt.IMAGE_MANIFEST, tag)
    with pytest.raises(MalformedManifest, match="not an image index"):
        sign(world.store(), subject, "one")
    assert world.registry.repository("app").tags[tag] == digest


def test_a_tag_that_means_the_subject_itself_is_as_good_as_none() -> None:
    world = World("alias_tag", referrers_api=False)
    subject = push_image(world.store())
    with pytest.raises(BadAnswer, match="never kept ours"):
        sign(world.store(), subject, "one")
    assert "manifests" not in json.loads(world.registry.repository("app").manifests[subject.digest][1])


def test_an_index_that_would_become_too_large_is_refused() -> None:
    world = World(referrers_api=False)
    subject = push_image(world.store())
    entry = {
        "mediaType": "x/y",
        "digest": "sha256:" + "a" * 64,
        "size": 1,
        "annotations": {"k": "v" * 4_194_000},
    }
    document = json.dumps({"schemaVersion": 2, "manifests": [entry]}).encode()
    world.registry.repository("app").add(document, mt.IMAGE_INDEX, fallback_tag(subject.digest))
    with pytest.raises(BadAnswer, match="an index has at most 4194304"):
        sign(world.store(), subject, "one")


def test_entries_whose_manifests_are_gone_do_not_block_the_others() -> None:
    world = World(referrers_api=False)
    subject = push_image(world.store())
    gone, _ = sign(world.store(), subject, "gone", "kept")
    del world.registry.repository("app").manifests[gone.digest]
    body = b'{"errors":[{"code":"MANIFEST_BLOB_UNKNOWN","message":"unknown"}]}'
    store = world.store()
    new = push_signature(store, subject, "new")
    world.registry.fail("PUT", "/manifests/sha256-", status=400, body=body)
    store.attach(subject, [new])
    assert names(world, subject) == ["kept", "new"]
    assert len(store.warnings) == 1 and gone.digest in store.warnings[0]


def test_the_wait_is_longer_than_the_minimum_and_differs() -> None:
    world = World(referrers_api=False)
    subject = push_image(world.store())
    for n in range(8):
        sign(world.store(), subject, str(n))
    assert all(nap >= 0.1 for nap in world.naps) and len(set(world.naps)) > 1


def test_the_lock_is_of_the_subject_and_not_held_during_the_wait() -> None:
    held: list[str] = []

    @contextmanager
    def lock(key: str) -> Iterator[None]:
        held.append(key)
        yield
        held.clear()

    def on_sleep(_: float) -> None:
        assert held == []

    world = World(referrers_api=False, on_sleep=on_sleep)
    subject = push_image(world.store())
    store = world.store(lock=lock)
    world.registry.before("PUT", "/manifests/sha256-", lambda: held.append("written under it"))
    sign(store, subject, "one")
    assert len(world.naps) == 1
