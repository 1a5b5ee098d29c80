"""Pushing blobs by every route, and uploads that go wrong."""

from __future__ import annotations

import io

import pytest

from nv2.oci.digest import digest_of
from nv2.server.bodies import SizedBody
from nv2.server.messages import Body, Call, Disconnected
from nv2.server.registry import upload_routes
from nv2.server.registry.errors import Refusal
from nv2.server.registry.limits import Limits
from nv2.server.registry.request_names import Target
from tests.unit.server.calls import Heard
from tests.unit.server.registry.conftest import Shelf

HELLO = digest_of(b"hello")


def begin(shelf: Shelf, query: str = "") -> str:
    heard = shelf.ask("POST", f"a/blobs/uploads/{query}")
    assert (heard.status, heard.headers["Range"]) == (202, "0-0")
    return heard.headers["Location"].removeprefix("/v2/")


def files(shelf: Shelf) -> list[str]:
    return [file.name for file in (shelf.directory / "uploads").iterdir()]


def chunk(shelf: Shelf, upload: str, data: bytes, span: str) -> Heard:
    return shelf.ask("PATCH", upload, data, content_range=span)


def test_post_then_put(shelf: Shelf) -> None:
    heard = shelf.ask("PUT", f"{begin(shelf)}?digest={HELLO}", b"hello")
    assert heard.status == 201
    assert heard.headers["Location"] == f"/v2/a/blobs/{HELLO}"
    assert heard.headers["Docker-Content-Digest"] == HELLO
    assert files(shelf) == []


def test_in_chunks(shelf: Shelf) -> None:
    upload = begin(shelf)
    assert chunk(shelf, upload, b"he", "0-1").headers["Range"] == "0-1"
    assert chunk(shelf, upload, b"l", "2-2").headers["Range"] == "0-2"
    assert shelf.ask("PUT", f"{upload}?digest={HELLO}", b"lo", content_range="3-4").status == 201
    assert shelf.ask("GET", f"a/blobs/{HELLO}").data == b"hello"


def test_as_a_stream(shelf: Shelf) -> None:
    upload = begin(shelf)
    assert shelf.ask("PATCH", upload, b"hello").status == 202
    assert shelf.ask("PUT", f"{upload}?digest={HELLO}").status == 201


def test_in_chunks_with_another_algorithm_named_first_or_last(shelf: Shelf) -> None:
    digest = digest_of(b"hello", "sha512")
    for query in ("", "?digest-algorithm=sha512"):
        upload = begin(shelf, query)
        shelf.ask("PATCH", upload, b"hello")
        assert shelf.ask("PUT", f"{upload}?digest={digest}").status == 201


def test_an_empty_blob(shelf: Shelf) -> None:
    assert shelf.ask("PUT", f"{begin(shelf)}?digest={digest_of(b'')}").status == 201
    assert shelf.ask("GET", f"a/blobs/{digest_of(b'')}").data == b""


@pytest.mark.parametrize("span", ["0-1", "3-4", "nonsense", "5-2", "bytes 2-3/5"])
def test_a_chunk_out_of_order_is_refused_and_the_upload_goes_on(shelf: Shelf, span: str) -> None:
    upload = begin(shelf)
    chunk(shelf, upload, b"he", "0-1")
    heard = chunk(shelf, upload, b"xx", span)
    assert (heard.status, heard.headers["Range"]) == (416, "0-1")
    assert shelf.ask("PUT", f"{upload}?digest={HELLO}", b"xx", content_range=span).status == 416
    heard = shelf.ask("GET", upload)
    assert (heard.status, heard.headers["Range"], heard.headers["Location"]) == (204, "0-1", f"/v2/{upload}")
    assert shelf.ask("PUT", f"{upload}?digest={HELLO}", b"llo", content_range="2-4").status == 201


def test_a_chunk_of_another_length_than_its_range_is_refused(shelf: Shelf) -> None:
    heard = chunk(shelf, begin(shelf), b"hello", "0-3")
    assert (heard.status, heard.code) == (400, "SIZE_INVALID")


