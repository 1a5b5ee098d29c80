"""Manifests of every kind: pushing by tag and digest, pulling, conditions, deleting."""

from __future__ import annotations

import json

import pytest

from tests.contract.registry.client import IMAGE, INDEX, Client, Pushed, digest_of
from tests.contract.registry.documents import DATA_SETS

ALGORITHMS = pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
EVERY = pytest.mark.parametrize("kind", DATA_SETS)
UNKNOWN = "sha256:" + "0" * 64


def pushed(client: Client, kind: str, algorithm: str = "sha256", tag: str = "") -> Pushed:
    found = client.push(DATA_SETS[kind](client, algorithm), tag, algorithm)
    assert found.reply.status == 201, found.reply
    return found


@EVERY
@ALGORITHMS
def test_a_manifest_by_digest_comes_back_as_it_was(client: Client, kind: str, algorithm: str) -> None:
    found = pushed(client, kind, algorithm)
    assert client.ask("GET", found.reply.place).data == found.data, "Location is where it can be pulled"
    reply = client.ask("GET", f"manifests/{found.digest}")
    assert (reply.status, reply.data) == (200, found.data)
    assert reply.headers["Content-Type"] == found.media_type
    assert reply.headers["Docker-Content-Digest"] == found.digest
    head = client.ask("HEAD", f"manifests/{found.digest}")
    assert (head.status, head.data) == (200, b"")
    for name in ("Content-Length", "Content-Type", "Docker-Content-Digest"):
        assert head.headers[name] == reply.headers[name]


@EVERY
def test_a_manifest_by_tag_comes_back_and_is_listed(client: Client, kind: str) -> None:
    found = pushed(client, kind, tag="v1")
    for name in ("v1", found.digest):
        reply = client.ask("GET", f"manifests/{name}")
        assert (reply.status, reply.data) == (200, found.data)
        assert reply.headers["Content-Type"] == found.media_type
        assert reply.headers["Docker-Content-Digest"] == digest_of(found.data)
        assert client.ask("HEAD", f"manifests/{name}").headers["Content-Length"] == str(len(found.data))
    assert client.ask("GET", "tags/list").json["tags"] == ["v1"]


@EVERY
@ALGORITHMS
def test_a_manifest_that_is_deleted_is_gone(client: Client, kind: str, algorithm: str) -> None:
    digest = pushed(client, kind, algorithm).digest
    assert client.ask("DELETE", f"manifests/{digest}").status == 202
    assert client.ask("GET", f"manifests/{digest}").status == 404
    assert client.ask("HEAD", f"manifests/{digest}").status == 404
    assert client.ask("DELETE", f"manifests/{digest}").status == 404


def test_deleting_a_manifest_takes_its_tags_along(client: Client) -> None:
    found = pushed(client, "image", tag="v1")
    assert client.ask("DELETE", f"manifests/{found.digest}").status == 202
    assert client.ask("GET", "manifests/v1").status == 404
    assert not client.ask("GET", "tags/list").json["tags"]


def test_deleting_a_tag_leaves_the_manifest(client: Client) -> None:
    found = pushed(client, "image", tag="v1")
    assert client.ask("DELETE", "manifests/v1").status == 202
    assert client.ask("GET", "manifests/v1").status == 404
    assert client.ask("GET", f"manifests/{found.digest}").data == found.data
    assert client.ask("DELETE", "manifests/v1").status == 404


def test_a_tag_moves(client: Client) -> None:
    pushed(client, "image", tag="v1")
    index = pushed(client, "empty_index", tag="v1")
    reply = client.ask("GET", "manifests/v1")
    assert (reply.data, reply.headers["Content-Type"]) == (index.data, INDEX)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("name", ["v2", UNKNOWN], ids=["tag", "digest"])
def test_a_manifest_that_was_never_pushed_is_not_there(client: Client, method: str, name: str) -> None:
    assert client.ask(method, f"manifests/{name}").status == 404
    pushed(client, "image", tag="v1")
    assert client.ask(method, f"manifests/{name}").status == 404


@ALGORITHMS
def test_other_bytes_than_the_digest_says_are_refused(client: Client, algorithm: str) -> None:
    document = client.image(algorithm=algorithm)
    data = json.dumps({"schemaVersion": 2, **document}).encode()
    digest = digest_of(data, algorithm)
    assert client.ask("PUT", f"manifests/{digest}", data + b"\n", content_type=IMAGE).status == 400
    assert client.ask("HEAD", f"manifests/{digest}").status == 404


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
@pytest.mark.parametrize(
    "name", ["sha256:baddigeststring", "sha256:" + "A" * 64], ids=["no hex", "upper case"]
)
def test_what_is_no_digest_is_refused(client: Client, method: str, name: str) -> None:
    data = json.dumps({"schemaVersion": 2, **client.image()}).encode()
    body, more = (data, {"content_type": IMAGE}) if method == "PUT" else (None, {})
    assert client.ask(method, f"manifests/{name}", body, **more).status in (400, 404)


