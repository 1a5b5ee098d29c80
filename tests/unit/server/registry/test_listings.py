"""Tags, repositories and referrers, a page at a time."""

from __future__ import annotations

import contextlib
import itertools
import re
import sqlite3
from typing import Any

import pytest

from nv2.oci import media_types as mt
from nv2.oci.digest import digest_of
from nv2.server.registry import pages as pages_of
from nv2.server.registry import tables
from tests.unit.server.calls import Heard
from tests.unit.server.registry.conftest import Shelf, subject

NOBODY = digest_of(b"nobody")


def following(heard: Heard) -> str | None:
    """The target that the `Link` header names."""
    link = heard.headers.get("Link")
    found = re.fullmatch('</v2/([^>]+)>; rel="next"', link) if link else None
    assert bool(found) == bool(link)
    return found[1] if found else None


def pages(shelf: Shelf, target: str) -> list[Heard]:
    """All pages, by following the links."""
    found: list[Heard] = []
    following_target: str | None = target
    while following_target:
        found.append(shelf.ask("GET", following_target))
        assert found[-1].status == 200
        following_target = following(found[-1])
    return found


def tag(shelf: Shelf, *names: str) -> None:
    for name in names:
        assert shelf.push(shelf.image(), name).status == 201


def referrers(shelf: Shelf, digest: str, query: str = "") -> list[dict[str, Any]]:
    return [item for page in pages(shelf, f"a/referrers/{digest}{query}") for item in page.json["manifests"]]


def test_tags_come_in_lexical_order_whatever_their_case(shelf: Shelf) -> None:
    tag(shelf, "b", "A", "v10", "a", "B", "v9", "_")
    found = [name for page in pages(shelf, "a/tags/list") for name in page.json["tags"]]
    assert found == ["_", "A", "a", "B", "b", "v10", "v9"]


def test_a_list_says_whose_it_is(shelf: Shelf) -> None:
    tag(shelf, "v1")
    assert shelf.ask("GET", "a/tags/list").json == {"name": "a", "tags": ["v1"]}


def test_of_a_repository_that_nobody_pushed_to_there_is_no_list(shelf: Shelf) -> None:
    heard = shelf.ask("GET", "a/tags/list")
    assert (heard.status, heard.code) == (404, "NAME_UNKNOWN")


def test_n_and_last_choose_a_part_and_the_link_leads_on(shelf: Shelf) -> None:
    tag(shelf, "a", "b", "c", "d")
    heard = shelf.ask("GET", "a/tags/list?n=2&last=a")
    assert (heard.json["tags"], following(heard)) == (["b", "c"], "a/tags/list?n=2&last=c")
    heard = shelf.ask("GET", "a/tags/list?n=2&last=c")
    assert (heard.json["tags"], following(heard)) == (["d"], None)
    assert shelf.ask("GET", "a/tags/list?last=b").json["tags"] == ["c", "d"]
    assert shelf.ask("GET", "a/tags/list?last=bb").json["tags"] == ["c", "d"]


def test_none_are_asked_for_and_none_come(shelf: Shelf) -> None:
    tag(shelf, "a", "b")
    heard = shelf.ask("GET", "a/tags/list?n=0")
    assert (heard.json["tags"], following(heard)) == ([], None)


def test_a_page_is_bounded_whatever_is_asked_for(shelf: Shelf) -> None:
    tag(shelf, "a", "b", "c", "d")
    assert len(shelf.ask("GET", "a/tags/list?n=1000000000000").json["tags"]) == shelf.storage.limits.entries


@pytest.mark.parametrize("n", ["-1", "x", "1.5", "٣", "9" * 19])
def test_what_is_no_number_is_refused(shelf: Shelf, n: str) -> None:
    tag(shelf, "a")
    assert shelf.ask("GET", f"a/tags/list?n={n}").status == 400


def test_the_repositories_are_listed(shelf: Shelf) -> None:
    for name in ("b", "a/c", "a", "z"):
        shelf.push_blob(b"hello", name)
    found = [name for page in pages(shelf, "_catalog?n=2") for name in page.json["repositories"]]
    assert found == ["a", "a/c", "b", "z"]


def test_nobody_refers_to_what_nobody_knows(shelf: Shelf) -> None:
    heard = shelf.ask("GET", f"never/pushed/referrers/{NOBODY}")
    assert (heard.status, heard.headers["Content-Type"]) == (200, mt.IMAGE_INDEX)
    assert heard.json == {"schemaVersion": 2, "mediaType": mt.IMAGE_INDEX, "manifests": []}


@pytest.mark.parametrize("query", ["", "?last=x"])
def test_a_malformed_digest_is_refused(shelf: Shelf, query: str) -> None:
    digest = NOBODY if query else "sha256:x"
    assert shelf.ask("GET", f"a/referrers/{digest}{query}").code == "DIGEST_INVALID"


def test_a_referrer_is_described_with_its_annotations_and_type(shelf: Shelf) -> None:
    image = shelf.image(subject=subject(NOBODY), artifactType="a/type", annotations={"ä": "ö"})
    digest = shelf.push(image).headers["Docker-Content-Digest"]
    size = len(shelf.ask("GET", f"a/manifests/{digest}").data)
    assert referrers(shelf, NOBODY) == [
        {
            "mediaType": mt.IMAGE_MANIFEST,
            "digest": digest,
            "size": size,
            "annotations": {"ä": "ö"},
            "artifactType": "a/type",
        }
    ]


