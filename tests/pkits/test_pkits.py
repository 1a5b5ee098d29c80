"""NIST's PKITS, judged by nv2: each row as NIST says, or a difference that the Notary specification asks for."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from functools import cache
from importlib import resources
from pathlib import Path

import pytest

from nv2.errors import InvalidCertificate, InvalidRevocationData
from nv2.pki import der
from nv2.pki.certificate import Certificate, extensions_of, parse_certificate
from nv2.pki.certificate_status import CertificateStatus, Status
from nv2.pki.chain import Chain, check_links, check_validity, parse_chain
from nv2.pki.crl import Crl, parse_crl, status_by_crl
from nv2.pki.extensions import BASIC_CONSTRAINTS, EXTENDED_KEY_USAGE, KEY_USAGE
from nv2.pki.profile import check_authority, check_work
from tests.pkits.differences import BY_EXTENSIONS, DIFFERENCES, EARLIER, OPEN, REASONS
from tests.pkits.sections import DELTAS, ROOT, ROWS, SECTIONS, Row, crls_of

DATA = resources.files("cryptography_vectors") / "x509" / "PKITS_data"
NOW = datetime(2026, 11, 22, tzinfo=UTC)
VALID = "valid"
BY_NUMBER = {row.number: row for row in ROWS}
HONOURED = {BASIC_CONSTRAINTS, KEY_USAGE, EXTENDED_KEY_USAGE}
TESTING = Path(__file__).parents[2] / "docs" / "testing.md"


def ders(row: Row) -> tuple[bytes, ...]:
    """The chain as nv2 wants it: end entity first, trust anchor last."""
    files = (f"{row.name}EE", *(f"{name}Cert" for name in reversed(row.authorities)), ROOT)
    return tuple((DATA / "certs" / f"{file}.crt").read_bytes() for file in files)


@cache
def crl(name: str) -> Crl:
    return parse_crl((DATA / "crls" / f"{name}.crl").read_bytes())


def checked_chain(row: Row) -> Chain:
    """`parse_chain`, the rules for signing certificates aside: who gets these certificates encrypts with them too."""
    certificates = tuple(map(parse_certificate, ders(row)))
    for certificate in certificates:
        check_work(certificate)
    check_links(certificates, tuple(certificate.subject for certificate in certificates))
    for below, authority in enumerate(certificates[1:]):
        check_authority(authority, below)
    return Chain(certificates)


def statuses(row: Row, chain: Chain) -> list[CertificateStatus]:
    """Of all but the root."""
    issuers = (*reversed(row.authorities), ROOT)
    return [
        first_that_can_tell(certificate, issuer, name)
        for certificate, issuer, name in zip(
            chain.certificates[:-1], chain.certificates[1:], issuers, strict=True
        )
    ]


def first_that_can_tell(certificate: Certificate, issuer: Certificate, name: str) -> CertificateStatus:
    """What nv2 says of `certificate` where the CRLs of the authority `name` are all that there is."""
    found = CertificateStatus(Status.UNKNOWN, "no CRL")
    if not crls_of(name) and not certificate.has_revocation_information:
        # Nobody is asked ("Certificate Revocation Evaluation").
        return CertificateStatus(Status.GOOD)
    for file in crls_of(name):
        try:
            delta = crl(DELTAS[file]) if file in DELTAS else None
            found = status_by_crl(certificate, issuer, crl(file), delta, NOW, None)
        except InvalidRevocationData as e:
            found = CertificateStatus(Status.UNKNOWN, e.message)
        if found.status is not Status.UNKNOWN:
            break
    return found


@cache
def judged(row: Row) -> tuple[str, str]:
    """`valid`, `refused`, `revoked` or `unknown`, and why."""
    try:
        chain = checked_chain(row)
        check_validity(chain, NOW)
    except InvalidCertificate as e:
        return "refused", e.message
    found = {status.status: status.reason for status in statuses(row, chain)}
    for bad in (Status.REVOKED, Status.UNKNOWN):
        if bad in found:
            return bad.value, found[bad]
    return VALID, ""


def is_no(row: Row) -> bool:
    return judged(row)[0] != VALID


@pytest.mark.parametrize("section", SECTIONS)
def test_the_table_has_all_rows_of_a_section(section: str) -> None:
    numbers = [row.number for row in ROWS if row.section == section]
    assert numbers == [f"{section}.{n + 1}" for n in range(SECTIONS[section][1])]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.number}-{row.name}")
def test_a_path_is_judged_as_nist_says_or_as_the_notary_specification_asks(row: Row) -> None:
    outcome, reason = judged(row)
    if row.number in DIFFERENCES:
        assert outcome == DIFFERENCES[row.number].outcome
    elif row.is_valid:
        assert (outcome, reason) == (VALID, "")
    else:
        assert outcome != VALID
        assert REASONS[row.number] in reason


def test_a_bad_signature_is_no_less_bad_where_it_fills_its_bytes() -> None:
    anchor = parse_certificate((DATA / "certs" / f"{ROOT}.crt").read_bytes())
    authority = parse_certificate(filling_its_bytes((DATA / "certs" / "BadSignedCACert.crt").read_bytes()))
    assert authority.issuer_der == anchor.subject_der
    assert not anchor.has_signed(authority)
    issuer = parse_certificate((DATA / "certs" / "BadCRLSignatureCACert.crt").read_bytes())
    revoked = parse_crl(filling_its_bytes((DATA / "crls" / "BadCRLSignatureCACRL.crl").read_bytes()))
    with pytest.raises(InvalidRevocationData, match="not made by the issuer's key"):
        revoked.check_origin(issuer)


def filling_its_bytes(signed: bytes) -> bytes:
    """NIST's bad signatures say that one bit of them is unused, which alone is a reason to refuse them."""
    bits = der.children(der.single(signed, der.SEQUENCE))[2].content
    assert bits[:1] == b"\x01"
    return signed.removesuffix(bits) + b"\0" + bits[1:]


