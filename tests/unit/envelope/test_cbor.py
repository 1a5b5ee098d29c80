from __future__ import annotations

import math
from typing import Any

import cbor2
import pytest

from nv2.envelope import cbor
from nv2.errors import MalformedEnvelope


def decode(data: bytes) -> Any:
    return cbor.decode(data, MalformedEnvelope, at="here")


INTEGERS = [0, 23, 24, 255, 256, 65535, 65536, 2**32 - 1, 2**32, 2**63 - 1]
NEGATIVE = [-1, -24, -25, -256, -257, -(2**63)]
STRINGS = [b"", b"x" * 24, b"x" * 70_000, "", "ü" * 300]
OTHERS = [[], [1, [2, []]], {}, {1: "a", -1: {}, "b": [b"c"]}, True, False, None]


@pytest.mark.parametrize("value", [*INTEGERS, *NEGATIVE, *STRINGS, *OTHERS])
def test_it_writes_what_cbor2_writes_and_reads_it_back(value: Any) -> None:
    data = cbor.encode(value)
    assert data == cbor2.dumps(value)
    assert decode(data) == value


def test_labels_are_sorted_by_their_bytes() -> None:
    assert cbor.encode({"aa": 1, 33: 2, "b": 3, -1: 4, 1: 5}) == bytes.fromhex(
        "a501051821022004616203626161 01"
    )


def test_tags_are_kept() -> None:
    assert decode(cbor2.dumps(cbor2.CBORTag(1, 7))) == cbor.Tag(1, 7)
    assert cbor.encode(cbor.Tag(1, 7)) == cbor2.dumps(cbor2.CBORTag(1, 7))


@pytest.mark.parametrize("value", [1.5, -0.0, 1e300, 100000.0])
def test_floats_are_read(value: float) -> None:
    assert decode(cbor2.dumps(value)) == value
    assert decode(cbor2.dumps(value, canonical=True)) == value
    assert math.isnan(decode(bytes.fromhex("f97e00")))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("", "cut short"),
        ("18", "cut short"),
        ("1900", "cut short"),
        ("4401", "cut short"),
        ("5bffffffffffffffff00", "cut short"),
        ("9bffffffffffffffff00", "more than 10000 items"),
        ("bb7fffffffffffffff0000", "more than 10000 items"),
        ("a1", "cut short"),
        ("a101", "cut short"),
        ("c1", "cut short"),
        ("f97e", "cut short"),
        ("0000", "1 bytes after the end"),
        ("1b8000000000000000", "more than 63 bits"),
        ("3b8000000000000000", "more than 63 bits"),
        ("1817", "not minimal"),
        ("190017", "not minimal"),
        ("1900ff", "not minimal"),
        ("1a0000ffff", "not minimal"),
        ("1b00000000ffffffff", "not minimal"),
        ("3817", "not minimal"),
        ("580101", "not minimal"),
        ("d81200", "not minimal"),
        ("5f4101ff", "indefinite or reserved"),
        ("7f6161ff", "indefinite or reserved"),
        ("9f01ff", "indefinite or reserved"),
        ("bf0101ff", "indefinite or reserved"),
        ("1c", "indefinite or reserved"),
        ("df", "indefinite or reserved"),
        ("ff", "unknown simple value"),
        ("f7", "unknown simple value"),
        ("f0", "unknown simple value"),
        ("f818", "unknown simple value"),
        ("a201000100", "duplicate label 1"),
        ("a2616100616101", "duplicate label 'a'"),
        ("a1410000", "neither an integer nor text"),
        ("a1f500", "neither an integer nor text"),
        ("a1f600", "neither an integer nor text"),
        ("a1800000", "neither an integer nor text"),
        ("a1c10000", "neither an integer nor text"),
        ("a1f93c0000", "neither an integer nor text"),
        ("61ff", "not UTF-8"),
        ("63eda080", "not UTF-8"),
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(data: str, words: str) -> None:
    with pytest.raises(MalformedEnvelope, match=words) as caught:
        decode(bytes.fromhex(data))
    assert caught.value.at == "here"


@pytest.mark.parametrize("opening", [b"\x81", b"\xa1\x00", b"\xc1"])
def test_deep_nesting_is_refused(opening: bytes) -> None:
    assert decode(opening * cbor.MAX_DEPTH + b"\x00") is not None
    with pytest.raises(MalformedEnvelope, match="nested deeper"):
        decode(opening * (cbor.MAX_DEPTH + 1) + b"\x00")
    with pytest.raises(MalformedEnvelope, match="nested deeper"):
        decode(opening * 100_000)


@pytest.mark.parametrize("value", [1.5, {1}, object(), 2**64, -(2**64) - 1])
def test_what_it_cannot_write_is_a_programming_error(value: object) -> None:
    with pytest.raises(TypeError, match="no CBOR"):
        cbor.encode(value)


@pytest.mark.parametrize("item", [b"\x80", b"\xa0"])
def test_the_members_of_all_arrays_and_maps_together_have_a_limit(item: bytes) -> None:
    half = b"\x99" + (cbor.MAX_ITEMS // 2).to_bytes(2, "big") + item * (cbor.MAX_ITEMS // 2)
    assert len(decode(half)) == cbor.MAX_ITEMS // 2
    with pytest.raises(MalformedEnvelope, match="more than 10000 items"):
        decode(b"\x82" + half + half)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a date that is a number", b"\xc0\x00"),
        ("a date that is no date", b"\xc0\x63abc"),
        ("a date that is in no calendar", b"\xc0\x74" + b"2026-13-01T00:00:00Z"),
        ("an epoch time that is a text", b"\xc1\x61a"),
        ("an epoch time that is true", b"\xc1\xf5"),
        ("an epoch time that is not a number", b"\xc1\xf9\x7e\x00"),
        ("a big integer that is a number", b"\xc2\x01"),
        ("a negative big integer that is a text", b"\xc3\x61a"),
    ],
)
def test_a_tag_holds_what_it_is_for(name, data):
    value = cbor.decode(data, MalformedEnvelope)
    assert cbor.misused_tag(value) == data[0] & 0x1F
    assert cbor.misused_tag({"a": [1, value]}) == data[0] & 0x1F


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"\xc0\x74" + b"2026-12-01T00:00:00Z", cbor.Tag(0, "2026-12-01T00:00:00Z")),
        (b"\xc1\x01", cbor.Tag(1, 1)),
        (b"\xc2\x41\x01", cbor.Tag(2, b"\x01")),
        (b"\xd8\x2a\x01", cbor.Tag(42, 1)),
    ],
)
def test_other_tags_are_kept(data, value):
    assert cbor.decode(data, MalformedEnvelope) == value
    assert cbor.misused_tag(value) is None
