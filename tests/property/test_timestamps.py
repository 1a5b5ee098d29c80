"""Whatever is changed in a timestamp, it proves nothing any more."""

from __future__ import annotations

from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nv2.errors import InvalidTimestamp
from nv2.pki import ber, der
from nv2.pki.certificate import parse_certificate
from nv2.pki.timestamp import parse_token
from nv2.pki.timestamp_chain import timestamp_chain
from tests.world.tsa import TSA, in_parts, indefinite, tlv

WHAT = b"the signature"
CLOCKS = {key: TSA("Clock", key=key) for key in ("EC-256", "RSA-2048")}
KINDS = (
    ("EC-256", "", "PKCS1"),
    ("EC-256", "parts", "PKCS1"),
    ("RSA-2048", "", "PSS"),
    ("RSA-2048", "", "named"),
)


@cache
def token(key: str, form: str, padding: str) -> bytes:
    return CLOCKS[key].token(WHAT, nonce=1, ber=form, padding_=padding)


def passes(key: str, data: bytes) -> bool:
    try:
        opened = parse_token(data).open()
        opened.info.check_imprint(WHAT)
        timestamp_chain(opened, (parse_certificate(CLOCKS[key].root),))
    except InvalidTimestamp:
        return False
    return True


def spelt_alike(one: bytes, other: bytes) -> bool:
    """Whether the same DER comes of both: BER has several spellings, and none of them says anything else."""
    try:
        return ber.to_der(one) == ber.to_der(other)
    except der.NotDer:
        return False


@pytest.mark.parametrize("kind", KINDS)
def test_the_token_itself_passes(kind: tuple[str, str, str]) -> None:
    assert passes(kind[0], token(*kind))


@pytest.mark.parametrize("kind", KINDS)
def test_no_byte_can_be_flipped(kind: tuple[str, str, str]) -> None:
    good = token(*kind)
    for at in range(len(good)):
        for flip in (0x01, 0x20):
            bad = good[:at] + bytes([good[at] ^ flip]) + good[at + 1 :]
            assert not passes(kind[0], bad) or spelt_alike(good, bad), f"byte {at} with {flip:#x}"


@given(st.sampled_from(KINDS), st.data())
def test_no_part_can_be_cut_out_or_put_in(kind: tuple[str, str, str], data: st.DataObject) -> None:
    good = token(*kind)
    begin = data.draw(st.integers(0, len(good)))
    end = data.draw(st.integers(begin, min(len(good), begin + 40)))
    put = data.draw(st.binary(max_size=40))
    bad = good[:begin] + put + good[end:]
    assert bad == good or not passes(kind[0], bad) or spelt_alike(good, bad)


NESTED = st.recursive(
    st.tuples(st.sampled_from([0x02, 0x04, 0x05, 0x80]), st.binary(max_size=200)),
    lambda inner: st.tuples(st.sampled_from([0x30, 0x31, 0xA0]), st.lists(inner, max_size=4)),
    max_leaves=12,
)


def written(value: object, *, loose: bool) -> bytes:
    """In DER, or `loose` in BER: indefinite lengths, strings in parts."""
    tag, content = value  # type: ignore[misc]
    if isinstance(content, bytes):
        return in_parts(content) if loose and tag == 0x04 else tlv(tag, content)
    write = indefinite if loose else tlv
    return write(tag, *(written(each, loose=loose) for each in content))


@given(NESTED)
def test_ber_and_der_of_one_value_are_one(value: object) -> None:
    plain = written(value, loose=False)
    assert ber.to_der(plain) == plain == ber.to_der(written(value, loose=True))
