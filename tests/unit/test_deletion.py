"""Deleting: what goes, in which order, what stays, and what an interrupted deletion leaves."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from nv2.content.memory import MemoryStore
from nv2.deletion import delete, plan_deletion
from nv2.errors import BadAnswer, EnvironmentFailure, NotFound
from nv2.oci.descriptor import Descriptor
from nv2.oci.digest import Digest
from tests.world.artifacts import SBOM, attach_referrer, push_image, push_index, push_referrer


class Recording(MemoryStore):
    """Remembers the order, and fails where it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.removed: list[Digest] = []
        self.failing: Digest | None = None
        self.on_remove: Callable[[], object] = tuple

    def remove(self, descriptor: Descriptor) -> None:
        if descriptor.digest == self.failing:
            raise EnvironmentFailure("the disk is full")
        self.on_remove()
        super().remove(descriptor)
        self.removed.append(descriptor.digest)


@pytest.fixture
def store() -> Recording:
    return Recording()


def test_referrers_stay_unless_they_are_meant_too(store: Recording) -> None:
    image = push_image(store)
    signature = attach_referrer(store, image)
    plan = plan_deletion(store, image, with_referrers=False)
    assert [item.digest for item in plan.referrers] == [signature.digest]
    assert delete(store, plan).deleted == (image,)
    assert store.resolve(signature.digest)


def test_what_refers_to_something_goes_before_it(store: Recording) -> None:
    image = push_image(store)
    sbom = attach_referrer(store, image, b"packages", artifact_type=SBOM)
    of_sbom, of_image = attach_referrer(store, sbom, b"1"), attach_referrer(store, image, b"2")
    done = delete(store, plan_deletion(store, image, with_referrers=True))
    assert store.removed[0] == of_sbom.digest
    assert store.removed[-1] == image.digest
    assert set(store.removed) == {of_sbom.digest, sbom.digest, of_image.digest, image.digest}
    assert [item.digest for item in done.deleted] == store.removed
    assert store.manifests == {}
    assert not any(store.listed.values())


def test_parts_of_an_index_and_their_signatures_stay(store: Recording) -> None:
    child = push_image(store)
    of_child = attach_referrer(store, child)
    index = push_index(store, [child])
    plan = plan_deletion(store, index, with_referrers=True)
    assert [part.digest for part in plan.parts] == [child.digest]
    delete(store, plan)
    assert set(store.manifests) == {child.digest, of_child.digest}


def test_a_deleted_signature_is_not_listed_any_more(store: Recording) -> None:
    image = push_image(store)
    first, second = (attach_referrer(store, image, data) for data in (b"1", b"2"))
    delete(store, plan_deletion(store, first, with_referrers=False))
    assert [item.digest for item in store.referrers(image).descriptors] == [second.digest]


def test_a_list_that_names_what_does_not_refer_dooms_nothing(store: Recording) -> None:
    image, other = push_image(store, b"1"), push_image(store, b"2")
    store.attach(image, [other])
    plan = plan_deletion(store, image, with_referrers=True)
    assert plan.manifests == (image,)
    assert "is none: it stays" in plan.problems[0]
    delete(store, plan)
    assert store.resolve(other.digest)


def test_an_entry_of_what_is_gone_goes_from_the_list(store: Recording) -> None:
    image = push_image(store)
    gone = attach_referrer(store, image)
    store.remove(gone)
    del store.contents[gone.digest]
    done = delete(store, plan_deletion(store, image, with_referrers=True))
    assert done.deleted == (image,)
    assert store.listed[image.digest] == {}


def test_a_referrer_that_consists_of_its_own_subject_does_not_go_on_for_ever(store: Recording) -> None:
    image = push_image(store)
    index = push_index(store, [image], subject=image)
    store.attach(image, [index])
    plan = plan_deletion(store, image, with_referrers=True)
    assert [item.digest for item in plan.manifests] == [index.digest, image.digest]


