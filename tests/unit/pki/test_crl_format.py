from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from nv2.errors import InvalidRevocationData
from nv2.pki import crl_format, der
from nv2.pki.crl import MAX_CRL, parse_crl
from tests.world import crl as world
from tests.world.ca import CA
from tests.world.crl import NEXT_UPDATE, THIS_UPDATE, URL, Revoked, crl, issuing_point

WABBIT = CA("Wabbit")


def test_a_crl_says_who_when_and_which_number() -> None:
    found = parse_crl(crl(WABBIT, [Revoked(1)], number=2**159, freshest=[URL, URL + "2"]))
    assert (found.issuer_der, found.this_update, found.next_update) == (
        WABBIT.subject.public_bytes(),
        THIS_UPDATE,
        NEXT_UPDATE,
    )
    assert (found.number, found.delta_base, found.freshest_urls) == (2**159, None, (URL, URL + "2"))
    assert parse_crl(crl(WABBIT, delta_of=0)).delta_base == 0


def test_a_crl_of_version_1_has_no_number() -> None:
    found = parse_crl(crl(WABBIT, [Revoked(1)], version=None, number=None))
    assert (found.number, found.freshest_urls, len(found.entries.about(1))) == (None, (), 1)


def test_a_crl_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        parse_crl(crl(WABBIT)).number = 8


GOOD = crl(WABBIT, [Revoked(1)])

MALFORMED: dict[str, Callable[[], bytes]] = {
    "nothing": lambda: b"",
    "text": lambda: b"-----BEGIN X509 CRL-----",
    "cut short": lambda: GOOD[:-1],
    "one byte more": lambda: GOOD + b"\0",
    "a certificate": lambda: WABBIT.certificate,
    "version 3": lambda: crl(WABBIT, version=2),
    "version 1 written out": lambda: crl(WABBIT, version=0, number=None),
    "extensions in version 1": lambda: crl(WABBIT, version=None, number=1),
    "two algorithms": lambda: crl(WABBIT, outer_algorithm=bytes.fromhex("300a06082a8648ce3d040303")),
    "an extension twice": lambda: crl(WABBIT, extensions=[("2.5.29.20", False, b"\x02\x01\x05")]),
    "a negative number": lambda: crl(WABBIT, number=-1),
    "a number of 22 bytes": lambda: crl(WABBIT, number=2**168),
    "a number with more behind it": lambda: crl(
        WABBIT, number=None, extensions=[("2.5.29.20", False, b"\x02\x01\x05\0")]
    ),
    "a malformed issuing point": lambda: crl(WABBIT, issuing_point=b"\x30\x03\x87\x01\xff"),
    "an empty issuing point": lambda: crl(WABBIT, issuing_point=b"\x30\x02\xa0\x00"),
    "a field twice in the issuing point": lambda: crl(
        WABBIT, issuing_point=b"\x30\x06\x81\x01\xff\x81\x01\xff"
    ),
    "freshest that is none": lambda: crl(WABBIT, extensions=[("2.5.29.46", False, b"\x05\x00")]),
    "extensions without end": lambda: crl(
        WABBIT, extensions=[("1.2.3", False, bytes(crl_format.MAX_EXTENSIONS))]
    ),
}


@pytest.mark.parametrize("mistake", MALFORMED)
def test_what_is_not_a_crl_is_refused_where_it_came_from(mistake: str) -> None:
    with pytest.raises(InvalidRevocationData, match=f"^{URL}: not a CRL: "):
        parse_crl(MALFORMED[mistake](), URL)


def test_no_part_of_a_crl_may_be_missing_at_any_byte() -> None:
    for size in range(len(GOOD)):
        with pytest.raises(InvalidRevocationData):
            parse_crl(GOOD[:size])


def test_a_signature_must_fill_its_bytes() -> None:
    with pytest.raises(InvalidRevocationData, match="fill"):
        parse_crl(GOOD.replace(b"\x00\x30", b"\x01\x30", 1))


def test_a_crl_that_is_too_long_is_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crl_format, "MAX_CRL", len(GOOD) - 1)
    with pytest.raises(InvalidRevocationData, match="more than"):
        parse_crl(GOOD)
    assert MAX_CRL == 64 * 1024 * 1024


@pytest.mark.parametrize(
    "entry",
    [
        "3100",
        "3002",
        "3003020105",
        "30120201050000",
        world.entry(Revoked(5)).hex() + "00",
        "301402010504003006" + "00" * 13,
    ],
)
def test_an_entry_that_cannot_be_read_is_an_error_and_not_a_yes(entry: str) -> None:
    found = parse_crl(
        crl(
            WABBIT,
            raw_entries=bytes.fromhex(entry) + world.entry(Revoked(5, at=datetime(2020, 1, 1, tzinfo=UTC))),
        )
    )
    try:
        listed = found.entries.about(5)
    except (der.NotDer, ValueError, IndexError):
        return
    assert listed


def test_what_a_point_says_is_read_field_by_field() -> None:
    point = parse_crl(
        crl(WABBIT, issuing_point=issuing_point([URL], flags=[1, 4], only_some_reasons=[1, 8]))
    ).issuing_point
    assert point is not None
    assert point.names == {b"\x86" + bytes([len(URL)]) + URL.encode()}
    assert point.flags == {"onlyContainsUserCerts", "indirectCRL"}
    assert point.reasons == frozenset({1, 8})
