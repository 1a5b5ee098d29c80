"""Garbage collection: what goes, what stays, and what a push at the same time may count on."""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from nv2.errors import ConfigurationError, UsageError
from nv2.oci import media_types as mt
from nv2.oci.digest import Digest, digest_of
from nv2.server.registry import collection, rows
from nv2.server.registry.collection import Rule, collect
from tests.unit.server.calls import Heard
from tests.unit.server.registry.conftest import Shelf, subject

NOW = timedelta(0)
AT_ONCE = Rule(grace=timedelta(hours=1))
UNTAGGED = Rule(grace=timedelta(hours=1), untagged=timedelta(hours=1))


def path(shelf: Shelf, digest: str) -> Path:
    algorithm, _, digits = digest.partition(":")
    return shelf.directory / "blobs" / algorithm / digits[:2] / digits


def age(shelf: Shelf) -> None:
    """Let everything be two hours old."""
    before = time.time() - 7200
    for file in (shelf.directory / "blobs").glob("*/*/*"):
        os.utime(file, (before, before))


def gone(shelf: Shelf, rule: Rule = AT_ONCE) -> set[tuple[str, str]]:
    return {(removed.kind, removed.name) for removed in collect(shelf.directory, rule)}


def digest(heard: Heard) -> str:
    assert heard.status == 201
    return heard.headers["Docker-Content-Digest"]


def blob_of(shelf: Shelf, data: bytes) -> dict[str, Any]:
    return {"mediaType": mt.OCTET_STREAM, "digest": shelf.push_blob(data), "size": len(data)}


def test_a_blob_that_nothing_names_goes_with_its_file(shelf: Shelf) -> None:
    lost = shelf.push_blob(b"lost")
    shelf.push(shelf.image(), "v1")
    age(shelf)
    assert gone(shelf) == {("blob", lost), ("file", lost)}
    assert not path(shelf, lost).exists()
    assert shelf.ask("HEAD", f"a/blobs/{lost}").status == 404
    assert shelf.ask("GET", f"a/blobs/{digest_of(b'layer')}").data == b"layer"
    assert gone(shelf) == set()


def test_a_blob_that_came_lately_waits_for_its_manifest(shelf: Shelf) -> None:
    waiting = shelf.push_blob(b"waiting")
    assert gone(shelf) == set()
    assert shelf.ask("HEAD", f"a/blobs/{waiting}").status == 200


@pytest.mark.parametrize("ask", ["head", "mount", "push"])
def test_a_blob_that_somebody_was_promised_stays_for_a_grace(shelf: Shelf, ask: str) -> None:
    old = shelf.push_blob(b"old")
    age(shelf)
    if ask == "head":
        assert shelf.ask("HEAD", f"a/blobs/{old}").status == 200
    elif ask == "mount":
        assert shelf.ask("POST", f"b/blobs/uploads/?mount={old}&from=a").status == 201
    else:
        shelf.push_blob(b"old")
    assert gone(shelf) == set()


def test_a_dry_run_says_the_same_and_removes_nothing(shelf: Shelf) -> None:
    lost = shelf.push_blob(b"lost")
    shelf.push_blob(b"lost", "b")
    age(shelf)
    assert gone(shelf, AT_ONCE._replace(dry=True)) == {("blob", lost), ("file", lost)}
    assert shelf.ask("GET", f"b/blobs/{lost}").data == b"lost"
    assert gone(shelf) == {("blob", lost), ("file", lost)}


def test_the_file_stays_as_long_as_one_repository_needs_it(shelf: Shelf) -> None:
    shelf.push(shelf.image("b"), "v1", "b")
    layer = shelf.push_blob(b"layer")
    age(shelf)
    assert gone(shelf) == {("blob", layer)}
    assert shelf.ask("GET", f"b/blobs/{layer}").data == b"layer"


