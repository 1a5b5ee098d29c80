import pytest

from nv2.content.memory import SHOWN_TAGS, MemoryStore
from nv2.errors import ContentMismatch, NotFound
from tests.world.artifacts import push_blob, push_image, push_referrer


def test_referrers_are_listed_exactly_as_they_were_attached() -> None:
    store = MemoryStore()
    image = push_image(store, b"layer")
    lie = push_referrer(store, image)._replace(artifact_type="application/lie")
    store.attach(image, [lie])
    assert store.referrers(image).descriptors == (lie,)


def test_a_referrer_that_was_only_pushed_is_not_listed() -> None:
    store = MemoryStore()
    image = push_image(store, b"layer")
    push_referrer(store, image)
    assert store.referrers(image).descriptors == ()


def test_spoilt_content_is_noticed() -> None:
    store = MemoryStore()
    image, blob = push_image(store, b"layer"), push_blob(store, b"blob")
    store.tag(image, "v1")
    store.contents[image.digest] = store.contents[blob.digest] = b"evil"
    with pytest.raises(ContentMismatch):
        store.resolve("v1")
    with pytest.raises(ContentMismatch):
        store.fetch(blob, 100)
    with pytest.raises(ContentMismatch):
        store.open(blob).read()


def test_the_hint_for_an_absent_tag_names_a_few_that_are_there() -> None:
    store = MemoryStore()
    image = push_image(store, b"layer")
    for number in range(SHOWN_TAGS + 1):
        store.tag(image, f"v{number}")
    with pytest.raises(NotFound) as caught:
        store.resolve("v9")
    assert caught.value.hint == "tags here: v0, v1, v2, v3, v4, …"


def test_an_empty_store_has_no_hint() -> None:
    with pytest.raises(NotFound) as caught:
        MemoryStore().resolve("v1")
    assert caught.value.hint is None