def test_a_wrong_digest_ends_the_upload(shelf: Shelf) -> None:
    upload = begin(shelf)
    heard = shelf.ask("PUT", f"{upload}?digest={HELLO}", b"hallo")
    assert (heard.status, heard.code) == (400, "DIGEST_INVALID")
    assert shelf.ask("GET", upload).code == "BLOB_UPLOAD_UNKNOWN"
    assert shelf.ask("GET", f"a/blobs/{HELLO}").status == 404
    assert files(shelf) == []


def test_a_wrong_digest_in_one_request_leaves_nothing(shelf: Shelf) -> None:
    heard = shelf.ask("POST", f"a/blobs/uploads/?digest={HELLO}", b"hallo")
    assert (heard.status, heard.code, files(shelf)) == (400, "DIGEST_INVALID", [])


@pytest.mark.parametrize("digest", ["", "sha256:short", "md5:abc", "sha384:" + "a" * 96, "x"])
def test_a_digest_that_cannot_be_checked_is_refused_and_the_upload_goes_on(shelf: Shelf, digest: str) -> None:
    upload = begin(shelf)
    heard = shelf.ask("PUT", f"{upload}?digest={digest}", b"hello")
    assert (heard.status, heard.code) == (400, "DIGEST_INVALID")
    assert shelf.ask("PUT", f"{upload}?digest={HELLO}", b"hello").status == 201


def test_an_upload_may_be_cancelled(shelf: Shelf) -> None:
    upload = begin(shelf)
    assert shelf.ask("DELETE", upload).status == 204
    assert shelf.ask("DELETE", upload).code == "BLOB_UPLOAD_UNKNOWN"
    assert files(shelf) == []


def test_an_upload_is_its_repositorys_own(shelf: Shelf) -> None:
    upload = begin(shelf)
    assert shelf.ask("GET", "b" + upload.removeprefix("a")).status == 404


class BrokenBody(SizedBody):
    def read(self, size: int) -> bytes:
        data = super().read(size)
        if not data:
            raise Disconnected
        return data


def test_an_upload_that_was_cut_off_continues_where_it_was(shelf: Shelf) -> None:
    upload = begin(shelf)
    target = Target("a", upload.rpartition("/")[2])
    with pytest.raises(Disconnected):
        upload_routes.add(shelf.storage, Call("PATCH", "", BrokenBody(io.BytesIO(b"hel"), 3)), target)
    assert shelf.ask("GET", upload).headers["Range"] == "0-2"
    assert shelf.ask("PUT", f"{upload}?digest={HELLO}", b"lo", content_range="3-4").status == 201


def test_what_a_write_that_failed_left_does_not_get_into_the_blob(shelf: Shelf) -> None:
    upload = begin(shelf)
    shelf.ask("PATCH", upload, b"hel")
    [file] = (shelf.directory / "uploads").iterdir()
    with file.open("ab") as left:
        left.write(b"left behind")
    assert shelf.ask("PUT", f"{upload}?digest={HELLO}", b"lo").status == 201
    assert shelf.ask("GET", f"a/blobs/{HELLO}").data == b"hello"


def test_two_requests_do_not_mix_in_one_upload(shelf: Shelf) -> None:
    upload = begin(shelf)
    with shelf.storage.uploads.find("a", upload.rpartition("/")[2]).alone():
        assert shelf.ask("PATCH", upload, b"hello").status == 409
        assert shelf.ask("DELETE", upload).status == 409
    assert shelf.ask("PATCH", upload, b"hello").status == 202


def test_there_are_only_so_many_uploads(shelf: Shelf) -> None:
    uploads = [begin(shelf) for _ in range(shelf.storage.limits.uploads)]
    heard = shelf.ask("POST", "a/blobs/uploads/")
    assert (heard.status, heard.code) == (429, "TOOMANYREQUESTS")
    assert "Retry-After" in heard.headers
    shelf.ask("DELETE", uploads[0])
    begin(shelf)


