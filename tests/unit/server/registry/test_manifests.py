"""Pushing, pulling and deleting manifests."""

from __future__ import annotations

import json

import pytest

from nv2.oci import media_types as mt
from nv2.oci.digest import digest_of
from tests.unit.server.registry.conftest import SMALL, Shelf, subject

MISSING = digest_of(b"nobody pushed this")


def test_the_bytes_and_the_media_type_are_kept(shelf: Shelf) -> None:
    data = json.dumps(shelf.image(), indent=7).encode()
    digest = digest_of(data)
    heard = shelf.ask("PUT", "a/manifests/v1", data, content_type=mt.IMAGE_MANIFEST + "; charset=utf-8")
    assert (heard.status, heard.headers["Location"]) == (201, f"/v2/a/manifests/{digest}")
    assert heard.headers["Docker-Content-Digest"] == digest
    for name in ("v1", digest):
        heard = shelf.ask("GET", f"a/manifests/{name}", accept="text/html")
        assert (heard.status, heard.data) == (200, data)
        assert heard.headers["Content-Type"] == mt.IMAGE_MANIFEST
        assert heard.headers["Docker-Content-Digest"] == digest


def test_the_media_type_may_stand_in_the_manifest_alone(shelf: Shelf) -> None:
    document = {"schemaVersion": 2, "mediaType": mt.IMAGE_INDEX, "manifests": []}
    assert shelf.push(document, "v1", content_type="").status == 201
    assert shelf.ask("GET", "a/manifests/v1").headers["Content-Type"] == mt.IMAGE_INDEX


def test_media_types_that_nobody_knows_are_kept(shelf: Shelf) -> None:
    assert shelf.push({"hello": "world"}, "v1", content_type="application/vnd.example+json").status == 201
    assert shelf.ask("GET", "a/manifests/v1").headers["Content-Type"] == "application/vnd.example+json"


@pytest.mark.parametrize("media_type", ["", "text", "a/b\r\nSet-Cookie: x", "a/b c", "ä/b", "a/" + "b" * 200])
def test_what_is_no_media_type_is_refused(shelf: Shelf, media_type: str) -> None:
    heard = shelf.push({"schemaVersion": 2}, "v1", content_type=media_type)
    assert (heard.status, heard.code) == (400, "MANIFEST_INVALID")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b'"text"',
        b"\xff",
        b'{"a":1,"a":2}',
        b'{"a":NaN}',
        b"[" * 3000,
        b'{"mediaType":"application/vnd.oci.image.index.v1+json"}',
        b'{"mediaType":1}',
        b'{"config":[]}',
        b'{"layers":[{"digest":"x","size":1,"mediaType":"a/b"}]}',
        b'{"subject":{"mediaType":"a/b","digest":"sha256:../../x","size":1}}',
        b'{"annotations":{"a":1}}',
    ],
)
def test_malformed_manifests_are_refused(shelf: Shelf, data: bytes) -> None:
    for content_type in (mt.IMAGE_MANIFEST, ""):
        heard = shelf.ask("PUT", "a/manifests/v1", data, content_type=content_type)
        if content_type or b"index" not in data:
            assert (heard.status, heard.code) == (400, "MANIFEST_INVALID")


def test_a_manifest_may_be_as_long_as_the_limit_and_no_longer(shelf: Shelf) -> None:
    body = b'{"a":"' + b"x" * (SMALL.manifest - 8) + b'"}'
    assert shelf.ask("PUT", "a/manifests/v1", body, content_type="a/b").status == 201
    heard = shelf.ask("PUT", "a/manifests/v1", body + b" ", content_type="a/b")
    assert (heard.status, heard.code) == (413, "SIZE_INVALID")


def test_a_wrong_digest_is_refused(shelf: Shelf) -> None:
    heard = shelf.push(shelf.image(), MISSING)
    assert (heard.status, heard.code) == (400, "DIGEST_INVALID")


