"""What breaks in the middle of a blob goes on where it broke: downloads by range, uploads by pieces."""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, NamedTuple

import pytest

from nv2.content.interface import Opener, opener
from nv2.content.remote import downloads, pieces, uploads
from nv2.errors import BadAnswer, ContentMismatch, Refused, Unreachable
from nv2.home.unfinished_uploads import FileUploadNotes
from nv2.oci import media_types as mt
from nv2.oci.descriptor import Descriptor, describe
from nv2.transport.failures import Cut
from nv2.transport.interface import MAX_METADATA, TOTAL_TIMEOUT, Pending, Request, Response
from tests.unit.content.remote.registry_world import World
from tests.world.network import FunctionTransport

CONTENT = bytes(range(256)) * 64
BLOB = describe(CONTENT, mt.OCTET_STREAM)
SIZE = len(CONTENT)
WHOLE = opener(CONTENT)


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "WHOLE", 1000)
    monkeypatch.setattr(pieces, "PIECE", 4096)
    for module in (downloads, pieces):
        monkeypatch.setattr(module, "PROGRESS", 1024)


class Cutting(io.RawIOBase, BinaryIO):
    """The first `count` bytes of a stream; then the line is cut."""

    def __init__(self, stream: BinaryIO, count: int) -> None:
        super().__init__()
        self._stream = stream
        self._left = count

    def read(self, size: int = -1, /) -> bytes:
        if not self._left:
            raise Cut("cut", at="registry.test")
        data = self._stream.read(min(size, self._left) if size >= 0 else self._left)
        self._left -= len(data)
        return data


def download(world: World, *cuts: int, change: Callable[[Response], Response] = lambda r: r) -> bytes:
    """The blob, through a line that is cut after so many bytes, time and again."""
    world.registry.repository("app").add_blob(CONTENT)
    left = list(cuts)

    def line(request: Request) -> Response:
        response = change(world.registry(request))
        return response._replace(stream=Cutting(response.stream, left.pop(0))) if left else response

    with world.store(transport=FunctionTransport(line)).open(BLOB) as stream:
        return b"".join(iter(lambda: stream.read(1000), b""))


def test_a_download_that_breaks_several_times_asks_for_the_rest_each_time() -> None:
    world = World()
    assert download(world, 5000, 2000, 1500) == CONTENT
    asked = [r.headers.get("Range") for r in world.asked("GET", "/blobs/")]
    assert asked == [None, "bytes=5000-", "bytes=7000-", "bytes=8500-"]
    assert world.naps == []


def test_a_registry_that_no_rangess_sends_the_beginning_again_and_it_is_skipped() -> None:
    assert download(World("no_ranges"), 5000, 7000) == CONTENT


def test_a_download_without_progress_is_given_up_after_a_few_pauses() -> None:
    world = World()
    with pytest.raises(Unreachable, match="cut"):
        download(world, 5000, *[10] * 20)
    assert world.naps == list(downloads.PAUSES)


def test_a_download_whose_rest_is_of_something_else_is_found_out() -> None:
    def forged(response: Response) -> Response:
        if response.status != 206:
            return response
        return response._replace(stream=io.BytesIO(bytes(SIZE - 5000)))

    with pytest.raises(ContentMismatch):
        download(World(), 5000, change=forged)


@pytest.mark.parametrize(
    "said", ["bytes 0-100/16384", f"bytes 5000-{SIZE - 1}/99999", "5000-", "", "bytes 4999-16383/16384"]
)
def test_a_download_that_goes_on_elsewhere_than_asked_is_an_error(said: str) -> None:
    def moved(response: Response) -> Response:
        return response._replace(headers={**response.headers, "content-range": said})

    with pytest.raises(BadAnswer, match="asked for byte 5000"):
        download(World(), 5000, change=moved)


def test_a_download_that_ends_without_saying_whether_it_is_whole_is_asked_for_the_rest() -> None:
    def short(response: Response) -> Response:
        if response.status == 206:
            return response
        headers = {name: value for name, value in response.headers.items() if name != "content-length"}
        return response._replace(headers=headers, stream=io.BytesIO(CONTENT[:6000]))

    assert download(World(), change=short) == CONTENT


def test_a_download_that_has_come_whole_is_not_asked_for_more_though_its_end_is_vague() -> None:
    def vague(response: Response) -> Response:
        headers = {name: value for name, value in response.headers.items() if name != "content-length"}
        return response._replace(headers=headers)

    world = World()
    assert download(world, change=vague) == CONTENT
    assert len(world.asked("GET", "/blobs/")) == 1