def test_uploads_that_nobody_continues_make_room(shelf: Shelf) -> None:
    impatient = Shelf(shelf.directory.with_name("impatient"), Limits(uploads=1, upload_rest=-1.0))
    first = begin(impatient)
    begin(impatient)
    assert impatient.ask("GET", first).status == 404
    assert len(files(impatient)) == 1
    impatient.storage.close()


def test_when_there_are_too_many_the_longest_resting_one_makes_room_and_none_that_is_worked_on(
    shelf: Shelf,
) -> None:
    full = Shelf(shelf.directory.with_name("full"), Limits(uploads=2, upload_yield=-1.0))
    first, second = begin(full), begin(full)
    assert full.ask("PATCH", first, b"hel").status == 202, "now the second rests longer"
    begin(full)
    assert [full.ask("GET", upload).status for upload in (first, second)] == [204, 404]
    with full.storage.uploads.find("a", first.rpartition("/")[2]).alone():
        third = begin(full)
        begin(full)
        assert [full.ask("GET", upload).status for upload in (first, third)] == [204, 404]
    full.storage.close()


def test_an_upload_that_is_worked_on_is_not_one_that_rests_too_long(shelf: Shelf) -> None:
    impatient = Shelf(shelf.directory.with_name("impatient"), Limits(uploads=2, upload_rest=-1.0))
    first = begin(impatient)
    with impatient.storage.uploads.find("a", first.rpartition("/")[2]).alone():
        begin(impatient)
        assert impatient.ask("GET", first).status == 204
    impatient.storage.close()


class Stream:
    """A body of a length that nobody said."""

    size = None

    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)

    def read(self, size: int) -> bytes:
        return self._data.read(min(size, 2))


@pytest.mark.parametrize("sized", [True, False], ids=["whose length is said", "in chunks"])
def test_an_upload_has_its_limit_however_many_requests_bring_it(shelf: Shelf, sized: bool) -> None:
    def add(upload: str, data: bytes) -> int:
        body: Body = SizedBody(io.BytesIO(data), len(data)) if sized else Stream(data)
        target, digest = Target("a", upload.rpartition("/")[2]), digest_of(b"hello")
        call = Call("PUT", "", body, query={"digest": (digest,)}, upload_limit=5)
        try:
            return upload_routes.finish(shelf.storage, call, target).status
        except Refusal as e:
            return e.status

    upload = begin(shelf)
    assert shelf.ask("PATCH", upload, b"hel").status == 202
    assert add(upload, b"lo!") == 413
    assert shelf.ask("GET", f"a/blobs/{HELLO}").status == 404
    other = begin(shelf)
    assert shelf.ask("PATCH", other, b"hel").status == 202
    assert add(other, b"lo") == 201


def test_a_blob_is_mounted_from_another_repository(shelf: Shelf) -> None:
    digest = shelf.push_blob(b"hello", "b/c")
    heard = shelf.ask("POST", f"a/blobs/uploads/?mount={digest}&from=b/c")
    assert (heard.status, heard.headers["Location"]) == (201, f"/v2/a/blobs/{digest}")
    assert shelf.ask("GET", f"a/blobs/{digest}").data == b"hello"


def test_a_blob_is_mounted_from_wherever_it_is(shelf: Shelf) -> None:
    digest = shelf.push_blob(b"hello", "b/c")
    assert shelf.ask("POST", f"a/blobs/uploads/?mount={digest}").status == 201


def test_what_cannot_be_mounted_may_be_uploaded(shelf: Shelf) -> None:
    shelf.push_blob(b"hello", "b")
    for query in (
        f"mount={HELLO}&from=c",
        f"mount={digest_of(b'other')}&from=b",
        f"mount={digest_of(b'other')}",
    ):
        begin(shelf, f"?{query}")


@pytest.mark.parametrize("query", ["mount=x", f"mount={HELLO}&from=../b", "digest-algorithm=md5"])
def test_malformed_names_in_the_query_are_refused(shelf: Shelf, query: str) -> None:
    assert shelf.ask("POST", f"a/blobs/uploads/?{query}").status == 400