@pytest.mark.parametrize("name", ["sha256:x", "sha384:" + "a" * 96, "md5:abc"])
def test_digests_that_cannot_be_checked_are_refused(shelf: Shelf, name: str) -> None:
    assert shelf.push(shelf.image(), name).code == "DIGEST_INVALID"


def test_sha512_names_a_manifest_as_well(shelf: Shelf) -> None:
    data = json.dumps(shelf.image()).encode()
    digest = digest_of(data, "sha512")
    heard = shelf.ask("PUT", f"a/manifests/{digest}?tag=v1", data, content_type=mt.IMAGE_MANIFEST)
    assert heard.headers["Docker-Content-Digest"] == digest
    assert shelf.ask("GET", "a/manifests/v1").headers["Docker-Content-Digest"] == digest


@pytest.mark.parametrize("field", ["config", "layers"])
def test_a_manifest_whose_blobs_are_missing_is_refused(shelf: Shelf, field: str) -> None:
    missing = {"mediaType": mt.OCTET_STREAM, "digest": MISSING, "size": 1}
    document = shelf.image() | {field: [missing] if field == "layers" else missing}
    heard = shelf.push(document, "v1")
    assert (heard.status, heard.code) == (404, "MANIFEST_BLOB_UNKNOWN")
    assert heard.json["errors"][0]["detail"] == {"digest": MISSING}
    assert shelf.ask("GET", "a/manifests/v1").status == 404


def test_a_blob_of_another_repository_is_missing_too(shelf: Shelf) -> None:
    document = shelf.image("b")
    assert shelf.push(document, "v1", "a").code == "MANIFEST_BLOB_UNKNOWN"


def test_layers_that_live_elsewhere_need_not_be_here(shelf: Shelf) -> None:
    (kind, *_) = sorted(mt.FOREIGN_LAYERS)
    layer = {"mediaType": kind, "digest": MISSING, "size": 1, "urls": ["https://example.com/"]}
    assert shelf.push(shelf.image(layers=[layer]), "v1").status == 201


def test_manifests_of_an_index_need_not_be_here(shelf: Shelf) -> None:
    document = {"schemaVersion": 2, "mediaType": mt.IMAGE_INDEX, "manifests": [subject(MISSING)]}
    assert shelf.push(document, "v1").status == 201


def test_a_subject_need_not_be_here_and_is_acknowledged(shelf: Shelf) -> None:
    assert shelf.push(shelf.image(subject=subject(MISSING))).headers["OCI-Subject"] == MISSING
    assert "OCI-Subject" not in shelf.push(shelf.image(), "v1").headers


def test_one_push_sets_many_tags(shelf: Shelf) -> None:
    data = json.dumps(shelf.image()).encode()
    query = "&".join(f"tag=v{n}" for n in range(12))
    heard = shelf.ask("PUT", f"a/manifests/{digest_of(data)}?{query}", data, content_type=mt.IMAGE_MANIFEST)
    assert heard.headers["OCI-Tag"].split(", ") == [f"v{n}" for n in range(12)]
    assert shelf.ask("HEAD", "a/manifests/v11").status == 200


def test_one_bad_tag_among_many_sets_none(shelf: Shelf) -> None:
    data = json.dumps(shelf.image()).encode()
    heard = shelf.ask(
        "PUT", f"a/manifests/{digest_of(data)}?tag=v1&tag=-", data, content_type=mt.IMAGE_MANIFEST
    )
    assert heard.status == 400
    assert shelf.ask("HEAD", "a/manifests/v1").status == 404


@pytest.mark.parametrize("name", [".hidden", "-", "a" * 129, "a b", "..", "%2e%2e", "ä"])
def test_what_is_no_tag_is_unknown_and_cannot_be_pushed(shelf: Shelf, name: str) -> None:
    for method in ("GET", "HEAD", "DELETE"):
        assert shelf.ask(method, f"a/manifests/{name}").code == "MANIFEST_UNKNOWN"
    assert shelf.push(shelf.image(), name).code == "MANIFEST_INVALID"