def test_the_type_of_an_image_without_one_is_its_configs(shelf: Shelf) -> None:
    shelf.push(shelf.image(subject=subject(NOBODY), artifactType=""))
    assert [item["artifactType"] for item in referrers(shelf, NOBODY)] == [mt.EMPTY]


def test_an_index_without_a_type_has_none(shelf: Shelf) -> None:
    index = {"schemaVersion": 2, "mediaType": mt.IMAGE_INDEX, "manifests": [], "subject": subject(NOBODY)}
    shelf.push(index)
    assert ["artifactType" in item for item in referrers(shelf, NOBODY)] == [False]


def test_referrers_are_filtered_by_type_and_the_answer_says_so(shelf: Shelf) -> None:
    for kind in ("a/one", "a/two", "a/t+wo"):
        shelf.push(shelf.image(subject=subject(NOBODY), artifactType=kind))
    heard = shelf.ask("GET", f"a/referrers/{NOBODY}?artifactType=a/t%2Bwo")
    assert [item["artifactType"] for item in heard.json["manifests"]] == ["a/t+wo"]
    assert heard.headers["OCI-Filters-Applied"] == "artifactType"
    assert "OCI-Filters-Applied" not in shelf.ask("GET", f"a/referrers/{NOBODY}").headers
    assert referrers(shelf, NOBODY, "?artifactType=a/none") == []


def test_referrers_come_in_pages_each_of_them_once_and_the_filter_stays(shelf: Shelf) -> None:
    for number in range(9):
        kind = "a/t+" if number % 3 else "a/other"
        shelf.push(shelf.image(subject=subject(NOBODY), artifactType=kind, annotations={"n": str(number)}))
    found = pages(shelf, f"a/referrers/{NOBODY}?artifactType=a/t%2B")
    assert len(found) > 1
    assert all(len(page.data) <= shelf.storage.limits.page + 100 for page in found)
    assert all(page.headers["OCI-Filters-Applied"] == "artifactType" for page in found)
    numbers = [item["annotations"]["n"] for page in found for item in page.json["manifests"]]
    assert sorted(numbers) == ["1", "2", "4", "5", "7", "8"]


def test_a_referrer_that_fills_more_than_a_page_has_one_of_its_own(shelf: Shelf) -> None:
    for number in range(3):
        annotations = {"n": f"{number}" * shelf.storage.limits.page}
        assert shelf.push(shelf.image(subject=subject(NOBODY), annotations=annotations)).status == 201
    assert [len(page.json["manifests"]) for page in pages(shelf, f"a/referrers/{NOBODY}")] == [1, 1, 1]


def test_a_deleted_referrer_is_not_listed(shelf: Shelf) -> None:
    digest = shelf.push(shelf.image(subject=subject(NOBODY))).headers["Docker-Content-Digest"]
    shelf.ask("DELETE", f"a/manifests/{digest}")
    assert referrers(shelf, NOBODY) == []


def test_referrers_outlive_their_subject(shelf: Shelf) -> None:
    digest = shelf.push(shelf.image(), "v1").headers["Docker-Content-Digest"]
    shelf.push(shelf.image(subject=subject(digest)))
    shelf.ask("DELETE", f"a/manifests/{digest}")
    assert len(referrers(shelf, digest)) == 1


def test_referrers_are_their_repositorys_own(shelf: Shelf) -> None:
    shelf.push(shelf.image("b", subject=subject(NOBODY)), "", "b")
    assert referrers(shelf, NOBODY) == []


def test_the_same_referrer_pushed_twice_is_listed_once(shelf: Shelf) -> None:
    for name in ("", "v1", "v2"):
        shelf.push(shelf.image(subject=subject(NOBODY)), name)
    assert len(referrers(shelf, NOBODY)) == 1


@pytest.mark.parametrize("artifact_types", [(), ("a/b",)])
def test_a_list_of_referrers_costs_the_same_with_10_and_with_10_000_others_around(
    artifact_types: tuple[str, ...],
) -> None:
    assert work_to_list(10, artifact_types) == work_to_list(10_000, artifact_types)


def work_to_list(others: int, artifact_types: tuple[str, ...]) -> int:
    """How many steps SQLite takes to list the two referrers of one among as many other manifests, half of them referrers."""
    with contextlib.closing(sqlite3.connect(":memory:")) as db:
        tables.create(db)
        db.execute("INSERT INTO repositories (id, name) VALUES (1, 'a')")
        rows = [(digest_of(b"%d" % n), f"subject {n}" if n % 2 else None) for n in range(others)]
        rows += [(digest_of(b"ours %d" % n), NOBODY) for n in range(2)]
        db.executemany("INSERT INTO manifests VALUES (1, ?, 'a/b', ?, 'a/b', '{}', 2)", rows)
        steps = itertools.count()
        db.set_progress_handler(lambda: next(steps) < 0, 1)
        assert pages_of.referrers(db, "a", NOBODY, artifact_types, "", 700) == (["{}", "{}"], None)
        db.set_progress_handler(None, 1)
        return next(steps)