def test_a_row_is_listed_only_where_it_differs_from_nist() -> None:
    assert set(DIFFERENCES) == {number for number, row in BY_NUMBER.items() if is_no(row) == row.is_valid}


def test_every_difference_names_the_section_that_asks_for_it() -> None:
    documents = ("signature-specification, ", "trust-store-trust-policy, ")
    assert all(found.section.startswith(documents) and found.reason for found in DIFFERENCES.values())


def test_a_difference_is_a_yes_only_where_the_specification_forbids_to_look() -> None:
    wrong_yes = {number for number, row in BY_NUMBER.items() if not row.is_valid and not is_no(row)}
    assert wrong_yes == set(OPEN)
    assert all(others_in(BY_NUMBER[number]) for number in BY_EXTENSIONS)
    assert OPEN.keys() - BY_EXTENSIONS.keys() == {"4.4.1"}


def others_in(row: Row) -> set[str]:
    """Critical extensions of a chain that are not honoured."""
    return {
        oid
        for certificate in map(parse_certificate, ders(row))
        for oid, (_, critical) in extensions_of(certificate).items()
        if critical and oid not in HONOURED
    }


def test_all_that_a_chain_lacks_to_sign_code_is_the_usage_of_its_end_entity() -> None:
    for row in ROWS:
        if judged(row)[0] == "refused":
            continue
        with pytest.raises(InvalidCertificate, match=r"keyEncipherment|a certificate authority") as caught:
            parse_chain(ders(row))
        assert (caught.value.at or "").startswith("certificate #1 ")


def test_the_counts_are_those_of_the_page_about_tests() -> None:
    page = TESTING.read_text(encoding="utf-8")
    for section, (title, total) in SECTIONS.items():
        rows = [row for row in ROWS if row.section == section]
        kinds = Counter(kind_of(row) for row in rows)
        counts = " | ".join(str(kinds[kind]) for kind in ("same", "earlier", "stricter", "open"))
        assert f"| {section} | {title} | {total} | {counts} |" in page


def kind_of(row: Row) -> str:
    if row.number in DIFFERENCES:
        return "open" if row.number in OPEN else "stricter"
    return "earlier" if row.number in EARLIER else "same"
