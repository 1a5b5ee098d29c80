from __future__ import annotations

from datetime import timedelta

import pytest

from nv2.closure import Node
from nv2.content.memory import MemoryStore
from nv2.oci.descriptor import Descriptor
from nv2.pki.certificate import parse_certificate
from nv2.recursive_signing import is_signed_already, plan_for
from tests.world.artifacts import SBOM, attach_referrer, push_image, push_index
from tests.world.ca import CA
from tests.world.signed import NOW, SIGNED_AT, attach, sealed, sign


def test_children_come_before_whatever_consists_of_them_however_they_are_nested() -> None:
    store = MemoryStore()
    image, other = push_image(store, b"one"), push_image(store, b"two")
    inner = push_index(store, [image])
    root = push_index(store, [image, other, inner])
    order = [wanted.digest for wanted in plan_for(store, root).wanted]
    assert sorted(order) == sorted(d.digest for d in (image, other, inner, root))
    assert order.index(image.digest) < order.index(inner.digest)
    assert order[-1] == root.digest


def test_signatures_and_what_refers_to_them_are_not_signed() -> None:
    store = MemoryStore()
    image = push_image(store, b"one")
    signature = sign(store, image, CA().issue(key="EC-256"))
    attach_referrer(store, signature, b"about the signature", artifact_type="text/x-note")
    sbom = attach_referrer(store, image, b"{}", artifact_type=SBOM)
    plan = plan_for(store, image)
    assert [wanted.digest for wanted in plan.wanted] == [sbom.digest, image.digest]
    assert [found.digest for found in plan.signatures[image.digest]] == [signature.digest]


def test_an_index_that_lists_one_child_many_times_costs_no_more_than_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = MemoryStore()
    image, leaf = push_image(store, b"one"), push_image(store, b"two")
    inner = push_index(store, [leaf] * 100, subject=image)
    outer = push_index(store, [inner] * 100, subject=leaf)  # found last, and so looked at first
    for subject, referrer in ((image, inner), (leaf, outer)):
        store.attach(subject, [referrer._replace(artifact_type=SBOM)])
    asked, children = [], Node.children.fget  # type: ignore[attr-defined]

    def counted(node: Node) -> object:
        asked.append(node.descriptor.digest)
        return children(node)

    monkeypatch.setattr(Node, "children", property(counted))
    order = [wanted.digest for wanted in plan_for(store, image).wanted]
    assert order == [leaf.digest, inner.digest, outer.digest, image.digest]
    assert max(map(asked.count, asked)) < 5


PAIR = CA().issue(key="EC-256")
THUMBPRINT = parse_certificate(PAIR.leaf).thumbprint


def done(store: MemoryStore, image: Descriptor, signature: Descriptor) -> bool:
    return is_signed_already(store, image, (signature,), THUMBPRINT, {}, NOW)


def test_a_good_signature_counts_until_it_expires() -> None:
    store = MemoryStore()
    image = push_image(store, b"one")
    assert done(store, image, sign(store, image, PAIR))
    for expiry, counts in ((NOW + timedelta(seconds=1), True), (NOW, False)):
        data = sealed(image, PAIR, signing_time=SIGNED_AT, expiry=expiry)
        assert done(store, image, attach(store, image, data)) is counts


def test_what_only_looks_like_a_signature_by_the_same_certificate_does_not_count() -> None:
    store = MemoryStore()
    image, other = push_image(store, b"one"), push_image(store, b"two")
    good = sealed(image, PAIR)
    spoilt = good.replace(b'"signature":"', b'"signature":"AAAA')
    by_another = CA().issue("mallory", key="EC-256")
    for data in (sealed(other, PAIR), spoilt, b"{}", sealed(image, by_another, chain=PAIR.chain)):
        assert not done(store, image, attach(store, image, data))


def test_a_signature_that_an_index_consists_of_is_signed_with_it() -> None:
    store = MemoryStore()
    image = push_image(store, b"one")
    signature = Descriptor(*sign(store, image, PAIR)[:3])
    root = push_index(store, [signature])
    assert [wanted.digest for wanted in plan_for(store, root).wanted] == [signature.digest, root.digest]
