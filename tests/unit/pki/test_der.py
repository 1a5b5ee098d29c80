from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from nv2.pki import der


@pytest.mark.parametrize(
    "data",
    [
        "",
        "30",
        "3001",
        "3080",
        "308000",
        "308101",
        "30817f" + "00" * 127,
        "30820080" + "00" * 128,
        "30850000000001" + "00",
        "3084ffffffff",
        "1f8100",
        "3f00",
    ],
)
def test_lengths_and_tags_that_are_not_der_are_refused(data: str) -> None:
    with pytest.raises(der.NotDer):
        der.read(bytes.fromhex(data))


def test_an_element_knows_its_bytes_and_its_end() -> None:
    element, end = der.read(bytes.fromhex("ff0401420000"), 1)
    assert (element.tag, element.content, element.raw, end) == (4, b"\x42", b"\x04\x01\x42", 4)


def test_trailing_bytes_are_refused() -> None:
    with pytest.raises(der.NotDer, match="trailing"):
        der.single(b"\x30\x00\x00", der.SEQUENCE)


@pytest.mark.parametrize(
    ("data", "dotted"),
    [("0603550403", "2.5.4.3"), ("06022a03", "1.2.3"), ("0603883703", "2.999.3"), ("060100", "0.0")],
)
def test_object_identifiers_are_dotted(data: str, dotted: str) -> None:
    assert der.object_identifier(der.read(bytes.fromhex(data))[0]) == dotted


@pytest.mark.parametrize(
    ("read", "data"),
    [
        (der.object_identifier, "0600"),
        (der.object_identifier, "060180"),
        (der.object_identifier, "06022a83"),
        (der.object_identifier, "06032a8001"),
        (der.integer, "0200"),
        (der.integer, "02020001"),
        (der.integer, "0202ff80"),
        (der.boolean, "010101"),
        (der.boolean, "0100"),
        (der.boolean, "0201ff"),
        (der.bits, "0300"),
        (der.bits, "030108"),
        (der.bits, "030101"),
        (der.bits, "03020701ff"[:8]),
        (der.bits, "03020781"),
    ],
)
def test_values_that_are_not_der_are_refused(read: Callable[[der.Element], object], data: str) -> None:
    with pytest.raises(der.NotDer):
        read(der.read(bytes.fromhex(data))[0])


def test_bits_are_counted_from_the_first() -> None:
    assert der.bits(der.read(bytes.fromhex("0303078180"))[0]) == {0, 7, 8}


def test_integers_may_be_negative() -> None:
    assert der.integer(der.read(bytes.fromhex("0202ff00"))[0]) == -256


def test_an_object_identifier_has_a_limit() -> None:
    content = b"\x81" * der.MAX_OBJECT_IDENTIFIER + b"\x01"
    with pytest.raises(der.NotDer, match="more than 128 bytes"):
        der.object_identifier(der.Element(der.OBJECT_IDENTIFIER, content, b""))


@pytest.mark.parametrize(
    ("tag", "text", "instant"),
    [
        (der.UTC_TIME, "491231235959Z", datetime(2049, 12, 31, 23, 59, 59, tzinfo=UTC)),
        (der.UTC_TIME, "500101000000Z", datetime(1950, 1, 1, tzinfo=UTC)),
        (der.GENERALIZED_TIME, "20260102030405Z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
    ],
)
def test_times_are_read_to_the_second(tag: int, text: str, instant: datetime) -> None:
    assert der.instant(der.Element(tag, text.encode(), b"")) == instant


@pytest.mark.parametrize(
    ("tag", "text"),
    [
        (der.UTC_TIME, "20260102030405Z"),
        (der.UTC_TIME, "2601020304Z"),
        (der.GENERALIZED_TIME, "260102030405Z"),
        (der.GENERALIZED_TIME, "20260102030405.5Z"),
        (der.GENERALIZED_TIME, "202601020304050"),
        (der.GENERALIZED_TIME, "20260102030405+0000"),
        (der.GENERALIZED_TIME, "20261302030405Z"),
        (der.GENERALIZED_TIME, "20260102036105Z"),
        (der.GENERALIZED_TIME, "00000101000000Z"),
        (der.GENERALIZED_TIME, "2026 1 2030405Z"),
        (der.OCTET_STRING, "20260102030405Z"),
        (der.UTC_TIME, ""),
    ],
)
def test_times_that_are_written_otherwise_are_refused(tag: int, text: str) -> None:
    with pytest.raises(der.NotDer):
        der.instant(der.Element(tag, text.encode(), b""))


@pytest.mark.parametrize("size", [0, 1, 127, 128, 255, 256, 65535, 65536])
def test_what_is_written_is_read_again_with_or_without_a_copy(size: int) -> None:
    data = b"\0" + der.write(der.OCTET_STRING, bytes(size)) + b"\0"
    element, end = der.read(data, 1)
    assert (element.tag, element.content, end) == (der.OCTET_STRING, bytes(size), len(data) - 1)
    assert der.span(data, 1) == (der.OCTET_STRING, end - size, end)
