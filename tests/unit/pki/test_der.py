from __future__ import annotations

from collections.abc import Callable

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
