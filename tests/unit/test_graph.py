"""`graph`: what belongs to an artifact and how it hangs together, in whatever state it is."""

from __future__ import annotations

import pytest

from nv2.content.memory import MemoryStore
from nv2.errors import MalformedManifest, NotFound
from nv2.graph import graph_of
from nv2.oci import media_types as mt
from nv2.oci.descriptor import Descriptor
from tests.world.artifacts import SBOM, attach_referrer, push_image, push_index, push_manifest
from tests.world.ca import CA
from tests.world.signed import artifact, attach, sealed, sign


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


BUILD = CA().issue("CN=build,O=wabbit-networks.io,C=US", "EC-256")


def test_children_and_referrers_of_every_level_are_members(store: MemoryStore) -> None:
    child = push_image(store, b"amd64")
    index = push_index(store, [child, push_image(store, b"arm64")])
    sbom = attach_referrer(store, child, b"packages", artifact_type=SBOM)
    upon = attach_referrer(store, sbom, b"upon the packages", artifact_type="text/plain")
    found = graph_of(store, index)
    assert next(iter(found.members)) == index.digest
    assert len(found.members) == 5
    assert found.members[index.digest].children[0] == child
    assert found.members[child.digest].referrers == (sbom.digest,)
    assert found.members[sbom.digest].referrers == (upon.digest,)
    assert found.members[sbom.digest].subject == child.digest
    assert found.members[sbom.digest].descriptor.artifact_type == SBOM
    assert sum(blob.size for blob in found.members[child.digest].blobs) == len(b"{}amd64")
    assert found.problems == ()


@pytest.mark.parametrize("media_type", [mt.JWS, mt.COSE])
def test_a_signature_names_the_subject_of_its_signing_certificate(
    store: MemoryStore, media_type: str
) -> None:
    image = artifact(store)
    signature = sign(store, image, BUILD, media_type=media_type)
    found = graph_of(store, image)
    assert found.members[signature.digest].signer == "CN=build,O=wabbit-networks.io,C=US"
    assert found.members[image.digest].signer is None
    assert found.problems == ()


def test_an_envelope_that_speaks_of_something_else_names_nobody_and_is_a_problem(store: MemoryStore) -> None:
    image, other = artifact(store), artifact(store, "other")
    stolen = attach(store, image, sealed(other, BUILD))
    found = graph_of(store, image)
    assert found.members[stolen.digest].signer is None
    [problem] = found.problems
    assert stolen.digest in problem
    assert other.digest in problem


def test_junk_for_an_envelope_is_one_line_and_hides_no_other_signer(store: MemoryStore) -> None:
    image = artifact(store)
    junk, good = attach(store, image, b"\x1b[2J"), sign(store, image, BUILD)
    found = graph_of(store, image)
    assert (found.members[junk.digest].signer, found.members[good.digest].signer is None) == (None, False)
    [problem] = found.problems
    assert junk.digest in problem
    assert problem.isprintable()


def test_a_signature_of_two_layers_is_a_problem_and_a_member(store: MemoryStore) -> None:
    image = artifact(store)
    config = {"mediaType": mt.EMPTY, "digest": image.digest, "size": 2}
    document = {"artifactType": mt.SIGNATURE, "config": config, "layers": [], "subject": image.to_json()}
    bad = push_manifest(store, document, mt.IMAGE_MANIFEST)
    store.attach(image, [bad])
    found = graph_of(store, image)
    assert bad.digest in found.members
    assert len(found.problems) == 1


def test_a_missing_part_is_a_problem_and_the_rest_is_there(store: MemoryStore) -> None:
    there, gone = push_image(store, b"there"), push_image(store, b"gone")
    index = push_index(store, [there, gone])
    signature = attach_referrer(store, index, artifact_type="text/plain")
    del store.contents[gone.digest]
    found = graph_of(store, index)
    assert set(found.members) == {index.digest, there.digest, signature.digest}
    assert gone in found.members[index.digest].children
    [problem] = found.problems
    assert gone.digest in problem


def test_a_listed_manifest_that_does_not_refer_is_a_problem_and_no_member(store: MemoryStore) -> None:
    image, other = push_image(store, b"one"), push_image(store, b"two")
    store.attach(image, [other])
    found = graph_of(store, image)
    assert list(found.members) == [image.digest]
    assert len(found.problems) == 1


def test_the_artifact_itself_must_be_readable(store: MemoryStore) -> None:
    broken = push_manifest(store, {"layers": "none"}, mt.IMAGE_MANIFEST)
    with pytest.raises(MalformedManifest):
        graph_of(store, broken)
    absent = Descriptor(mt.IMAGE_MANIFEST, broken.digest, broken.size)
    store.contents.clear()
    with pytest.raises(NotFound):
        graph_of(store, absent)


def test_an_index_that_refers_to_its_own_part_is_a_cycle_of_two_members(store: MemoryStore) -> None:
    image = push_image(store, b"layer")
    around = push_index(store, [image], subject=image)
    store.attach(image, [around])
    found = graph_of(store, image)
    assert set(found.members) == {image.digest, around.digest}
    assert found.members[image.digest].referrers == (around.digest,)
    assert found.members[around.digest].children[0].digest == image.digest


def test_a_graph_may_begin_with_a_signature(store: MemoryStore) -> None:
    image = artifact(store)
    signature = sign(store, image, BUILD)
    found = graph_of(store, store.resolve(signature.digest))
    assert list(found.members) == [signature.digest]
    assert found.members[signature.digest].subject == image.digest
    assert found.members[signature.digest].signer


@pytest.mark.parametrize(("limit", "value"), [("MAX_SIGNERS", 1), ("MAX_ENVELOPES", 2_500)])
def test_signers_beyond_the_limit_are_not_asked_for_and_one_line_says_so(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch, limit: str, value: int
) -> None:
    image = artifact(store)
    signatures = [sign(store, image, BUILD, agent=agent) for agent in ("one", "second", "the third")]
    monkeypatch.setattr(f"nv2.graph.{limit}", value)
    found = graph_of(store, image)
    named = [s.digest for s in signatures if found.members[s.digest].signer]
    assert named == [signatures[0].digest]
    [problem] = found.problems
    assert "2 signatures" in problem


@pytest.mark.parametrize("limit", ["MAX_MANIFESTS", "MAX_NESTING", "MAX_ROUNDS"])
def test_beyond_the_limits_of_a_closure_the_rest_is_shown(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    inner = push_index(store, [push_image(store, b"layer")])
    outer = push_index(store, [inner])
    attach_referrer(store, outer, artifact_type="text/plain")
    monkeypatch.setattr(f"nv2.closure.{limit}", 1)
    found = graph_of(store, outer)
    assert outer.digest in found.members
    assert found.problems
