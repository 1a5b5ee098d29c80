from __future__ import annotations

import pytest

from nv2.closure import Node
from nv2.content.memory import MemoryStore
from nv2.recursive_signing import plan_for
from tests.world.artifacts import SBOM, attach_referrer, push_image, push_index
from tests.world.ca import CA
from tests.world.signed import sign


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
