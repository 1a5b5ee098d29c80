"""`nv2 tree`: the graph as text and as JSON, of layouts and of registries."""

from __future__ import annotations

import pytest

from nv2.content.layout.store import LayoutStore
from nv2.content.remote.store import RemoteStore
from tests.unit.cli.command_line import CommandLine
from tests.unit.cli.conftest import IMAGE
from tests.unit.content.remote.registry_world import World
from tests.world.artifacts import SBOM, attach_referrer, push_image, push_index, thread_lock

SIGNER = "CN=build,O=wabbit-networks.io,ST=WA,C=US"


def layout(line: CommandLine) -> LayoutStore:
    return LayoutStore(line.directory / "image", lock=thread_lock())


@pytest.fixture(params=["layout", "registry", "registry without referrers API"])
def place(wabbit: CommandLine, request: pytest.FixtureRequest) -> tuple[LayoutStore | RemoteStore, str]:
    """A store, and what references to it begin with."""
    if request.param == "layout":
        return layout(wabbit), "layout:image"
    world = World(referrers_api=request.param == "registry")
    wabbit.reach(world.registry)
    return world.store(push=True), f"{world.registry.host}/app"


def test_the_graph_is_one_document_wherever_it_is(
    wabbit: CommandLine, place: tuple[LayoutStore | RemoteStore, str]
) -> None:
    store, name = place
    child = push_image(store, b"amd64")
    index = push_index(store, [child])
    sbom = attach_referrer(store, child, b"packages", artifact_type=SBOM)
    assert wabbit("sign", "-k", "wabbit.key", f"{name}@{sbom.digest}").code == 0
    ended = wabbit("tree", "-o", "json", f"{name}@{index.digest}")
    assert (ended.code, ended.err) == (0, "")
    document = ended.document
    assert document["artifact"] == index.to_json()
    assert document["problems"] == []
    members = {member["digest"]: member for member in document["manifests"]}
    assert document["manifests"][0]["digest"] == index.digest
    assert members[index.digest]["children"] == [child.digest]
    assert members[child.digest]["referrers"] == [sbom.digest]
    assert members[child.digest]["blobs"] == {"count": 2, "size": 7}
    [signature] = members[sbom.digest]["referrers"]
    assert members[signature]["signer"] == {"subject": SIGNER, "verified": False}
    assert len(members) == 4


def test_text_shows_parts_referrers_and_who_is_said_to_have_signed(wabbit: CommandLine) -> None:
    assert wabbit("sign", "-k", "wabbit.key", IMAGE).code == 0
    ended = wabbit("tree", IMAGE)
    assert ended.code == 0, ended.err
    name, image, signature, signer = ended.out.splitlines()
    assert name.startswith("image@sha256:")
    assert image.startswith("artifact sha256:")
    assert " in 2 blobs" in image
    assert signature.startswith("└── referrer sha256:")
    assert "application/vnd.cncf.notary.signature, " in signature
    assert signer == f"    └── signer, not verified: {SIGNER}"


def test_a_manifest_that_belongs_twice_is_shown_once_and_a_cycle_ends(wabbit: CommandLine) -> None:
    store = layout(wabbit)
    image = push_image(store, b"layer")
    around = push_index(store, [image], subject=image)
    store.attach(image, [around])
    ended = wabbit("tree", f"layout:image@{image.digest}")
    assert ended.code == 0, ended.err
    assert ended.out.splitlines()[-1] == f"    └── part {image.digest} (shown elsewhere)"
    assert len(ended.out.splitlines()) == 4


def test_a_long_way_through_indexes_does_not_make_a_deep_tree(wabbit: CommandLine) -> None:
    store = layout(wabbit)
    chained = [push_index(store, [])]
    for _ in range(1_200):
        chained.append(push_index(store, [chained[-1]]))
    # Every one of them is near by way of the first child, and far by way of the second.
    whole = push_index(store, [push_index(store, chained), chained[-1]])
    ended = wabbit("tree", f"layout:image@{whole.digest}")
    assert ended.code == 0, ended.err[:500]
    assert len(ended.out.splitlines()) == 2 + 2 + 1_201 + 1_200
    assert max(row.index("part") for row in ended.out.splitlines()[2:]) == 12


def test_what_is_missing_is_named_the_rest_is_shown_and_the_exit_code_is_4(wabbit: CommandLine) -> None:
    store = layout(wabbit)
    there, gone = push_image(store, b"there"), push_image(store, b"gone")
    index = push_index(store, [there, gone])
    (wabbit.directory / "image" / "blobs" / "sha256" / gone.digest.partition(":")[2]).unlink()
    ended = wabbit("tree", f"layout:image@{index.digest}")
    assert ended.code == 4
    assert f"part {there.digest}" in ended.out
    assert f"part {gone.digest}" in ended.out
    assert "could not be read" in ended.out
    warnings = [line for line in ended.err.splitlines() if gone.digest in line]
    assert len(warnings) == 1
