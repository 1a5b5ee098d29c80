from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from nv2.envelope.algorithms import BY_KEY
from nv2.errors import UsageError
from nv2.keys.file import load_key
from nv2.keys.generate import generate
from nv2.pki.certificate import Certificate
from nv2.pki.pem import certificates_from
from nv2.trust.identity import parse_identity

NOW = datetime(2026, 6, 1, 12, 0, 0, 999, tzinfo=UTC)
SUBJECT = "C=US, ST=WA, O=wabbit-networks.io, CN=build\\, main"
YEAR = timedelta(days=365)


def certificate(subject: str = SUBJECT, kind: str = "EC-256") -> Certificate:
    return certificates_from(generate(subject, kind, YEAR, now=NOW).certificate, "x")[0]


@pytest.mark.parametrize("kind", BY_KEY)
def test_a_generated_pair_of_every_kind_can_sign(tmp_path: Path, kind: str) -> None:
    pair = generate(SUBJECT, kind, YEAR, now=NOW)
    (tmp_path / "k").write_bytes(pair.key + pair.certificate)
    signer = load_key(tmp_path / "k", passphrase=lambda _: b"", now=NOW)
    assert signer.algorithm is BY_KEY[kind]
    assert len(signer.chain) == 1


def test_the_certificate_can_sign_code_and_nothing_else() -> None:
    made = certificate()
    assert not made.is_ca
    assert made.key_usage == {"digitalSignature"}
    assert made.key_usage_critical
    assert made.extended_key_usage == ("1.3.6.1.5.5.7.3.3",)
    assert made.is_self_issued


def test_the_subject_is_what_a_policy_would_name() -> None:
    made = certificate()
    assert made.subject == "CN=build\\, main,O=wabbit-networks.io,ST=WA,C=US"
    assert parse_identity(f"x509.subject: {SUBJECT}", "x").matches(made)


def test_the_certificate_is_valid_from_this_second_on() -> None:
    made = certificate()
    assert (made.not_before, made.not_after) == (
        NOW.replace(microsecond=0),
        NOW.replace(microsecond=0) + YEAR,
    )


def test_two_certificates_have_different_serials() -> None:
    assert certificate().serial != certificate().serial


@pytest.mark.parametrize(
    ("subject", "message"),
    [
        ("build", "is not TYPE=VALUE"),
        ("CN=build", "has no C and no ST and no O"),
        ("C=US,ST=WA,O=x,DC=y", "DC cannot be used"),
        ("C=USA,ST=WA,O=x", "cannot be a subject"),
        (f"C=US,ST=WA,O=x,CN={'y' * 65}", "cannot be a subject"),
        ("C=US,ST=WA,O=x,O=y", "O occurs twice"),
    ],
)
def test_a_subject_that_no_policy_could_name_is_refused(subject: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        certificate(subject)


@pytest.mark.parametrize("kind", ["RSA-1024", "rsa-2048", "EC-224", "Ed25519", ""])
def test_a_kind_of_key_that_cannot_sign_is_refused(kind: str) -> None:
    with pytest.raises(UsageError, match="unknown kind of key"):
        certificate(kind=kind)


@pytest.mark.parametrize("validity", [timedelta(0), timedelta(days=-1), timedelta(days=4000)])
def test_a_validity_out_of_reason_is_refused(validity: timedelta) -> None:
    with pytest.raises(UsageError, match="valid for some time"):
        generate(SUBJECT, "EC-256", validity, now=NOW)