def test_content_that_comes_again_between_the_question_and_the_removal_stays(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = shelf.push_blob(b"lost")
    age(shelf)
    uses = rows.uses

    def asked(db: sqlite3.Connection, content: Digest) -> int:
        found = uses(db, content)
        if found == 0 and not db.in_transaction:
            shelf.push_blob(b"lost", "b")
        return found

    monkeypatch.setattr(rows, "uses", asked)
    assert gone(shelf) == {("blob", lost)}
    assert shelf.ask("GET", f"b/blobs/{lost}").data == b"lost"


def test_manifests_without_a_tag_stay_unless_that_is_chosen(shelf: Shelf) -> None:
    untagged = digest(shelf.push(shelf.image()))
    age(shelf)
    assert gone(shelf) == set()
    assert ("manifest", untagged) in gone(shelf, UNTAGGED)
    assert shelf.ask("GET", f"a/manifests/{untagged}").status == 404


def test_a_manifest_that_may_go_takes_its_file_along_however_young_that_is(shelf: Shelf) -> None:
    untagged = digest(shelf.push(shelf.image()))
    rule = Rule(grace=timedelta(hours=1), untagged=timedelta(hours=-1))
    assert gone(shelf, rule) == {("manifest", untagged), ("file", untagged)}
    assert not path(shelf, untagged).exists()


def test_referrers_of_what_lives_stay_with_their_blobs_at_any_depth(shelf: Shelf) -> None:
    image = digest(shelf.push(shelf.image(), "v1"))
    sbom = digest(shelf.push(shelf.image(subject=subject(image), layers=[blob_of(shelf, b"sbom")])))
    signature = digest(shelf.push(shelf.image(subject=subject(sbom), layers=[blob_of(shelf, b"signature")])))
    age(shelf)
    assert gone(shelf, UNTAGGED) == set()
    for data in (b"sbom", b"signature"):
        assert shelf.ask("GET", f"a/blobs/{digest_of(data)}").data == data
    assert shelf.ask("GET", f"a/manifests/{signature}").status == 200


def test_what_refers_to_the_dead_goes_with_it(shelf: Shelf) -> None:
    image = digest(shelf.push(shelf.image(), "v1"))
    signature = digest(shelf.push(shelf.image(subject=subject(image), layers=[blob_of(shelf, b"signature")])))
    shelf.push(shelf.image(annotations={"n": "2"}), "v1")
    age(shelf)
    assert gone(shelf, UNTAGGED) == set(), "the tag moved just now"
    with_no_memory = UNTAGGED._replace(untagged=NOW)
    assert gone(shelf, with_no_memory) >= {("manifest", image), ("manifest", signature)}
    assert shelf.ask("GET", f"a/blobs/{digest_of(b'signature')}").status == 404
    assert shelf.ask("GET", f"a/blobs/{digest_of(b'layer')}").status == 200


def test_children_of_an_index_live_with_it(shelf: Shelf) -> None:
    child = digest(shelf.push(shelf.image()))
    index = {
        "schemaVersion": 2,
        "mediaType": mt.IMAGE_INDEX,
        "manifests": [{"mediaType": mt.IMAGE_MANIFEST, "digest": child, "size": 1}],
    }
    shelf.push(index, "v1")
    signature = digest(shelf.push(shelf.image(subject=subject(child))))
    age(shelf)
    assert gone(shelf, UNTAGGED) == set()
    assert shelf.ask("GET", f"a/referrers/{child}").json["manifests"][0]["digest"] == signature


def test_manifests_of_a_type_that_nobody_knows_keep_what_they_name(shelf: Shelf) -> None:
    blob = shelf.push_blob(b"kept")
    shelf.push({"mediaType": "application/x.new+json", "parts": [{"deep": {"digest": blob}}]}, "v1")
    age(shelf)
    assert gone(shelf) == set()


def test_the_journal_keeps_every_line(shelf: Shelf) -> None:
    shelf.push(shelf.image(), "v1")
    shelf.ask("DELETE", "a/manifests/v1")
    age(shelf)
    assert gone(shelf, Rule(NOW, NOW))
    assert len(shelf.ask("GET", "a/_nv2/tags/history").json["history"]) == 2


def test_a_file_without_a_row_goes_when_it_is_old(shelf: Shelf) -> None:
    left = digest_of(b"left by a crash")
    path(shelf, left).parent.mkdir(parents=True)
    path(shelf, left).write_bytes(b"left by a crash")
    strange = shelf.directory / "blobs" / "sha256" / "00" / "notes.txt"
    strange.parent.mkdir(parents=True, exist_ok=True)
    strange.touch()
    assert gone(shelf) == set()
    age(shelf)
    assert gone(shelf) == {("file", left)}
    assert strange.exists(), "what is not ours is left alone"


def test_uploads_that_rested_too_long_go(shelf: Shelf) -> None:
    shelf.ask("POST", "a/blobs/uploads/")
    shelf.ask("POST", "a/blobs/uploads/")
    old, young = sorted((shelf.directory / "uploads").iterdir())
    os.utime(old, (0, 0))
    assert gone(shelf) == {("upload", old.name)}
    assert young.exists()


def test_nothing_goes_where_a_manifest_cannot_be_read(shelf: Shelf) -> None:
    lost = shelf.push_blob(b"lost")
    image = digest(shelf.push(shelf.image(), "v1"))
    path(shelf, image).write_bytes(b"{}")
    age(shelf)
    with pytest.raises(ConfigurationError, match="cannot be read"):
        gone(shelf)
    assert shelf.ask("GET", f"a/blobs/{lost}").data == b"lost"


def test_a_directory_without_a_registry_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no registry"):
        list(collect(tmp_path, AT_ONCE))
    assert list(tmp_path.iterdir()) == []


def test_a_manifest_that_comes_between_judgement_and_removal_hears_that_its_layer_is_missing(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = shelf.image()
    age(shelf)
    answers: list[Heard] = []
    pushing = threading.Thread(target=lambda: answers.append(shelf.push(image, "v1")))
    judged = collection._dead

    def judged_while_a_push_comes(*arguments: Any) -> Any:
        found = judged(*arguments)
        pushing.start()
        pushing.join(0.3)
        return found

    monkeypatch.setattr(collection, "_dead", judged_while_a_push_comes)
    assert ("blob", digest_of(b"layer")) in gone(shelf)
    pushing.join()
    assert [(heard.status, heard.code) for heard in answers] == [(404, "MANIFEST_BLOB_UNKNOWN")]
    assert shelf.ask("GET", "a/manifests/v1").status == 404


def test_whoever_pushes_meanwhile_has_a_whole_image_or_is_told_what_is_missing(shelf: Shelf) -> None:
    """The worst case: no grace at all, and every layer is garbage until its manifest comes."""

    def push(worker: int) -> None:
        for number in range(20):
            layer = blob_of(shelf, b"layer %d of %d" % (number, worker))
            config = blob_of(shelf, b"{}")
            image = {
                "schemaVersion": 2,
                "mediaType": mt.IMAGE_MANIFEST,
                "config": config,
                "layers": [layer],
                "annotations": {"n": f"{worker}.{number}"},
            }
            heard = shelf.push(image, f"t{worker}-{number}")
            outcomes.append(heard.status)
            if heard.status == 201:
                whole.append(image)
            shelf.ask("DELETE", f"a/manifests/t{worker}-{number}")

    outcomes: list[int] = []
    whole: list[dict[str, Any]] = []
    workers = [threading.Thread(target=push, args=(worker,)) for worker in range(3)]
    for worker in workers:
        worker.start()
    while any(worker.is_alive() for worker in workers):
        gone(shelf, Rule(grace=NOW))
    assert set(outcomes) <= {201, 404}
    assert 201 in outcomes
    assert shelf.warnings == []
    for image in whole:  # untagged by now, but not chosen: so nothing of them may be missing
        assert shelf.ask("GET", f"a/manifests/{digest_of(json.dumps(image).encode())}").status == 200
        for blob in (image["config"], *image["layers"]):
            assert digest_of(shelf.ask("GET", f"a/blobs/{blob['digest']}").data) == Digest(blob["digest"])
