import json

import pytest

from nv2.content.interface import Referrers
from nv2.content.remote import referrers as listing
from nv2.errors import BadAnswer, NotFound, Refused
from nv2.oci import media_types as mt
from nv2.oci.descriptor import Descriptor
from nv2.oci.digest import fallback_tag
from tests.unit.content.remote.registry_world import World, sign
from tests.world.artifacts import push_image, push_index

UNSUPPORTED = ["false_200", "referrers_405"]


def names(world: World, subject: Descriptor) -> set[str]:
    found = world.store().referrers(subject)
    assert found.complete
    return {item.annotations["name"] for item in found.descriptors}


def test_the_api_lists_with_type_and_annotations() -> None:
    world = World()
    subject = push_image(world.store())
    signatures = sign(world.store(), subject, "one", "two")
    found = world.store().referrers(subject)
    assert list(found.descriptors) == signatures and found.complete and not found.problems


def test_api_and_fallback_tag_are_asked_at_once_until_it_is_known_which_one_there_is() -> None:
    world = World()
    subject = push_image(world.store())
    store, before = world.store(), len(world.registry.requests)
    store.referrers(subject)
    store.referrers(subject)
    assert len(world.registry.requests) - before == 3


@pytest.mark.parametrize("quirk", UNSUPPORTED)
def test_a_registry_without_the_api_is_recognised_however_it_says_so(quirk: str) -> None:
    world = World(quirk, referrers_api=False)
    subject = push_image(world.store())
    sign(world.store(), subject, "one")
    assert names(world, subject) == {"one"}


@pytest.mark.parametrize("status", [400, 404, 405, 406])
def test_any_way_of_not_having_the_api_leads_to_the_fallback_tag(status: int) -> None:
    world = World(referrers_api=False)
    subject = push_image(world.store())
    sign(world.store(), subject, "one")
    world.registry.fail("GET", "/referrers/", status=status)
    assert names(world, subject) == {"one"}


@pytest.mark.parametrize("status", [500, 502, 503, 429])
def test_a_registry_in_trouble_is_not_one_without_signatures(status: int) -> None:
    world = World()
    subject = push_image(world.store())
    world.registry.fail("GET", "/referrers/", status=status)
    with pytest.raises(BadAnswer):
        world.store().referrers(subject)


def test_a_fallback_tag_that_cannot_be_read_is_not_one_without_signatures() -> None:
    world = World(referrers_api=False)
    subject = push_image(world.store())
    world.registry.fail("GET", "/manifests/sha256-", status=500)
    with pytest.raises(BadAnswer):
        world.store().referrers(subject)


def test_a_missing_repository_is_not_found() -> None:
    world = World(referrers_api=False)
    subject = push_image(world.store())
    body = b'{"errors":[{"code":"NAME_UNKNOWN","message":""}]}'
    world.registry.fail("GET", "/referrers/", status=404, body=body)
    with pytest.raises(NotFound, match="no such repository"):
        world.store().referrers(subject)


def test_a_refused_listing_is_refused() -> None:
    world = World()
    subject = push_image(world.store())
    world.registry.fail("GET", "/referrers/", status=403)
    with pytest.raises(Refused):
        world.store().referrers(subject)


def test_harbor_s_wrong_content_type_is_forgiven_if_the_document_says_what_it_is() -> None:
    world = World("json_referrers")
    subject = push_image(world.store())
    sign(world.store(), subject, "one")
    assert names(world, subject) == {"one"}


def test_pages_are_followed_to_the_end() -> None:
    world = World(page_size=2)
    subject = push_image(world.store())
    sign(world.store(), subject, *"abcde")
    before = len(world.asked("GET", "/referrers/"))
    assert names(world, subject) == set("abcde")
    assert len(world.asked("GET", "/referrers/")) == before + 3


def test_the_filter_goes_along_to_every_page() -> None:
    world = World(page_size=1)
    subject = push_image(world.store())
    sign(world.store(), subject, *"ab")
    before = len(world.asked("GET", "/referrers/"))
    world.store().referrers(subject, mt.SIGNATURE)
    pages = world.asked("GET", "/referrers/")[before:]
    assert len(pages) == 2 and all("artifactType=application%2Fvnd.cncf" in r.url for r in pages)


def test_a_page_at_another_host_is_refused() -> None:
    world = World("link_cross_origin", page_size=1)
    subject = push_image(world.store())
    sign(world.store(), subject, *"ab")
    with pytest.raises(BadAnswer, match="the next page of the referrers is at elsewhere"):
        world.store().referrers(subject)


def test_pages_without_end_are_cut_off_and_the_listing_says_so() -> None:
    world = World("link_for_ever")
    subject = push_image(world.store())
    found = world.store().referrers(subject)
    assert not found.complete and len(world.asked("GET", "/referrers/")) == listing.MAX_PAGES


