import io

import pytest

from nv2.content.checked_stream import CheckedStream
from nv2.errors import ContentMismatch
from nv2.oci.descriptor import Descriptor, describe
from nv2.oci.digest import Digest

BLOB = describe(b"some content", "text/plain")


def test_content_passes_in_pieces_of_any_size() -> None:
    stream = CheckedStream(io.BytesIO(b"some content"), BLOB)
    assert [stream.read(5), stream.read(100), stream.read(1), stream.read()] == [
        b"some ",
        b"content",
        b"",
        b"",
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"some contenT", "the content has digest sha256:"),
        (b"some conten", "the content has 11 bytes instead of 12"),
        (b"some content.", "the content has more than 12 bytes"),
    ],
)
def test_other_content_is_refused_at_its_end(content: bytes, message: str) -> None:
    with pytest.raises(ContentMismatch) as caught, CheckedStream(io.BytesIO(content), BLOB) as stream:
        stream.read()
    assert caught.value.message.startswith(message)
    assert caught.value.at == BLOB.digest


def test_a_source_without_end_is_stopped_at_the_size_that_was_said() -> None:
    class Endless(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            return b"x" * (size or 0)

    stream = CheckedStream(Endless(), BLOB)
    with pytest.raises(ContentMismatch):
        while stream.read(10):
            pass


def test_closing_closes_the_source() -> None:
    source = io.BytesIO(b"some content")
    CheckedStream(source, BLOB).close()
    assert source.closed


def test_content_that_cannot_be_checked_is_refused_and_its_source_closed() -> None:
    source = io.BytesIO(b"some content")
    with pytest.raises(ContentMismatch):
        CheckedStream(source, Descriptor("text/plain", Digest("md5:abc"), 12))
    assert source.closed
