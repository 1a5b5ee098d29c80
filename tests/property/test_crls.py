"""What CRLs come to, against two other libraries that read them, and one simple way to judge."""

from __future__ import annotations

from datetime import timedelta

from asn1crypto import crl as asn1_crl  # type: ignore[import-untyped]
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from nv2.errors import InvalidRevocationData
from nv2.pki.certificate import Certificate, parse_certificate
from nv2.pki.certificate_status import Status
from nv2.pki.crl import parse_crl, status_by_crl
from tests.world.ca import CA
from tests.world.crl import HOLD, NEXT_UPDATE, NOW, REMOVED, REVOKED_AT, THIS_UPDATE, Revoked, crl

WABBIT = CA("Wabbit")
ROOT = parse_certificate(WABBIT.certificate)
REASONS = (None, 0, 1, 2, 3, 4, 5, 6, 9, 10)

# Few values, so that they meet; short ones, that look like lengths and tags; and those of real authorities.
serials = st.one_of(st.integers(1, 40), st.integers(1, 2**16), st.integers(1, 2**159 - 1))
times = st.integers(-5, 5).map(lambda days: REVOKED_AT + timedelta(days=days))


@st.composite
def entries(draw: st.DrawFn, reasons: tuple[int | None, ...] = REASONS) -> Revoked:
    since = draw(st.one_of(st.none(), times))
    return Revoked(draw(serials), draw(st.sampled_from(reasons)), draw(times), since)


def certificate(serial: int) -> Certificate:
    return parse_certificate(WABBIT.issue("build", key="EC-256", serial=serial).leaf)


@given(
    listed=st.lists(entries(), max_size=30),
    other=serials,
    at=st.integers(0, 30),
    number=st.integers(0, 2**159 - 1),
)
def test_who_is_revoked_is_what_other_libraries_find(
    listed: list[Revoked], other: int, at: int, number: int
) -> None:
    serial = listed[at].serial if at < len(listed) else other
    data = crl(WABBIT, listed, number=number)
    found = parse_crl(data)
    status = status_by_crl(certificate(serial), ROOT, found, None, NOW, None).status

    theirs = x509.load_der_x509_crl(data)
    assert theirs.is_signature_valid(WABBIT.key.public_key())
    assert (found.this_update, found.next_update) == (theirs.last_update_utc, theirs.next_update_utc)
    assert found.number == theirs.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    listing = theirs.get_revoked_certificate_by_serial_number(serial)
    assert (status is Status.REVOKED) == (listing is not None)

    revoked = asn1_crl.CertificateList.load(data)["tbs_cert_list"]["revoked_certificates"]
    numbers = [entry["user_certificate"].native for entry in revoked] if listed else []
    assert (status is Status.GOOD) == (serial not in numbers)
    assert len(found.entries.about(serial)) == numbers.count(serial)


def expected(base: list[Revoked], delta: list[Revoked]) -> bool:
    """Whether these entries, all about one certificate, revoke it; written out as RFC 5280 says it."""
    if any(entry.reason not in (HOLD, REMOVED) for entry in (*base, *delta)):
        return True
    removed = max((entry.at for entry in delta if entry.reason == REMOVED), default=None)
    holds = [(entry.at, 0) for entry in base] + [(entry.at, 1) for entry in delta if entry.reason == HOLD]
    return any(removed is None or hold >= (removed, 1) for hold in holds)


@given(
    base=st.lists(entries((None, HOLD, HOLD, HOLD)), max_size=3),
    delta=st.lists(entries((None, HOLD, REMOVED, REMOVED, REMOVED)), max_size=3),
    serial=serials,
)
def test_holds_and_removals_come_to_what_the_dates_say(
    base: list[Revoked], delta: list[Revoked], serial: int
) -> None:
    base = [entry._replace(serial=serial) for entry in base]
    delta = [entry._replace(serial=serial) for entry in delta]
    lists = crl(WABBIT, base), crl(WABBIT, delta, number=2, delta_of=1)
    found = status_by_crl(certificate(serial), ROOT, parse_crl(lists[0]), parse_crl(lists[1]), NOW, None)
    # A hold that stands in both is taken for the younger one.
    both = any(
        (hold.at, hold.invalid_since) == (other.at, other.invalid_since) for hold in base for other in delta
    )
    if not both:
        assert (found.status is Status.REVOKED) == expected(base, delta)
    assert found.status is not Status.UNKNOWN


@given(listed=st.lists(entries(), max_size=5), serial=serials, at=st.integers(0, 1000), bit=st.integers(0, 7))
def test_a_crl_with_a_bit_changed_never_says_anything(
    listed: list[Revoked], serial: int, at: int, bit: int
) -> None:
    good = crl(WABBIT, listed)
    at %= len(good)
    changed = good[:at] + bytes([good[at] ^ 1 << bit]) + good[at + 1 :]
    try:
        found = parse_crl(changed)
    except InvalidRevocationData:
        return
    assert status_by_crl(certificate(serial), ROOT, found, None, NOW, None).status is Status.UNKNOWN


@given(days=st.integers(-30, 30), has_next=st.booleans(), held=st.booleans())
def test_good_is_only_said_between_the_two_updates(days: int, has_next: bool, held: bool) -> None:
    now = NOW + timedelta(days=days)
    listed = [Revoked(9, HOLD)] if held else []
    made = crl(WABBIT, listed, next_update=NEXT_UPDATE if has_next else None)
    status = status_by_crl(certificate(9), ROOT, parse_crl(made), None, now, None).status
    fresh = has_next and THIS_UPDATE <= now <= NEXT_UPDATE
    assert status is (Status.UNKNOWN if not fresh else Status.REVOKED if held else Status.GOOD)