def test_a_download_that_is_wound_to_where_it_is_asks_for_nothing() -> None:
    world = World()
    world.registry.repository("app").add_blob(CONTENT)
    with downloads.Download(world.store()._endpoint, BLOB, lambda _: None) as stream:
        stream.read(100)
        stream.seek(stream.tell())
        assert len(world.asked("GET", "/blobs/")) == 1
        stream.seek(9000)
        assert stream.read(10) == CONTENT[9000:9010]
        assert len(world.asked("GET", "/blobs/")) == 2


def test_a_blob_that_is_shorter_than_its_descriptor_says_is_wrong_and_not_cut() -> None:
    world = World()
    world.registry.repository("app").blobs[BLOB.digest] = CONTENT[:-1]
    with world.store().open(BLOB) as stream, pytest.raises(ContentMismatch, match="instead of"):
        while stream.read(1000):
            pass
    assert len(world.asked("GET", "/blobs/")) == 1


class Line:
    """A line to the registry whose bodies of PATCH are cut after so many bytes, time and again."""

    def __init__(self, world: World, *cuts: int) -> None:
        self._world = world
        self._cuts = list(cuts)

    def __call__(self, request: Request) -> Response:
        body = request.body
        if request.method == "PATCH" and self._cuts and body is not None:
            cut = self._cuts.pop(0)
            request = request._replace(body=lambda: Cutting(body(), cut))
        return self._world.registry(request)


def upload(world: World, *cuts: int, source: Opener = WHOLE, notes: FileUploadNotes | None = None) -> None:
    world.store(transport=FunctionTransport(Line(world, *cuts)), uploads=notes, push=True).push(BLOB, source)


def kept(world: World) -> bytes | None:
    return world.registry.repository("app").blobs.get(BLOB.digest)


def places(world: World) -> list[str]:
    return [r.headers["Content-Range"] for r in world.asked("PATCH")]


def test_a_large_blob_is_sent_in_pieces() -> None:
    world = World()
    upload(world)
    assert kept(world) == CONTENT
    assert places(world) == ["0-4095", "4096-8191", "8192-12287", "12288-16383"]
    assert [r.body_size for r in world.asked("PUT", "/blobs/")] == [0]


def test_a_small_blob_is_not() -> None:
    world = World()
    world.store(push=True).push(describe(b"small", mt.OCTET_STREAM), opener(b"small"))
    assert not world.asked("PATCH")


def test_pieces_are_as_long_as_the_registry_wants_them() -> None:
    world = World("long_pieces")
    upload(world)
    assert places(world) == ["0-4999", "5000-9999", "10000-14999", "15000-16383"]


def test_an_upload_that_breaks_asks_how_far_it_is_and_goes_on_there() -> None:
    world = World()
    upload(world, 4096, 3000, 2048)
    assert kept(world) == CONTENT
    assert len(world.asked("POST")) == 1
    assert places(world)[1:3] == ["4096-8191", "7096-11191"]
    assert world.naps == []


class Forward(io.BytesIO):
    """Bytes that cannot be wound."""

    def seekable(self) -> bool:
        return False


def test_a_source_that_cannot_be_wound_is_read_again_up_to_there() -> None:
    world = World()
    upload(world, 3000, source=lambda: Forward(CONTENT))
    assert kept(world) == CONTENT


def test_an_upload_without_progress_is_given_up_after_a_few_pauses() -> None:
    world = World()
    with pytest.raises(Unreachable, match="cut"):
        upload(world, *[10] * 20)
    assert world.naps == list(pieces.PAUSES)


def test_a_source_that_breaks_is_not_taken_for_the_registry() -> None:
    world = World()
    with pytest.raises(Unreachable, match="cut"):
        upload(world, source=lambda: Cutting(io.BytesIO(CONTENT), 6000))
    assert len(places(world)) == 2
    assert not world.asked("GET")


def test_content_that_is_wrong_is_found_before_the_upload_is_ended() -> None:
    from nv2.content.checked_stream import CheckedStream

    world = World()
    with pytest.raises(ContentMismatch):
        upload(world, source=lambda: CheckedStream(io.BytesIO(bytes(SIZE)), BLOB))
    assert not world.asked("PUT")


