"""Blobs: pushing by every way, pulling whole and in ranges, mounting (distribution-spec, "Pull", "Push")."""

from __future__ import annotations

import pytest

from tests.contract.registry.client import Client, digest_of

ALGORITHMS = pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
STREAM = {"content_type": "application/octet-stream"}
DATA = bytes(range(256)) * 16
UNKNOWN = "sha256:" + "0" * 64


def pulled(client: Client, digest: str) -> bytes:
    reply = client.ask("GET", f"blobs/{digest}")
    assert reply.status == 200
    assert reply.headers.get("Docker-Content-Digest", digest) == digest
    return reply.data


@ALGORITHMS
@pytest.mark.parametrize("data", [b"", b"{}", DATA], ids=["empty", "small", "large"])
def test_a_blob_by_post_and_put_comes_back(client: Client, algorithm: str, data: bytes) -> None:
    digest = digest_of(data, algorithm)
    reply = client.finish(client.open(), digest, data, **STREAM)
    assert reply.status == 201
    assert pulled(client, digest) == data
    assert client.ask("GET", reply.place).data == data, "Location is where it can be pulled"


@ALGORITHMS
def test_a_blob_in_one_post_is_taken_or_begins_an_upload(client: Client, algorithm: str) -> None:
    digest = digest_of(DATA, algorithm)
    reply = client.ask("POST", f"blobs/uploads/?digest={digest}", DATA, **STREAM)
    if reply.status == 202:
        reply = client.finish(reply.place, digest, DATA, **STREAM)
    assert reply.status == 201
    assert pulled(client, digest) == DATA


@ALGORITHMS
def test_a_blob_in_chunks(client: Client, algorithm: str) -> None:
    digest = digest_of(DATA, algorithm)
    place = client.ask("POST", f"blobs/uploads/?digest-algorithm={algorithm}", content_length="0").place
    for first in range(0, 3072, 1024):
        chunk = DATA[first : first + 1024]
        reply = client.ask("PATCH", place, chunk, content_range=f"{first}-{first + 1023}", **STREAM)
        assert (reply.status, reply.headers["Range"]) == (202, f"0-{first + 1023}")
        place = reply.place
    assert client.finish(place, digest, DATA[3072:], content_range="3072-4095", **STREAM).status == 201
    assert pulled(client, digest) == DATA


@ALGORITHMS
def test_a_blob_whose_last_chunk_came_before_the_end(client: Client, algorithm: str) -> None:
    digest = digest_of(DATA, algorithm)
    place = client.ask("PATCH", client.open(), DATA, content_range="0-4095", **STREAM).place
    assert client.finish(place, digest).status == 201
    assert pulled(client, digest) == DATA


@ALGORITHMS
def test_a_blob_as_a_stream_without_a_length(client: Client, algorithm: str) -> None:
    digest = digest_of(DATA, algorithm)
    reply = client.ask("PATCH", client.open(), iter([DATA[:1000], DATA[1000:]]), **STREAM)
    assert reply.status == 202
    assert client.finish(reply.place, digest).status == 201
    assert pulled(client, digest) == DATA


def test_a_chunk_out_of_order_is_refused_and_the_upload_goes_on(client: Client) -> None:
    place = client.ask("PATCH", client.open(), DATA[:1024], content_range="0-1023", **STREAM).place
    late = client.ask("PATCH", place, DATA[2048:3072], content_range="2048-3071", **STREAM)
    assert late.status == 416
    status = client.ask("GET", place)
    assert (status.status, status.headers["Range"]) == (204, "0-1023")
    reply = client.finish(status.place, digest_of(DATA), DATA[1024:], content_range="1024-4095", **STREAM)
    assert reply.status == 201
    assert pulled(client, digest_of(DATA)) == DATA


def test_the_same_chunk_twice_is_refused(client: Client) -> None:
    place = client.ask("PATCH", client.open(), DATA[:1024], content_range="0-1023", **STREAM).place
    assert client.ask("PATCH", place, DATA[:1024], content_range="0-1023", **STREAM).status == 416


def test_a_last_chunk_out_of_order_is_refused(client: Client) -> None:
    place = client.ask("PATCH", client.open(), DATA[:1024], content_range="0-1023", **STREAM).place
    reply = client.finish(place, digest_of(DATA), DATA[2048:], content_range="2048-4095", **STREAM)
    assert reply.status == 416
    assert client.ask("HEAD", f"blobs/{digest_of(DATA)}").status == 404


def test_an_upload_says_how_far_it_got(client: Client) -> None:
    place = client.ask("PATCH", client.open(), DATA[:1024], content_range="0-1023", **STREAM).place
    reply = client.ask("GET", place)
    assert (reply.status, reply.headers["Range"]) == (204, "0-1023")
    assert reply.place


def test_an_upload_is_cancelled(client: Client) -> None:
    place = client.open()
    assert client.ask("DELETE", place).status == 204
    assert client.finish(place, digest_of(DATA), DATA, **STREAM).status == 404


def test_an_upload_that_never_began_cannot_go_on(client: Client) -> None:
    client.blob(b"x")
    assert client.ask("GET", "blobs/uploads/0193a0ac-0000-7000-8000-000000000000").status == 404