def test_an_unlisted_rest_deletes_nothing(store: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    image = push_image(store)
    signature = attach_referrer(store, image)
    listed = store.referrers(image)._replace(complete=False)
    monkeypatch.setattr(store, "referrers", lambda _subject: listed)
    with pytest.raises(BadAnswer, match="not everything"):
        plan_deletion(store, image, with_referrers=True)
    assert set(store.manifests) == {image.digest, signature.digest}


def test_an_interrupted_deletion_says_what_went_and_is_finished_by_a_second(store: Recording) -> None:
    image = push_image(store)
    signature = attach_referrer(store, image)
    store.failing = image.digest
    first = delete(store, plan_deletion(store, image, with_referrers=True))
    assert [item.digest for item in first.deleted] == [signature.digest]
    assert isinstance(first.failure, EnvironmentFailure)
    store.failing = None
    assert delete(store, plan_deletion(store, image, with_referrers=True)).failure is None
    assert store.manifests == {}


def test_a_deletion_that_changed_nothing_is_an_error(store: Recording) -> None:
    image = push_image(store)
    store.failing = image.digest
    with pytest.raises(EnvironmentFailure):
        delete(store, plan_deletion(store, image, with_referrers=False))


def test_what_is_gone_already_is_not_found(store: Recording) -> None:
    image = push_image(store)
    plan = plan_deletion(store, image, with_referrers=False)
    store.remove(image)
    with pytest.raises(NotFound):
        delete(store, plan)


def test_the_subject_of_a_signature_that_was_never_attached_is_left_alone(store: Recording) -> None:
    image = push_image(store)
    signature = push_referrer(store, image)
    delete(store, plan_deletion(store, signature, with_referrers=False))
    assert set(store.manifests) == {image.digest}
    assert json.loads(store.contents[image.digest])


def test_a_signature_is_taken_off_the_list_before_it_goes(store: Recording) -> None:
    image = push_image(store)
    signature = attach_referrer(store, image)
    at_the_time = []
    store.on_remove = lambda: at_the_time.append(dict(store.listed[image.digest]))
    delete(store, plan_deletion(store, signature, with_referrers=False))
    assert at_the_time == [{}]


def test_what_cannot_be_deleted_is_listed_again_as_it_was(store: Recording) -> None:
    image = push_image(store)
    signature = attach_referrer(store, image)
    before = {**store.listed[image.digest]}
    store.failing = signature.digest
    with pytest.raises(EnvironmentFailure):
        delete(store, plan_deletion(store, signature, with_referrers=False))
    assert store.listed[image.digest] == before


def test_what_was_not_listed_is_not_listed_because_it_cannot_be_deleted(store: Recording) -> None:
    image = push_image(store)
    signature = push_referrer(store, image)
    store.failing = signature.digest
    with pytest.raises(EnvironmentFailure):
        delete(store, plan_deletion(store, signature, with_referrers=False))
    assert not store.listed.get(image.digest)


def test_what_others_list_again_until_it_is_gone_is_taken_off_again(store: Recording) -> None:
    image = push_image(store)
    signature = attach_referrer(store, image)
    store.on_remove = lambda: store.attach(image, [signature])
    delete(store, plan_deletion(store, signature, with_referrers=False))
    assert store.listed[image.digest] == {}


def test_more_than_can_be_deleted_at_once_is_refused(
    store: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nv2.deletion.MAX_DELETED", 2)
    image = push_image(store)
    attach_referrer(store, image, b"1")
    assert plan_deletion(store, image, with_referrers=True).manifests
    attach_referrer(store, image, b"2")
    with pytest.raises(BadAnswer, match="more than 2 manifests"):
        plan_deletion(store, image, with_referrers=True)


def test_what_is_wrong_with_a_list_is_a_problem_of_the_plan(
    store: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = push_image(store)
    listed = store.referrers(image)._replace(problems=("an entry without a digest",))
    monkeypatch.setattr(store, "referrers", lambda _subject: listed)
    assert plan_deletion(store, image, with_referrers=True).problems == ("an entry without a digest",)