def test_a_registry_that_takes_no_pieces_gets_the_blob_whole() -> None:
    world = World("no_pieces")
    upload(world)
    assert kept(world) == CONTENT
    assert [r.body_size for r in world.asked("PUT", "/blobs/")] == [SIZE]


def test_a_registry_that_ended_the_upload_with_the_last_piece_is_believed_once_it_has_the_blob() -> None:
    world = World("lost_end")
    upload(world)
    assert kept(world) == CONTENT


def test_with_amazons_registry_every_piece_is_sent_once_though_its_range_stays_at_the_first() -> None:
    world = World("piece_201", "stuck_range")
    upload(world)
    assert kept(world) == CONTENT
    assert [r.body_size for r in world.asked("PATCH")] == [4096] * 4
    assert not world.asked("GET", "/uploads/") and len(world.asked("POST")) == 1


def test_a_registry_that_does_not_say_how_far_it_is_gets_the_blob_whole() -> None:
    world = World("stuck_range")
    upload(world)
    assert kept(world) == CONTENT
    assert [r.body_size for r in world.asked("PUT", "/blobs/")] == [SIZE]


def test_an_upload_that_the_registry_forgot_begins_anew() -> None:
    world = World()
    world.registry.before("GET", "/uploads/", world.registry.repository("app").uploads.clear)
    upload(world, 5)
    assert kept(world) == CONTENT
    assert len(world.asked("POST")) == 2


@pytest.mark.parametrize("status", [400, 404, 416])
def test_an_upload_that_the_registry_gave_up_when_it_was_cut_begins_anew(status: int) -> None:
    world = World()
    world.registry.fail("GET", "/uploads/", status=status)
    upload(world, 3000)
    assert kept(world) == CONTENT
    assert len(world.asked("POST")) == 2


@pytest.fixture
def notes(tmp_path: Path) -> FileUploadNotes:
    return FileUploadNotes(tmp_path / "uploads")


def killed(world: World, notes: FileUploadNotes) -> None:
    """A run that ends in the middle of the third piece and says nothing."""

    def dies() -> BinaryIO:
        return Cutting(io.BytesIO(CONTENT), 10_000)

    with pytest.raises(Unreachable):
        upload(world, source=dies, notes=notes)


def test_a_second_run_goes_on_with_the_upload_of_the_first(notes: FileUploadNotes, tmp_path: Path) -> None:
    world = World()
    killed(world, notes)
    before = len(places(world))
    upload(world, notes=FileUploadNotes(tmp_path / "uploads"))
    assert kept(world) == CONTENT
    assert len(world.asked("POST")) == 1
    assert places(world)[before].startswith("10000-")  # what arrived of the third piece counts, too
    assert not list((tmp_path / "uploads").iterdir())


def test_a_second_run_begins_anew_where_the_registry_has_forgotten(notes: FileUploadNotes) -> None:
    world = World()
    killed(world, notes)
    world.registry.repository("app").uploads.clear()
    upload(world, notes=notes)
    assert kept(world) == CONTENT
    assert len(world.asked("POST")) == 2


def test_an_old_upload_that_does_not_fit_the_digest_begins_anew(notes: FileUploadNotes) -> None:
    world = World()
    killed(world, notes)
    sessions = world.registry.repository("app").uploads
    sessions.update({name: bytes(len(data)) for name, data in sessions.items()})
    upload(world, notes=notes)
    assert kept(world) == CONTENT


def test_nothing_is_remembered_of_what_was_sent(notes: FileUploadNotes) -> None:
    upload(World(), notes=notes)
    assert notes.claim(f"registry.test/app@{BLOB.digest}") is None


@pytest.mark.parametrize("step", [2048, 1])
def test_a_registry_that_goes_back_and_forth_makes_no_progress(step: int) -> None:
    """For ever, otherwise: each way forth looks like some."""
    world = World()
    places_said = itertools.cycle([f"0-{step - 1}", "0-0"])
    said = ""

    def swaying(request: Request) -> Response:
        nonlocal said
        response = world.registry(request)
        if request.method not in ("PATCH", "GET"):
            return response
        said = next(places_said) if request.method == "PATCH" else said
        location = next(iter(world.registry.repository("app").uploads))
        headers = {"range": said, "location": f"/v2/app/blobs/uploads/{location}"}
        return response._replace(status=202, headers=headers)

    world.registry.quirks.add("stale_pieces")
    store = world.store(transport=FunctionTransport(swaying), push=True)
    with pytest.raises(BadAnswer, match="lost its place"):
        store.push(BLOB, WHOLE)
    assert len(places(world)) <= 2 * len(pieces.PAUSES)


