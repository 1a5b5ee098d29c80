"""BER made DER."""

from __future__ import annotations

import pytest

from nv2.pki import ber, der
from tests.world.tsa import NULL, OCTETS, SEQUENCE, in_parts, indefinite, tlv

LONG = tlv(OCTETS, bytes(300))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (tlv(SEQUENCE, LONG, NULL), tlv(SEQUENCE, LONG, NULL)),
        (indefinite(SEQUENCE, indefinite(0xA0, LONG), NULL), tlv(SEQUENCE, tlv(0xA0, LONG), NULL)),
        (b"\x30\x84\0\0\0\x02" + NULL, tlv(SEQUENCE, NULL)),
        (b"\x04\x81\x01x", tlv(OCTETS, b"x")),
        (in_parts(bytes(300)), LONG),
        (indefinite(0x24, in_parts(b"abc", 1), tlv(OCTETS, b"d")), tlv(OCTETS, b"abcd")),
        (tlv(0x24), tlv(OCTETS)),
    ],
)
def test_one_value_has_one_form(given: bytes, expected: bytes) -> None:
    assert ber.to_der(given) == expected


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (b"", "cut short"),
        (b"\x30", "cut short"),
        (b"\x30\x05\x05\x00", "cut short"),
        (b"\x30\x82\x01", "cut short"),
        (b"\x30\x80\x05\x00", "cut short"),
        (b"\x30\x80\x05\x00\x00", "cut short"),
        (b"\x04\x80x\0\0", "must not be indefinite"),
        (tlv(SEQUENCE, b"\0\0"), "not expected"),
        (b"\x1f\x81\x01\x00", "not expected"),
        (NULL + NULL, "trailing bytes"),
        (tlv(0x24, NULL), "tag 0x05"),
    ],
)
def test_what_has_no_form_is_refused(given: bytes, said: str) -> None:
    with pytest.raises(der.NotDer, match=said):
        ber.to_der(given)


def test_nesting_has_an_end() -> None:
    data = NULL
    for _ in range(ber.MAX_DEPTH):
        data = indefinite(SEQUENCE, data)
    assert der.read(ber.to_der(data))
    with pytest.raises(der.NotDer, match="deeper"):
        ber.to_der(indefinite(SEQUENCE, data))


def test_elements_are_counted() -> None:
    with pytest.raises(der.NotDer, match="more elements"):
        ber.to_der(tlv(SEQUENCE, NULL * ber.MAX_ELEMENTS))
