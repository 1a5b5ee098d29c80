"""What CRLs come to. The authority is `tests.world.crl`'s, and makes every mistake that one can make."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from cryptography import x509

from nv2.errors import InvalidRevocationData
from nv2.pki import der
from nv2.pki.certificate import Certificate, parse_certificate
from nv2.pki.certificate_status import CertificateStatus, Status
from nv2.pki.crl import CLOCK_SKEW, parse_crl, status_by_crl
from tests.world import crl as world
from tests.world.ca import CA
from tests.world.crl import (
    HOLD,
    NEXT_UPDATE,
    NOW,
    REMOVED,
    REVOKED_AT,
    THIS_UPDATE,
    URL,
    Revoked,
    crl,
    issuing_point,
)

WABBIT = CA("Wabbit")
SERIAL = 0x5A17_BEEF_0000_CAFE_0000_F00D_0000_D00D
OTHER_URL = "http://crl.wabbit-networks.io/other.crl"
UNKNOWN_EXTENSION = ("1.3.6.1.4.1.99999.1", True, b"\x05\x00")
SECOND, DAY = timedelta(seconds=1), timedelta(days=1)


def issued(**oddities: Any) -> Certificate:
    given = {"serial": SERIAL, "crl_urls": (URL,), **oddities}
    return parse_certificate(WABBIT.issue("build", key="EC-256", **given).leaf)


LEAF, ROOT = issued(), parse_certificate(WABBIT.certificate)


def status(
    base: bytes,
    delta: bytes | None = None,
    *,
    certificate: Certificate = LEAF,
    issuer: Certificate = ROOT,
    now: datetime = NOW,
    signed_at: datetime | None = None,
) -> CertificateStatus:
    changes = parse_crl(delta) if delta is not None else None
    return status_by_crl(certificate, issuer, parse_crl(base), changes, now, signed_at)


def unknown(words: str, *args: Any, **kwargs: Any) -> None:
    found = status(*args, **kwargs)
    assert found.status is Status.UNKNOWN
    assert words in found.reason


def verdict(*args: Any, **kwargs: Any) -> Status:
    return status(*args, **kwargs).status


# --- listed or not ------------------------------------------------------------------------------------


@pytest.mark.parametrize("others", [0, 1, 1000])
def test_a_certificate_that_is_not_listed_is_good_until_the_next_update(others: int) -> None:
    found = status(crl(WABBIT, [Revoked(number + 1) for number in range(others)]))
    assert found == CertificateStatus(Status.GOOD, "", NEXT_UPDATE, THIS_UPDATE)


@pytest.mark.parametrize("place", [0, 500, 1000])
def test_a_certificate_that_is_listed_is_revoked_wherever_it_stands(place: int) -> None:
    entries = [Revoked(0x7000 + number) for number in range(1000)]
    entries.insert(place, Revoked(SERIAL, 1))
    assert status(crl(WABBIT, entries)).reason == "revoked at 2026-10-02T12:00:00Z (keyCompromise)"


@pytest.mark.parametrize("reason", [None, 0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 99])
def test_every_reason_but_removal_revokes(reason: int | None) -> None:
    assert verdict(crl(WABBIT, [Revoked(SERIAL, reason)])) is Status.REVOKED


@pytest.mark.parametrize("zeros", [1, 2, 3])
def test_a_serial_number_with_superfluous_zeros_is_found(zeros: int) -> None:
    for serial in (SERIAL, 5, 0x80, 0xBEEF):
        value = serial.to_bytes((serial.bit_length() + 7) // 8, "big")
        listed = crl(WABBIT, [Revoked(1), Revoked(serial, written=b"\0" * zeros + value)])
        assert verdict(listed, certificate=issued(serial=serial)) is Status.REVOKED


@pytest.mark.parametrize(
    "serial", [1, 5, 0x17, 0x30, 0x7F, 0x80, 0xFF, 0x0D32, 0x300F, 0x170D32, 2**63, 2**159 - 1]
)
def test_serial_numbers_that_look_like_structure_are_told_apart(serial: int) -> None:
    certificate = issued(serial=serial)
    neighbours = [
        Revoked(n) for n in (serial + 1, serial << 8, serial << 8 | 5, 0x0100 + serial) if n < 2**159
    ]
    assert verdict(crl(WABBIT, neighbours), certificate=certificate) is Status.GOOD
    assert verdict(crl(WABBIT, [*neighbours, Revoked(serial)]), certificate=certificate) is Status.REVOKED


def test_a_serial_number_inside_an_extension_of_another_entry_is_not_listed() -> None:
    inner = world.entry(Revoked(SERIAL))
    entries = [Revoked(1, extensions=(("1.2.3.4", False, inner),))]
    assert verdict(crl(WABBIT, entries)) is Status.GOOD


@pytest.mark.parametrize("count", [3000])
@pytest.mark.parametrize("long", [False, True])
def test_entries_far_down_the_list_are_found_behind_short_and_long_ones(count: int, long: bool) -> None:
    padding: tuple[world.Extension, ...] = (("1.2.3.4", False, bytes(200)),) if long else ()
    entries = [
        Revoked(number + 0x8000, extensions=padding if number % 100 == 7 else ()) for number in range(count)
    ]
    assert verdict(crl(WABBIT, [*entries, Revoked(SERIAL)])) is Status.REVOKED
    assert verdict(
        crl(WABBIT, [*entries, Revoked(1, extensions=(("1.2", False, SERIAL.to_bytes(16, "big")),))])
    ) is (Status.GOOD)


# --- who says so ------------------------------------------------------------------------------------------


def test_a_crl_of_another_issuer_says_nothing() -> None:
    other = CA("Other")
    unknown("another issuer", crl(other))
    unknown("issued by somebody else", crl(other), issuer=parse_certificate(other.certificate))


def test_a_crl_in_the_issuers_name_with_another_key_says_nothing() -> None:
    unknown("not made by", crl(WABBIT, [Revoked(SERIAL)], signed_by=CA("Other").key))


def test_a_spoilt_signature_says_nothing_of_listed_and_unlisted_ones() -> None:
    for entries in ([], [Revoked(SERIAL)]):
        unknown("not made by", crl(WABBIT, entries, bad_signature=True))


@pytest.mark.parametrize("key", ["RSA-2048", "RSA-3072", "EC-256", "EC-384", "EC-521", "Ed25519"])
def test_every_kind_of_key_may_sign(key: str) -> None:
    ca = CA(f"Signer {key}", key)
    leaf = parse_certificate(ca.issue("x", key="EC-256", crl_urls=(URL,)).leaf)
    assert verdict(crl(ca), certificate=leaf, issuer=parse_certificate(ca.certificate)) is Status.GOOD


@pytest.mark.parametrize(
    ("key", "hash_name", "name"), [("RSA-2048", "sha1", "SHA-1"), ("RSA-2048", "md5", "MD5")]
)
def test_weak_signatures_are_not_believed(key: str, hash_name: str, name: str) -> None:
    ca = CA("Old", key)
    leaf = parse_certificate(ca.issue("x", key="EC-256").leaf)
    unknown(name, crl(ca, hash_name=hash_name), certificate=leaf, issuer=parse_certificate(ca.certificate))


def test_an_issuer_without_the_key_usage_for_it_must_not_sign_crls() -> None:
    ca = CA("No CRLs", key_usage=("key_cert_sign",))
    leaf = parse_certificate(ca.issue("x", key="EC-256").leaf)
    unknown("cRLSign", crl(ca), certificate=leaf, issuer=parse_certificate(ca.certificate))


# --- when ---------------------------------------------------------------------------------------------------


def test_a_crl_is_fresh_to_the_second_of_its_next_update() -> None:
    assert verdict(crl(WABBIT), now=NEXT_UPDATE) is Status.GOOD
    unknown("expired", crl(WABBIT), now=NEXT_UPDATE + SECOND)


def test_an_expired_crl_still_revokes_for_good_but_does_not_hold() -> None:
    later = NEXT_UPDATE + DAY
    assert verdict(crl(WABBIT, [Revoked(SERIAL)]), now=later) is Status.REVOKED
    unknown("expired", crl(WABBIT, [Revoked(SERIAL, HOLD)]), now=later)


def test_a_crl_without_next_update_is_never_good() -> None:
    unknown("nextUpdate", crl(WABBIT, next_update=None))
    assert verdict(crl(WABBIT, [Revoked(SERIAL)], next_update=None)) is Status.REVOKED


def test_a_crl_from_the_future_says_nothing_but_clocks_may_differ_a_little() -> None:
    assert verdict(crl(WABBIT), now=THIS_UPDATE - CLOCK_SKEW) is Status.GOOD
    unknown("future", crl(WABBIT), now=THIS_UPDATE - CLOCK_SKEW - SECOND)


def test_a_crl_that_expired_before_it_was_made_says_nothing() -> None:
    unknown("before it was made", crl(WABBIT, next_update=THIS_UPDATE - SECOND), now=THIS_UPDATE)


def test_years_from_2050_on_are_read() -> None:
    far = datetime(2061, 1, 1, tzinfo=NOW.tzinfo)
    assert status(crl(WABBIT, next_update=far)).fresh_until == far


# --- what it answers for ------------------------------------------------------------------------------------


def test_an_unknown_critical_extension_of_the_list_or_of_any_entry_forbids_to_use_it() -> None:
    unknown("1.3.6.1.4.1.99999.1", crl(WABBIT, extensions=[UNKNOWN_EXTENSION]))
    for serial in (SERIAL, 77):
        entries = [Revoked(5), Revoked(serial, extensions=(UNKNOWN_EXTENSION,))]
        unknown("1.3.6.1.4.1.99999.1", crl(WABBIT, entries))


def test_unknown_extensions_that_are_not_critical_and_known_ones_that_are_do_no_harm() -> None:
    oid, _, value = UNKNOWN_EXTENSION
    assert verdict(
        crl(WABBIT, [Revoked(5, extensions=((oid, False, value),))], extensions=[(oid, False, value)])
    ) is (Status.GOOD)
    critical = (("2.5.29.21", True, b"\x0a\x01\x01"),)
    assert verdict(crl(WABBIT, [Revoked(SERIAL, extensions=critical)])) is Status.REVOKED


def test_a_partition_answers_for_the_certificates_that_name_it() -> None:
    assert verdict(crl(WABBIT, issuing_point=issuing_point([URL, OTHER_URL]))) is Status.GOOD
    unknown("distribution point", crl(WABBIT, issuing_point=issuing_point([OTHER_URL])))
    unknown("distribution point", crl(WABBIT, [Revoked(SERIAL)], issuing_point=issuing_point([OTHER_URL])))
    unknown(
        "distribution point", crl(WABBIT, issuing_point=issuing_point([URL])), certificate=issued(crl_urls=())
    )


def test_a_name_relative_to_the_issuer_is_its_full_name() -> None:
    relative = x509.RelativeDistinguishedName([x509.NameAttribute(x509.NameOID.COMMON_NAME, "CRL1")])
    full = x509.Name([*WABBIT.subject, *relative])
    attribute = der.children(der.single(full.public_bytes(), der.SEQUENCE))[-1].content
    point = issuing_point(name=der.write(0xA1, attribute))
    for made in (
        x509.DistributionPoint(None, relative, None, None),
        x509.DistributionPoint([x509.DirectoryName(full)], None, None, None),
    ):
        certificate = issued(crl_urls=(), extensions=world.points(made))
        assert verdict(crl(WABBIT, issuing_point=point), certificate=certificate) is Status.GOOD


USER, AUTHORITY, INDIRECT, ATTRIBUTE = 1, 2, 4, 5


@pytest.mark.parametrize(
    ("flag", "is_ca", "answers"),
    [
        (USER, False, True),
        (USER, True, False),
        (AUTHORITY, False, False),
        (AUTHORITY, True, True),
        (INDIRECT, False, False),
        (INDIRECT, True, False),
        (ATTRIBUTE, False, False),
        (ATTRIBUTE, True, False),
    ],
)
def test_a_crl_of_some_kinds_of_certificates_answers_for_no_others(
    flag: int, is_ca: bool, answers: bool
) -> None:
    middle = WABBIT.intermediate("Middle", crl_urls=(URL,)).certificate
    certificate = parse_certificate(middle) if is_ca else LEAF
    made = crl(WABBIT, [Revoked(9)], issuing_point=issuing_point([URL], flags=[flag]))
    assert verdict(made, certificate=certificate) is (Status.GOOD if answers else Status.UNKNOWN)


def test_a_crl_of_some_reasons_can_revoke_but_never_say_good() -> None:
    point = issuing_point([URL], only_some_reasons=[1, 2])
    unknown("some reasons", crl(WABBIT, issuing_point=point))
    assert verdict(crl(WABBIT, [Revoked(SERIAL, 1)], issuing_point=point)) is Status.REVOKED


def test_a_distribution_point_of_some_reasons_never_says_good() -> None:
    reasons = frozenset({x509.ReasonFlags.key_compromise})
    point = x509.DistributionPoint([x509.UniformResourceIdentifier(URL)], None, reasons, None)
    certificate = issued(crl_urls=(), extensions=world.points(point))
    unknown("some reasons", crl(WABBIT), certificate=certificate)


def test_a_distribution_point_of_another_crl_issuer_is_not_ours() -> None:
    other = [x509.DirectoryName(CA("Other").subject)]
    point = x509.DistributionPoint([x509.UniformResourceIdentifier(URL)], None, None, other)
    certificate = issued(crl_urls=(), extensions=world.points(point))
    unknown("distribution point", crl(WABBIT, issuing_point=issuing_point([URL])), certificate=certificate)


# --- deltas ---------------------------------------------------------------------------------------------------


def base(*entries: Revoked, **oddities: Any) -> bytes:
    return crl(WABBIT, entries, **{"number": 10, "freshest": [OTHER_URL], **oddities})


def changes(*entries: Revoked, **oddities: Any) -> bytes:
    return crl(WABBIT, entries, **{"number": 11, "delta_of": 10, **oddities})


def test_a_delta_revokes_what_the_base_does_not_list() -> None:
    assert verdict(base(), changes()) is Status.GOOD
    assert verdict(base(), changes(Revoked(SERIAL))) is Status.REVOKED


def test_a_delta_where_a_base_belongs_is_refused() -> None:
    unknown("delta", changes())


def test_a_base_where_a_delta_belongs_is_refused() -> None:
    unknown("complete", base(), crl(WABBIT, number=11))


def test_where_a_delta_is_named_good_takes_one() -> None:
    unknown("missing", base())
    assert verdict(base(Revoked(SERIAL))) is Status.REVOKED
    names = [
        (
            x509.FreshestCRL(
                [x509.DistributionPoint([x509.UniformResourceIdentifier(OTHER_URL)], *[None] * 3)]
            ),
            False,
        )
    ]
    unknown("missing", crl(WABBIT), certificate=issued(extensions=names))


@pytest.mark.parametrize(
    ("number", "delta_of", "words"),
    [
        (11, 10, None),
        (10, 10, None),
        (11, 3, None),
        (9, 3, "older"),
        (12, 11, "belongs to"),
        (None, 10, "numbers"),
    ],
)
def test_the_numbers_of_a_delta_must_fit_the_base(
    number: int | None, delta_of: int, words: str | None
) -> None:
    delta = changes(number=number, delta_of=delta_of)
    if words:
        unknown(words, base(), delta)
    else:
        assert verdict(base(), delta) is Status.GOOD


def test_a_base_without_a_number_has_no_deltas() -> None:
    unknown("numbers", base(number=None), changes())


BAD_DELTAS: dict[str, Callable[[], bytes]] = {
    "other key": lambda: changes(signed_by=CA("Other").key),
    "other issuer": lambda: crl(CA("Other"), number=11, delta_of=10),
    "other scope": lambda: changes(issuing_point=issuing_point([URL])),
    "expired": lambda: changes(next_update=NOW - SECOND),
    "without nextUpdate": lambda: changes(next_update=None),
    "future": lambda: changes(this_update=NOW + DAY),
    "critical": lambda: changes(extensions=[UNKNOWN_EXTENSION]),
}


@pytest.mark.parametrize("mistake", BAD_DELTAS)
def test_a_delta_with_a_mistake_leaves_it_open_but_what_the_base_revoked_is_revoked(mistake: str) -> None:
    delta = BAD_DELTAS[mistake]()
    assert verdict(base(), delta) is Status.UNKNOWN
    assert verdict(base(Revoked(SERIAL)), delta) is Status.REVOKED


def test_an_expired_delta_still_revokes() -> None:
    assert verdict(base(), changes(Revoked(SERIAL), next_update=NOW - SECOND)) is Status.REVOKED


def test_a_delta_is_as_fresh_as_the_older_of_both() -> None:
    assert status(base(), changes(next_update=NOW + DAY)).fresh_until == NOW + DAY


# --- hold and removal ---------------------------------------------------------------------------------------


def test_a_hold_counts_while_it_stands() -> None:
    assert verdict(crl(WABBIT, [Revoked(SERIAL, HOLD)])) is Status.REVOKED
    assert verdict(base(Revoked(SERIAL, HOLD)), changes()) is Status.REVOKED
    assert verdict(base(), changes(Revoked(SERIAL, HOLD))) is Status.REVOKED


@pytest.mark.parametrize("later", [timedelta(0), DAY])
def test_a_delta_removes_a_hold(later: timedelta) -> None:
    removal = Revoked(SERIAL, REMOVED, REVOKED_AT + later)
    assert verdict(base(Revoked(SERIAL, HOLD)), changes(removal)) is Status.GOOD
    assert verdict(base(), changes(removal)) is Status.GOOD


def test_a_removal_before_the_hold_removes_nothing() -> None:
    removal = Revoked(SERIAL, REMOVED, REVOKED_AT - DAY)
    assert verdict(base(Revoked(SERIAL, HOLD)), changes(removal)) is Status.REVOKED


def test_a_hold_after_a_removal_in_one_delta_counts_and_so_does_one_of_the_same_instant() -> None:
    for at in (REVOKED_AT, REVOKED_AT + DAY):
        both = (Revoked(SERIAL, REMOVED), Revoked(SERIAL, HOLD, at))
        assert verdict(base(Revoked(SERIAL, HOLD)), changes(*both)) is Status.REVOKED


def test_what_was_revoked_for_good_cannot_be_removed() -> None:
    assert verdict(base(Revoked(SERIAL, 1)), changes(Revoked(SERIAL, REMOVED, NOW))) is Status.REVOKED


def test_a_removal_in_a_complete_list_is_a_mistake_and_never_good() -> None:
    removal = Revoked(SERIAL, REMOVED, REVOKED_AT + DAY)
    unknown("belongs into a delta", crl(WABBIT, [removal]))
    assert verdict(crl(WABBIT, [Revoked(SERIAL, HOLD), removal])) is Status.REVOKED


# --- invalidity date --------------------------------------------------------------------------------------


SINCE = REVOKED_AT - DAY


@pytest.mark.parametrize(
    ("signed_at", "expected"),
    [
        (None, Status.REVOKED),
        (SINCE - SECOND, Status.GOOD),
        (SINCE, Status.REVOKED),
        (SINCE + SECOND, Status.REVOKED),
    ],
)
def test_what_was_signed_before_the_key_went_bad_stays_good(
    signed_at: datetime | None, expected: Status
) -> None:
    listed = crl(WABBIT, [Revoked(SERIAL, 1, invalid_since=SINCE)])
    assert verdict(listed, signed_at=signed_at) is expected


def test_without_an_invalidity_date_the_signing_time_does_not_help() -> None:
    assert verdict(crl(WABBIT, [Revoked(SERIAL, 1)]), signed_at=REVOKED_AT - DAY) is Status.REVOKED


def test_an_invalidity_date_that_is_yet_to_come_excuses_nothing() -> None:
    listed = crl(WABBIT, [Revoked(SERIAL, 1, invalid_since=THIS_UPDATE + SECOND)])
    assert verdict(listed, signed_at=REVOKED_AT) is Status.REVOKED


def test_one_entry_that_is_excused_excuses_no_other() -> None:
    listed = [Revoked(SERIAL, 1, invalid_since=SINCE), Revoked(SERIAL, 4)]
    assert verdict(crl(WABBIT, listed), signed_at=SINCE - DAY) is Status.REVOKED


# --- remembering ------------------------------------------------------------------------------------------------


def test_a_series_is_one_key_one_scope_and_bases_or_deltas() -> None:
    other = parse_certificate(CA("Other").certificate)
    first = parse_crl(crl(WABBIT))
    assert first.series(ROOT) == parse_crl(crl(WABBIT, [Revoked(1)], number=7)).series(ROOT)
    others = {
        first.series(other),
        parse_crl(crl(WABBIT, issuing_point=issuing_point([URL]))).series(ROOT),
        parse_crl(changes()).series(ROOT),
    }
    assert len({first.series(ROOT), *others}) == 4


def test_the_origin_is_checked_for_each_issuer() -> None:
    found = parse_crl(crl(WABBIT))
    found.check_origin(ROOT)
    namesake = CA("Wabbit", "EC-384")
    with pytest.raises(InvalidRevocationData):
        found.check_origin(parse_certificate(namesake.certificate))
    found.check_origin(ROOT)
