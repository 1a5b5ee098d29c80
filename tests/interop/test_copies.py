"""An image for several platforms, signed as a whole and in its parts, copied round all registries and a layout."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pytest

from nv2.content.layout.store import LayoutStore
from nv2.oci.digest import Digest
from nv2.server.registry import serve
from tests.interop.home import Home, wabbit_home
from tests.world.artifacts import push_image, push_index, push_referrer, thread_lock

pytestmark = pytest.mark.peers

SCOPE = ("--scope", "local/layout")


@pytest.fixture
def home(tmp_path: Path, notation: Path) -> Home:
    return wabbit_home(tmp_path / "home", notation)


@pytest.fixture
def embedded(tmp_path: Path) -> Iterator[str]:
    with serve(tmp_path / "embedded", "127.0.0.1", 0) as registry:
        yield registry.address


class Platforms(NamedTuple):
    """The digests of an index and of the images in it."""

    index: Digest
    images: tuple[Digest, ...]


@pytest.fixture
def platforms(home: Home, tmp_path: Path) -> Platforms:
    """In the layout `tmp_path / "start"`, tagged v1, with a signature of everything."""
    store = LayoutStore(tmp_path / "start", create=True, lock=thread_lock())
    images = [push_image(store, b"linux/" + name, b"shared") for name in (b"amd64", b"arm64", b"riscv64")]
    index = push_index(store, images)
    store.tag(index, "v1")
    start = f"layout:{tmp_path}/start"
    home.nv2("sign", "-k", "EC-256", f"{start}:v1", *(f"{start}@{image.digest}" for image in images))
    home.nv2("sign", "-k", "RSA-2048", "--signature-format", "cose", f"{start}@{images[0].digest}")
    return Platforms(index.digest, tuple(image.digest for image in images))


def _signatures(home: Home, name: str, platforms: Platforms) -> list[int]:
    return [
        len(json.loads(home.nv2("list", "-o", "json", f"{name}@{digest}").stdout)["signatures"])
        for digest in (platforms.index, *platforms.images)
    ]


def test_signatures_of_both_levels_arrive_everywhere(
    home: Home, tmp_path: Path, platforms: Platforms, distribution31, distribution28, olareg, embedded
) -> None:
    stops = [
        f"layout:{tmp_path}/start",
        *(f"{registry}/platforms" for registry in (distribution31, olareg, embedded, distribution28)),
        f"layout:{tmp_path}/end",
    ]
    for source, destination in pairwise(stops):
        home.nv2("copy", f"{source}:v1", f"{destination}:v1")
        assert _signatures(home, destination, platforms) == [1, 2, 1, 1], destination
        scope = SCOPE if destination.startswith("layout:") else ()
        references = [f"{destination}@{digest}" for digest in (platforms.index, *platforms.images)]
        home.nv2("verify", *scope, f"{destination}:v1", *references)
        for reference in references:
            layout = ("--oci-layout",) if scope else ()
            home.notation("verify", *layout, *scope, reference.removeprefix("layout:"))


def test_a_second_copy_moves_nothing_and_a_new_signature_alone(
    home: Home, tmp_path: Path, platforms: Platforms, distribution31
) -> None:
    start, there = f"layout:{tmp_path}/start", f"{distribution31}/again"
    home.nv2("copy", f"{start}:v1", f"{there}:v1")
    again = json.loads(home.nv2("copy", "-o", "json", f"{start}:v1", f"{there}:v1").stdout)
    assert again["results"][0]["copied"] == []
    home.nv2("sign", "-k", "EC-384", f"{start}@{platforms.images[1]}")
    more = json.loads(home.nv2("copy", "-o", "json", f"{start}:v1", f"{there}:v1").stdout)
    # The envelope and the manifest that points at it; its config is that of all signatures.
    assert len(more["results"][0]["copied"]) == 2
    assert _signatures(home, there, platforms) == [1, 2, 2, 1]


SIGNATURES = 100


def test_many_signatures_arrive_in_every_registry_and_an_unchanged_copy_asks_little(
    home: Home, tmp_path: Path, distribution31, distribution28, olareg, embedded
) -> None:
    store = LayoutStore(tmp_path / "many", create=True, lock=thread_lock())
    image = push_image(store, b"layer")
    store.attach(image, [push_referrer(store, image, b"%d" % number) for number in range(SIGNATURES)])
    store.tag(image, "v1")
    round_trip = [
        f"{address}/many/app"
        for address in (distribution31, olareg, distribution28, embedded, olareg + "/back")
    ]
    home.nv2("copy", f"layout:{tmp_path}/many:v1", f"{round_trip[0]}:v1")
    for source, destination in pairwise(round_trip):
        home.nv2("copy", f"{source}:v1", f"{destination}:v1")
        listed = home.nv2("list", "--max-signatures", "1000", "-o", "json", f"{destination}:v1")
        assert len(json.loads(listed.stdout)["signatures"]) == SIGNATURES
        again = home.nv2("copy", "-d", "-o", "json", f"{source}:v1", f"{destination}:v1")
        assert json.loads(again.stdout)["results"][0]["copied"] == []
        assert 0 < again.stderr.count("request #") <= 10