@pytest.mark.parametrize("tag", ["a" * 128, "A_b.c-1", "_"], ids=["long", "mixed", "short"])
def test_a_tag_has_up_to_128_characters(client: Client, tag: str) -> None:
    assert client.push(client.image(), tag).reply.status == 201
    assert client.ask("GET", f"manifests/{tag}").status == 200


def test_a_manifest_is_stored_byte_by_byte(client: Client) -> None:
    data = json.dumps({"schemaVersion": 2, **client.image()}, indent=3).encode() + b"\n\t "
    assert client.ask("PUT", "manifests/v1", data, content_type=IMAGE).status == 201
    assert client.ask("GET", "manifests/v1").data == data


def test_another_type_than_the_manifest_says_is_refused(client: Client) -> None:
    data = json.dumps({"schemaVersion": 2, **client.image()}).encode()
    assert client.ask("PUT", "manifests/v1", data, content_type=INDEX).status == 400


def test_parameters_of_the_type_are_passed_over(client: Client) -> None:
    data = json.dumps({"schemaVersion": 2, **client.image()}).encode()
    kind = f"{IMAGE}; charset=utf-8"
    assert client.ask("PUT", "manifests/v1", data, content_type=kind).status == 201
    assert client.ask("GET", "manifests/v1").headers["Content-Type"] == IMAGE


def test_what_is_no_json_is_refused(client: Client) -> None:
    assert client.ask("PUT", "manifests/v1", b"{", content_type=IMAGE).status == 400


def test_a_manifest_over_the_limit_is_too_large(client: Client) -> None:
    document = client.image(annotations={"large": "x" * 9_000_000})
    data = json.dumps({"schemaVersion": 2, **document}).encode()
    assert client.ask("PUT", "manifests/v1", data, content_type=IMAGE).status == 413


def test_a_blob_that_is_not_there_is_named_so_or_not_missed(client: Client) -> None:
    document = client.image()
    document["layers"] = [{**document["layers"][0], "digest": UNKNOWN}]
    reply = client.push(document, "v1").reply
    assert reply.status == 201 or reply.code == "MANIFEST_BLOB_UNKNOWN"


def test_a_manifest_is_answered_whatever_is_accepted(client: Client) -> None:
    found = pushed(client, "image", tag="v1")
    reply = client.ask("GET", "manifests/v1", Accept="*/*")
    assert (reply.status, reply.data) == (200, found.data)


@ALGORITHMS
def test_tags_come_along_with_a_digest(client: Client, algorithm: str) -> None:
    data = json.dumps({"schemaVersion": 2, **client.image(algorithm=algorithm)}).encode()
    digest, tags = digest_of(data, algorithm), [f"t{number}" for number in range(10)]
    query = "&".join(f"tag={tag}" for tag in tags)
    reply = client.ask("PUT", f"manifests/{digest}?{query}", data, content_type=IMAGE)
    assert reply.status == 201
    said = ", ".join(reply.headers.get_all("OCI-Tag", []))
    assert sorted(tag.strip() for tag in said.split(",")) == tags
    for tag in tags:
        found = client.ask("GET", f"manifests/{tag}")
        assert (found.data, found.headers["Docker-Content-Digest"]) == (data, digest)
    assert client.ask("GET", "tags/list").json["tags"] == tags


def test_a_tag_is_set_only_if_it_is_as_it_was(client: Client) -> None:
    first = pushed(client, "image", tag="v1")
    etag = client.ask("HEAD", "manifests/v1").headers["ETag"]
    second = first.data + b"\n"
    assert client.ask("PUT", "manifests/v1", second, content_type=IMAGE, if_match=etag).status == 201
    assert client.ask("PUT", "manifests/v1", first.data, content_type=IMAGE, if_match=etag).status == 412
    assert client.ask("GET", "manifests/v1").data == second


def test_a_tag_is_set_only_if_it_is_new(client: Client) -> None:
    first = pushed(client, "image", tag="v1")
    new = {"content_type": IMAGE, "if_none_match": "*"}
    assert client.ask("PUT", "manifests/v2", first.data, **new).status == 201
    assert client.ask("PUT", "manifests/v1", first.data + b"\n", **new).status == 412
    assert client.ask("GET", "manifests/v1").data == first.data


def test_what_the_client_has_is_not_sent_again(client: Client) -> None:
    pushed(client, "image", tag="v1")
    etag = client.ask("HEAD", "manifests/v1").headers["ETag"]
    reply = client.ask("GET", "manifests/v1", if_none_match=etag)
    assert (reply.status, reply.data) == (304, b"")