def test_a_range_of_one_byte_is_how_registries_say_that_they_have_none() -> None:
    world = World()

    def opening(request: Request) -> Response:
        response = world.registry(request)
        if request.method == "POST":
            return response._replace(headers={**response.headers, "range": "0-0"})
        return response

    world.store(transport=FunctionTransport(opening), push=True).push(BLOB, WHOLE)
    assert places(world)[0] == "0-4095"
    assert kept(world) == CONTENT


def test_a_piece_that_is_refused_in_the_middle_is_sent_where_the_registry_says() -> None:
    world = World()
    upload_of = world.registry.repository("app").uploads

    def loses_some() -> None:
        for name, data in upload_of.items():
            upload_of[name] = data[:6000]

    world.registry.before("PATCH", "/uploads/", lambda: None)
    world.registry.before("PATCH", "/uploads/", lambda: None)
    world.registry.before("PATCH", "/uploads/", loses_some)
    upload(world)
    assert kept(world) == CONTENT
    assert places(world)[2:4] == ["8192-12287", "6000-10095"]
    assert len(world.asked("POST")) == 1


def test_a_new_upload_whose_end_is_refused_is_not_tried_another_way() -> None:
    world = World()
    world.registry.fail("PUT", "digest=", status=400)
    with pytest.raises(BadAnswer, match="answered 400"):
        upload(world)
    assert len(world.asked("POST")) == 1


def test_a_large_blob_has_the_time_that_it_takes_and_a_small_one_has_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(uploads, "WHOLE", 2 * MAX_METADATA)
    world = World()
    for size in (100, MAX_METADATA + 1):
        data = bytes(size)
        world.store(push=True).push(describe(data, mt.OCTET_STREAM), opener(data))
    assert [request.total_timeout for request in world.asked("PUT", "/blobs/")] == [TOTAL_TIMEOUT, None]


def test_a_registry_that_says_it_has_more_than_there_is_is_not_believed(notes: FileUploadNotes) -> None:
    world = World()
    killed(world, notes)
    sessions = world.registry.repository("app").uploads
    sessions.update({name: data + bytes(SIZE) for name, data in sessions.items()})
    with pytest.raises(BadAnswer, match="says that it has"):
        upload(world, notes=notes)


def test_a_mount_that_is_refused_is_not_tried_again_and_the_blob_is_sent() -> None:
    world = World()
    world.registry.repository("other").add_blob(CONTENT)
    source, store = world.store("other"), world.store(push=True)
    world.registry.fail("POST", "mount=", status=403)
    other: Descriptor = describe(b"other", mt.OCTET_STREAM)
    assert not store.mount(BLOB, source)
    assert not store.mount(other, source)
    assert len(world.asked("POST", "mount=")) == 1
    without_token = world.store(push=True)
    world.registry.fail("POST", "mount=", error=Refused("no token for both"))
    assert not without_token.mount(BLOB, source)
    assert not without_token.mount(other, source)
    assert len(world.asked("POST", "mount=")) == 2
    store.push(BLOB, source=lambda: source.open(BLOB))
    assert kept(world) == CONTENT


def test_a_directory_that_cannot_be_written_costs_only_the_memory(tmp_path: Path) -> None:
    (tmp_path / "uploads").write_text("a file")
    world = World()
    upload(world, notes=FileUploadNotes(tmp_path / "uploads"))
    assert kept(world) == CONTENT


def test_a_source_is_opened_while_the_upload_is_and_closed_if_that_is_refused() -> None:
    world = World()
    small = describe(b"small", mt.OCTET_STREAM)
    streams: list[io.BytesIO] = []
    opened_before_the_answer: list[int] = []

    def source() -> BinaryIO:
        streams.append(io.BytesIO(b"small"))
        return streams[-1]

    class Waiting(NamedTuple):
        pending: Pending

        def response(self) -> Response:
            opened_before_the_answer.append(len(streams))
            return self.pending.response()

    class Slow(FunctionTransport):
        def start(self, request: Request) -> Pending:
            return Waiting(super().start(request))

    store = world.store(transport=Slow(world.registry), push=True)
    world.registry.fail("POST", "/uploads/", status=403)
    with pytest.raises(Refused):
        store.push(small, source)
    assert opened_before_the_answer == [1]
    assert streams[0].closed
    store.push(small, source)
    assert len(streams) == 2