@ALGORITHMS
@pytest.mark.parametrize("way", ["put", "post", "chunk", "stream"])
def test_other_bytes_than_the_digest_says_are_refused(client: Client, algorithm: str, way: str) -> None:
    digest, wrong = digest_of(DATA, algorithm), DATA[:-1] + b"!"
    if way == "post":
        reply = client.ask("POST", f"blobs/uploads/?digest={digest}", wrong, **STREAM)
        if reply.status == 202:
            reply = client.finish(reply.place, digest, wrong, **STREAM)
    elif way == "put":
        reply = client.finish(client.open(), digest, wrong, **STREAM)
    else:
        body, more = (wrong, {"content_range": "0-4095"}) if way == "chunk" else (iter([wrong]), {})
        reply = client.finish(client.ask("PATCH", client.open(), body, **more, **STREAM).place, digest)
    assert reply.status == 400
    assert client.ask("HEAD", f"blobs/{digest}").status == 404


@pytest.mark.parametrize(
    "digest",
    ["sha256:baddigeststring", "sha256:" + "A" * 64, "md5:" + "0" * 32],
    ids=["no hex", "upper case", "md5"],
)
def test_a_push_by_what_is_no_digest_is_refused(client: Client, digest: str) -> None:
    assert client.finish(client.open(), digest, DATA, **STREAM).status == 400


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE"])
@pytest.mark.parametrize(
    "digest", ["sha256:baddigeststring", "sha256:" + "A" * 64], ids=["no hex", "upper case"]
)
def test_what_is_no_digest_is_nowhere(client: Client, digest: str, method: str) -> None:
    client.blob(b"x")
    assert client.ask(method, f"blobs/{digest}").status in (400, 404)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_what_was_never_pushed_is_not_there(client: Client, method: str) -> None:
    assert client.ask(method, f"blobs/{UNKNOWN}").status == 404
    client.blob(b"x")
    assert client.ask(method, f"blobs/{UNKNOWN}").status == 404


@ALGORITHMS
def test_a_head_says_what_a_get_brings(client: Client, algorithm: str) -> None:
    digest = client.blob(DATA, algorithm)["digest"]
    head = client.ask("HEAD", f"blobs/{digest}")
    assert (head.status, head.data, head.headers["Content-Length"]) == (200, b"", "4096")
    assert head.headers["Docker-Content-Digest"] == digest


@ALGORITHMS
@pytest.mark.parametrize(
    ("range_", "first", "end"),
    [
        ("bytes=500-1499", 500, 1500),
        ("bytes=500-", 500, 4096),
        ("bytes=-500", 3596, 4096),
        ("bytes=2000-5000", 2000, 4096),
        ("bytes=0-0", 0, 1),
    ],
    ids=str,
)
def test_a_range_of_a_blob(client: Client, algorithm: str, range_: str, first: int, end: int) -> None:
    digest = client.blob(DATA, algorithm)["digest"]
    reply = client.ask("GET", f"blobs/{digest}", range=range_)
    assert (reply.status, reply.data) == (206, DATA[first:end])
    assert reply.headers["Content-Range"] == f"bytes {first}-{end - 1}/4096"


@pytest.mark.parametrize("range_", ["bytes=5000-10000", "bytes=4096-"])
def test_a_range_past_the_end_is_refused(client: Client, range_: str) -> None:
    digest = client.blob(DATA)["digest"]
    assert client.ask("GET", f"blobs/{digest}", range=range_).status == 416


@ALGORITHMS
def test_a_blob_of_another_repository_is_mounted(client: Client, other: Client, algorithm: str) -> None:
    digest = other.blob(DATA, algorithm)["digest"]
    reply = client.ask("POST", f"blobs/uploads/?mount={digest}&from={other.repository}", content_length="0")
    assert reply.status == 201
    assert client.ask("GET", reply.place).data == DATA
    assert pulled(client, digest) == DATA


@ALGORITHMS
def test_a_blob_from_anywhere_is_mounted_or_uploaded(client: Client, other: Client, algorithm: str) -> None:
    digest = other.blob(DATA, algorithm)["digest"]
    reply = client.ask("POST", f"blobs/uploads/?mount={digest}", content_length="0")
    if reply.status == 202:
        reply = client.finish(reply.place, digest, DATA, **STREAM)
    assert reply.status == 201
    assert pulled(client, digest) == DATA


def test_a_mount_of_what_is_not_there_begins_an_upload(client: Client, other: Client) -> None:
    digest = digest_of(DATA)
    reply = client.ask("POST", f"blobs/uploads/?mount={digest}&from={other.repository}", content_length="0")
    assert reply.status == 202
    assert client.finish(reply.place, digest, DATA, **STREAM).status == 201


@ALGORITHMS
def test_a_blob_is_deleted(client: Client, algorithm: str) -> None:
    digest = client.blob(DATA, algorithm)["digest"]
    assert client.ask("DELETE", f"blobs/{digest}").status == 202
    assert client.ask("HEAD", f"blobs/{digest}").status == 404
    assert client.ask("GET", f"blobs/{digest}").status == 404
    assert client.ask("DELETE", f"blobs/{digest}").status == 404


def test_a_blob_that_is_deleted_here_is_still_elsewhere(client: Client, other: Client) -> None:
    digest = client.blob(DATA)["digest"]
    other.blob(DATA)
    client.ask("DELETE", f"blobs/{digest}")
    assert pulled(other, digest) == DATA


def test_a_blob_that_was_deleted_may_come_again(client: Client) -> None:
    digest = client.blob(DATA)["digest"]
    client.ask("DELETE", f"blobs/{digest}")
    client.blob(DATA)
    assert pulled(client, digest) == DATA
