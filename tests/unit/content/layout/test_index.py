"""`index.json`, and who else writes it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from nv2.content.layout.store import LayoutStore
from nv2.errors import (
    MalformedManifest,
)
from nv2.oci.descriptor import describe
from tests.unit.content.layout.on_disk import change_index, files, index_of, reopened
from tests.world.artifacts import (
    attach_referrer,
    push_image,
)


def test_entries_and_fields_of_others_stay(store: LayoutStore, directory: Path) -> None:
    theirs = {**describe(b"x", "application/x").to_json(), "platform": {"os": "plan9"}, "x": [1, {"y": None}]}

    def add(document: Any) -> None:
        document["manifests"].append(theirs)
        document["annotations"] = {"org.olareg.referrer.convert": "true"}

    change_index(directory, add)
    store.tag(push_image(store, b"layer"), "v1")
    document = index_of(directory)
    assert document["manifests"][0] == theirs
    assert document["annotations"] == {"org.olareg.referrer.convert": "true"}


def test_a_tagged_entry_keeps_its_other_fields_when_the_tag_moves(
    store: LayoutStore, directory: Path
) -> None:
    old, new = push_image(store, b"old"), push_image(store, b"new")
    store.tag(old, "v1")
    platform = {"os": "linux", "architecture": "arm64"}
    change_index(directory, lambda d: d["manifests"][-1].update(platform=platform))
    change_index(directory, lambda d: d["manifests"][-1]["annotations"].update(who="wabbit"))
    store.tag(new, "v1")
    kept = next(e for e in index_of(directory)["manifests"] if e["digest"] == old.digest)
    assert (kept["platform"], kept["annotations"]) == (platform, {"who": "wabbit"})


def test_what_another_program_wrote_meanwhile_is_kept(store: LayoutStore, directory: Path) -> None:
    image, other = push_image(store, b"layer"), push_image(reopened(directory), b"other")
    store.tag(image, "v1")
    assert other.digest in {entry["digest"] for entry in index_of(directory)["manifests"]}


def test_the_index_is_read_and_written_under_one_lock(directory: Path) -> None:
    held: list[str] = []
    seen: list[bytes] = []

    @contextmanager
    def lock(key: str) -> Iterator[None]:
        before = files(directory).get("index.json", b"")
        held.append(key)
        yield
        seen.extend({before, files(directory)["index.json"]})

    store = LayoutStore(directory, create=True, lock=lock)
    push_image(store, b"layer")
    assert set(held) == {f"layout:{directory.resolve()}"}
    assert len(set(seen)) == 3


def test_an_index_that_would_stay_the_same_is_not_written(store: LayoutStore, directory: Path) -> None:
    image = push_image(store, b"layer")
    store.tag(image, "v1")
    signature = attach_referrer(store, image)
    written = (directory / "index.json").stat().st_ino
    push_image(store, b"layer")
    store.tag(image, "v1")
    store.attach(image, [signature])
    assert (directory / "index.json").stat().st_ino == written


@pytest.mark.parametrize("manifests", ["null", "[]"])
def test_an_index_without_entries_is_empty(store: LayoutStore, directory: Path, manifests: str) -> None:
    (directory / "index.json").write_text(f'{{"schemaVersion": 2, "manifests": {manifests}}}')
    image = push_image(store, b"layer")
    assert store.resolve(image.digest) == image


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        '{"manifests": {}}',
        '{"manifests": [1]}',
        '{"manifests": [{"digest": "sha256:0", "size": 1, "mediaType": "x"}]}',
        '{"mediaType": "application/vnd.oci.image.manifest.v1+json"}',
        '{"manifests": [], "manifests": []}',
    ],
)
def test_an_index_that_cannot_be_read_is_refused_and_not_replaced(
    store: LayoutStore, directory: Path, content: str
) -> None:
    image = push_image(store, b"layer")
    (directory / "index.json").write_text(content)
    for act in (lambda: store.resolve("v1"), lambda: store.tag(image, "v1"), lambda: store.referrers(image)):
        with pytest.raises(MalformedManifest, match=r"index\.json"):
            act()
    assert (directory / "index.json").read_text() == content