def test_entries_without_end_are_cut_off_and_the_listing_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    subject = push_image(world.store())
    sign(world.store(), subject, *"abc")
    monkeypatch.setattr(listing, "MAX_REFERRERS", 2)
    found = world.store().referrers(subject)
    assert len(found.descriptors) == 2 and not found.complete
    monkeypatch.setattr(listing, "MAX_REFERRERS", 3)
    assert world.store().referrers(subject).complete


def test_a_bad_entry_is_reported_and_the_others_stay() -> None:
    world = World(referrers_api=False)
    subject = push_image(world.store())
    (one,) = sign(world.store(), subject, "one")
    entries = [{"digest": "md5:zz"}, "text", one.to_json(), one.to_json()]
    document = json.dumps({"schemaVersion": 2, "manifests": entries}).encode()
    world.registry.repository("app").add(document, mt.IMAGE_INDEX, fallback_tag(subject.digest))
    found = world.store().referrers(subject)
    assert found.descriptors == (one,) and found.complete
    assert [problem.partition(": ")[2][:12] for problem in found.problems] == ["manifests[0]", "manifests[1]"]


def test_entries_that_contradict_each_other_are_all_kept_up_to_a_limit() -> None:
    world = World(referrers_api=False)
    subject = push_image(world.store())
    (one,) = sign(world.store(), subject, "one")
    others = [one._replace(size=size) for size in range(listing.MAX_VARIANTS)]

    def listed(*entries: Descriptor) -> Referrers:
        document = {"schemaVersion": 2, "manifests": [entry.to_json() for entry in entries]}
        repository = world.registry.repository("app")
        repository.add(json.dumps(document).encode(), mt.IMAGE_INDEX, fallback_tag(subject.digest))
        return world.store().referrers(subject)

    assert listed(*others[1:], one, one) == ((*others[1:], one), True, ())
    found = listed(*others, one, one._replace(size=2**40))
    assert (found.descriptors, found.complete) == (tuple(others), False)
    assert [one.digest in problem for problem in found.problems] == [True]


def test_the_subject_s_own_children_are_not_its_referrers() -> None:
    world = World("alias_tag", referrers_api=False)
    store = world.store()
    index = push_index(store, [push_image(store, b"a"), push_image(store, b"b")])
    assert world.store().referrers(index).descriptors == ()


def test_children_in_a_fallback_index_are_left_out_and_reported() -> None:
    world = World(referrers_api=False)
    store = world.store()
    child = push_image(store, b"a")
    index = push_index(store, [child])
    document = json.dumps({"schemaVersion": 2, "manifests": [child.to_json()]}).encode()
    world.registry.repository("app").add(document, mt.IMAGE_INDEX, fallback_tag(index.digest))
    found = world.store().referrers(index)
    assert found.descriptors == () and "part of the artifact" in found.problems[0]


@pytest.mark.parametrize(
    ("media_type", "data"),
    [
        (mt.IMAGE_MANIFEST, b"{}"),
        (mt.IMAGE_INDEX, b"[]"),
        (mt.IMAGE_INDEX, b'{"a":1}'),
        (mt.IMAGE_INDEX, b'{"a":1,"a":2}'),
    ],
)
def test_a_fallback_tag_that_names_something_else_lists_nothing_and_is_reported(
    media_type: str, data: bytes
) -> None:
    world = World(referrers_api=False)
    subject = push_image(world.store())
    world.registry.repository("app").add(data, media_type, fallback_tag(subject.digest))
    found = world.store().referrers(subject)
    assert found.descriptors == () and len(found.problems) == 1


@pytest.mark.parametrize("media_type", ["text/html", "application/json", "", mt.OCTET_STREAM])
def test_what_is_no_manifest_at_all_is_not_the_answer_that_nothing_is_listed(media_type: str) -> None:
    world = World(referrers_api=False)
    subject = push_image(world.store())
    world.registry.repository("app").add(b"<html>", media_type, fallback_tag(subject.digest))
    with pytest.raises(BadAnswer, match="not a manifest"):
        world.store().referrers(subject)


@pytest.mark.parametrize(
    "data", [b"[]", b"{}", b'{"manifests": {}}', b'{"mediaType": "x/y", "manifests": []}']
)
def test_an_index_in_name_only_is_not_an_api_without_signatures(data: bytes) -> None:
    world = World("subject_without_api", referrers_api=False)
    subject = push_image(world.store())
    sign(world.store(force_referrers_tag=True), subject, "one")
    world.registry.fail("GET", "/referrers/", status=200, headers={"Content-Type": mt.IMAGE_INDEX}, body=data)
    assert names(world, subject) == {"one"}


def test_half_an_index_is_a_bad_answer() -> None:
    world = World()
    subject = push_image(world.store())
    headers = {"Content-Type": mt.IMAGE_INDEX}
    world.registry.fail("GET", "/referrers/", status=200, headers=headers, body=b'{"manifests": [')
    with pytest.raises(BadAnswer):
        world.store().referrers(subject)