def test_a_tag_moves(shelf: Shelf) -> None:
    first = shelf.push(shelf.image(), "v1").headers["Docker-Content-Digest"]
    second = shelf.push(shelf.image(annotations={"a": "b"}), "v1").headers["Docker-Content-Digest"]
    assert shelf.ask("GET", "a/manifests/v1").headers["Docker-Content-Digest"] == second
    assert shelf.ask("GET", f"a/manifests/{first}").status == 200


def test_a_tag_is_set_only_under_its_condition(shelf: Shelf) -> None:
    image, other = shelf.image(), shelf.image(annotations={"a": "b"})
    assert shelf.push(image, "v1", if_match='"sha256:x"').status == 412
    etag = shelf.push(image, "v1", if_none_match="*").headers["ETag"]
    assert shelf.push(other, "v1", if_none_match="*").status == 412
    assert shelf.push(other, "v1", if_match=etag).status == 201
    assert shelf.push(image, "v1", if_match=etag).status == 412
    assert shelf.ask("GET", "a/manifests/v1").headers["ETag"] != etag


def test_a_push_that_was_refused_leaves_nothing(shelf: Shelf) -> None:
    shelf.push(shelf.image(), "v1")
    image = shelf.image(annotations={"a": "b"})
    shelf.push(image, "v1", if_none_match="*")
    assert shelf.ask("GET", f"a/manifests/{digest_of(json.dumps(image).encode())}").status == 404
    assert list((shelf.directory / "uploads").iterdir()) == []


def test_who_has_the_manifest_need_not_get_it_again(shelf: Shelf) -> None:
    etag = shelf.push(shelf.image(), "v1").headers["ETag"]
    assert shelf.ask("GET", "a/manifests/v1", if_none_match=etag).status == 304


def test_deleting_a_tag_keeps_the_manifest(shelf: Shelf) -> None:
    digest = shelf.push(shelf.image(), "v1").headers["Docker-Content-Digest"]
    assert shelf.ask("DELETE", "a/manifests/v1").status == 202
    assert shelf.ask("DELETE", "a/manifests/v1").status == 404
    assert shelf.ask("GET", f"a/manifests/{digest}").status == 200


def test_deleting_a_manifest_takes_its_tags(shelf: Shelf) -> None:
    digest = shelf.push(shelf.image(), "v1").headers["Docker-Content-Digest"]
    assert shelf.ask("DELETE", f"a/manifests/{digest}").status == 202
    assert shelf.ask("GET", "a/manifests/v1").status == 404
    assert shelf.ask("GET", "a/tags/list").json["tags"] == []
    assert shelf.ask("DELETE", f"a/manifests/{digest}").code == "MANIFEST_UNKNOWN"


def test_a_manifest_that_changed_is_not_deleted_under_a_condition(shelf: Shelf) -> None:
    shelf.push(shelf.image(), "v1")
    assert shelf.ask("DELETE", "a/manifests/v1", if_match='"sha256:x"').status == 412
    assert shelf.ask("GET", "a/manifests/v1").status == 200


def test_a_manifest_and_a_blob_of_the_same_bytes_do_not_take_each_other_away(shelf: Shelf) -> None:
    data = json.dumps(shelf.image()).encode()
    digest = shelf.push_blob(data)
    shelf.ask("PUT", "a/manifests/v1", data, content_type=mt.IMAGE_MANIFEST)
    shelf.ask("DELETE", f"a/blobs/{digest}")
    assert shelf.ask("GET", "a/manifests/v1").data == data


def test_a_browser_runs_nothing_that_somebody_pushed(shelf: Shelf) -> None:
    data = b'{"schemaVersion": 2, "annotations": {"a": "<script>alert(1)</script>"}}'
    assert shelf.ask("PUT", "a/manifests/v1", data, content_type="text/html").status == 201
    headers = shelf.ask("GET", "a/manifests/v1").headers
    assert headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert headers["X-Content-Type-Options"] == "nosniff"
