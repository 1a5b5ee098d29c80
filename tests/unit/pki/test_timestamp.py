"""Timestamp tokens: what opens, and what does not."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509

from nv2.errors import InvalidTimestamp
from nv2.pki import cms, der
from nv2.pki.timestamp import BASELINE_POLICY, OpenedToken, parse_token
from tests.world.tsa import (
    CONTENT_TYPE,
    DATA,
    ESS_V1,
    ESS_V2,
    HASH_OIDS,
    MESSAGE_DIGEST,
    NULL,
    SEQUENCE,
    SIGNING_TIME,
    STAMPED_AT,
    TSA,
    attribute,
    integer,
    oid,
    tlv,
)

WHAT = b"the signature"
CLOCK = TSA("Clock")
RSA = TSA("Old clock", key="RSA-2048")
IDENTIFIED = TSA(
    "Identified",
    extensions=[(x509.SubjectKeyIdentifier(b"0123456789"), False)],
)
OTHER = TSA("Other clock").pair.leaf
SECOND = timedelta(seconds=1)


def opened(data: bytes) -> OpenedToken:
    return parse_token(data).open()


def test_a_token_says_when() -> None:
    found = opened(CLOCK.token(WHAT, nonce=5, serial=9, accuracy=(2, 3, 4)))
    assert found.info.gen_time == STAMPED_AT
    assert found.info.accuracy == timedelta(seconds=2, milliseconds=3, microseconds=4)
    assert found.info.earliest == STAMPED_AT - found.info.accuracy
    assert found.info.latest == STAMPED_AT + found.info.accuracy
    assert (found.info.nonce, found.info.serial, found.info.policy) == (5, 9, "1.3.6.1.4.1.99999.1")
    assert found.info.imprint == hashlib.sha256(WHAT).digest()
    assert found.signer.der == CLOCK.pair.leaf
    found.info.check_imprint(WHAT)


def test_the_timestamp_of_something_else_is_not_one_of_this() -> None:
    with pytest.raises(InvalidTimestamp, match="of something else"):
        opened(CLOCK.token(WHAT)).info.check_imprint(b"another signature")


# fmt: off
GOOD: Mapping[str, Mapping[str, Any]] = {
    "SHA-384 imprint":             {"hash": "sha384"},
    "SHA-512 imprint":             {"hash": "sha512"},
    "SHA-384 digest":              {"digest": "sha384"},
    "SHA-512 digest":              {"digest": "sha512"},
    "several digests announced":   {"announced": ("sha512", "sha256")},
    "indefinite lengths":          {"ber": "indefinite"},
    "content in parts":            {"ber": "parts"},
    "attributes out of order":     {"unordered": True, "signing_time": STAMPED_AT},
    "both certificate attributes": {"ess": (ESS_V1, ESS_V2)},
    "certificate by SHA-512":      {"ess_hash": "sha512"},
    "certificate by hash alone":   {"ess_serial": False},
    "signing time":                {"signing_time": STAMPED_AT},
    "no accuracy":                 {"accuracy": None},
    "a CRL beside it":             {"crls": (tlv(SEQUENCE, NULL),)},
    "other kinds of certificate":  {"certificates": (tlv(0xA1, NULL), CLOCK.pair.leaf, tlv(0xA3, NULL))},
    "certificates out of order":   {"certificates": (CLOCK.pair.root, CLOCK.pair.leaf)},
    "an extension":                {"extensions": (("1.2.3", False),)},
    "an ordering":                 {"more": b"", "accuracy": tlv(SEQUENCE, integer(1)) + tlv(1, b"\xff")},
    "its name":                    {"more": tlv(0xA0, tlv(0x82, b"tsa"))},
    "unsigned attributes":         {"unsigned": tlv(0xA1, attribute("1.2.3", NULL))},
}

BAD: Mapping[str, tuple[Mapping[str, Any], str]] = {
    "no attributes":               ({"without": (CONTENT_TYPE, MESSAGE_DIGEST, ESS_V2)}, "not a timestamp token"),
    "empty attributes":            ({"without": (CONTENT_TYPE, MESSAGE_DIGEST, ESS_V2), "keep_empty": True}, "is missing"),
    "no content type":             ({"without": (CONTENT_TYPE,)}, r"attribute 1\.2\.840\.113549\.1\.9\.3 is missing"),
    "no digest":                   ({"without": (MESSAGE_DIGEST,)}, r"attribute 1\.2\.840\.113549\.1\.9\.4 is missing"),
    "other type signed":           ({"said_type": DATA}, "another type of content"),
    "other digest signed":         ({"said_digest": bytes(32)}, "for other content"),
    "other type":                  ({"content_type": DATA}, "its content is of type '1.2.840.113549.1.7.1'"),
    "twice an attribute":          ({"further": (attribute(CONTENT_TYPE, oid(DATA)),)}, "occurs twice"),
    "two values":                  ({"further": (attribute("1.2.3", NULL, NULL),)}, "2 fields instead of 1"),
    "malformed digest":            ({"without": (MESSAGE_DIGEST,), "further": (attribute(MESSAGE_DIGEST, NULL),)}, "malformed"),
    "wrong signature":             ({"spoil_signature": True}, "not made by the key"),
    "no signers":                  ({"signers": 0}, "0 signatures"),
    "several signers":             ({"signers": 2}, "2 signatures"),
    "no certificates":             ({"certificates": ()}, "does not come with it"),
    "other certificates":          ({"certificates": (OTHER,)}, "does not come with it"),
    "not a certificate":           ({"certificates": (CLOCK.pair.leaf, tlv(SEQUENCE, NULL))}, "certificate #2"),
    "many certificates":           ({"certificates": (CLOCK.pair.leaf,) * (cms.MAX_CERTIFICATES + 1)}, "more than 20"),
    "SHA-1 digest":                ({"digest": "sha1"}, "not acceptable"),
    "SHA-1 imprint":               ({"hash": "sha1"}, "not acceptable"),
    "MD5 imprint":                 ({"hash": "md5"}, "not acceptable"),
    "digest not announced":        ({"announced": ("sha512",)}, "not among those announced"),
    "SignedData version 1":        ({"signed_version": 1}, "version that is not 3"),
    "SignerInfo version 3":        ({"signer_version": 3}, "does not fit"),
    "no certificate attribute":    ({"ess": ()}, "signing-certificate-v2 is missing"),
    "old certificate attribute":   ({"ess": (ESS_V1,)}, "signing-certificate-v2 is missing"),
    "another certificate":         ({"ess_leaf": OTHER}, "another certificate by its hash"),
    "another issuer":              ({"ess_issuer_of": OTHER}, "another certificate by issuer"),
    "certificate by SHA-1":        ({"ess_hash": "sha1"}, "not acceptable"),
    "no certificate in attribute": ({"ess": (), "further": (attribute(ESS_V2, tlv(SEQUENCE, tlv(SEQUENCE))),)}, "malformed"),
    "empty certificate id":        ({"ess": (), "further": (attribute(ESS_V2, tlv(SEQUENCE, tlv(SEQUENCE, tlv(SEQUENCE)))),)}, "malformed"),
    "malformed signing time":      ({"further": (attribute(SIGNING_TIME, NULL),)}, "malformed"),
    "no TSTInfo":                  ({"content": b"x"}, "malformed TSTInfo"),
    "TSTInfo version 2":           ({"version": 2}, "version that is not 1"),
    "critical extension":          ({"extensions": (("1.2.3", True),)}, "unknown critical extension '1.2.3'"),
    "short imprint":               ({"imprint": bytes(20)}, "not as long as its hash"),
    "something more":              ({"more": NULL}, "more than belongs there"),
    "local time":                  ({"time": tlv(0x18, b"20260101120000")}, "in UTC"),
    "time with an offset":         ({"time": tlv(0x18, b"20260101120000+0100")}, "in UTC"),
    "UTCTime":                     ({"time": tlv(0x17, b"260101120000Z")}, "tag 0x17"),
    "trailing zero":               ({"fraction": ".50"}, "to the second"),
    "comma":                       ({"fraction": ",5"}, "to the second"),
    "no such day":                 ({"time": tlv(0x18, b"20260231120000Z")}, "no such time"),
    "before any calendar":         ({"time": tlv(0x18, b"00010101000000Z")}, "malformed TSTInfo"),
    "endless accuracy":            ({"accuracy": (10**12, 0, 0)}, "too large"),
    "negative accuracy":           ({"accuracy": (-1, 0, 0)}, "negative"),
    "thousand milliseconds":       ({"accuracy": (0, 1000, 0)}, "too large"),
    "accuracy out of order":       ({"accuracy": tlv(SEQUENCE, tlv(0x81, b"\1"), tlv(0x80, b"\1"))}, "malformed accuracy"),
    "trailing bytes":              ({"unsigned": tlv(0xA2, NULL)}, "more in a SignerInfo"),
}
# fmt: on


@pytest.mark.parametrize("how", GOOD.values(), ids=GOOD)
def test_a_good_token_opens(how: Mapping[str, Any]) -> None:
    found = opened(CLOCK.token(WHAT, **how))
    assert found.info.gen_time == STAMPED_AT
    found.info.check_imprint(WHAT)


@pytest.mark.parametrize(("how", "said"), BAD.values(), ids=BAD)
def test_a_bad_token_does_not_open(how: Mapping[str, Any], said: str) -> None:
    with pytest.raises(InvalidTimestamp, match=said):
        opened(CLOCK.token(WHAT, **how))


@pytest.mark.parametrize("kind", ["PKCS1", "named", "PSS"])
def test_an_rsa_key_may_sign(kind: str) -> None:
    assert opened(RSA.token(WHAT, padding_=kind)).signer.der == RSA.pair.leaf


@pytest.mark.parametrize("how", [{"padding_": "PSS-other"}, {"padding_": "named", "digest": "sha384"}])
def test_two_hashes_in_one_signature_are_refused(how: Mapping[str, Any]) -> None:
    with pytest.raises(InvalidTimestamp, match="not a timestamp token"):
        opened(RSA.token(WHAT, **how))


def test_a_signer_may_be_named_by_its_key_identifier() -> None:
    assert opened(IDENTIFIED.token(WHAT, sid="key")).signer.der == IDENTIFIED.pair.leaf
    with pytest.raises(InvalidTimestamp, match="does not come with it"):
        opened(IDENTIFIED.token(WHAT, sid="key", certificates=(CLOCK.pair.leaf,)))


@pytest.mark.parametrize("value", [b"", NULL, b"\x04\x05abc"])
def test_a_key_identifier_that_cannot_be_read_names_nobody(value: bytes) -> None:
    broken = x509.UnrecognizedExtension(x509.ObjectIdentifier("2.5.29.14"), value)
    leaf = TSA("Broken", extensions=[(broken, False)]).pair.leaf
    with pytest.raises(InvalidTimestamp, match="is malformed"):
        opened(IDENTIFIED.token(WHAT, sid="key", certificates=(leaf, IDENTIFIED.pair.leaf)))


def test_nothing_is_read_before_the_signature_holds() -> None:
    with pytest.raises(InvalidTimestamp, match="not made by the key"):
        opened(CLOCK.token(WHAT, content=b"no TSTInfo", spoil_signature=True))


@pytest.mark.parametrize(("policy", "seconds"), [(BASELINE_POLICY, 1), ("1.2.3", 0)])
def test_who_follows_the_baseline_policy_is_right_to_a_second(policy: str, seconds: int) -> None:
    found = opened(CLOCK.token(WHAT, policy=policy, accuracy=None))
    assert found.info.accuracy == seconds * SECOND


def test_fractions_of_seconds_are_kept_to_the_microsecond() -> None:
    found = opened(CLOCK.token(WHAT, fraction=".123456789"))
    assert found.info.gen_time == STAMPED_AT.replace(microsecond=123456)


@pytest.mark.parametrize("parameters", [None, der.Element(5, b"", NULL)])
def test_a_hash_has_no_parameters(parameters: der.Element | None) -> None:
    sha256 = HASH_OIDS["sha256"]
    assert cms.hash_of(sha256, parameters) == "sha256"
    with pytest.raises(der.NotDer, match="not acceptable"):
        cms.hash_of(sha256, der.Element(4, b"", b"\x04\0"))


def test_a_token_can_be_shown_unproven() -> None:
    token = parse_token(CLOCK.token(WHAT, spoil_signature=True))
    assert token.claimed().gen_time == STAMPED_AT
    assert [certificate.der for certificate in token.certificates] == [CLOCK.pair.leaf]


def test_trailing_bytes_are_refused() -> None:
    with pytest.raises(InvalidTimestamp, match="trailing bytes"):
        parse_token(CLOCK.token(WHAT) + b"\0")


def test_a_large_token_is_not_read() -> None:
    with pytest.raises(InvalidTimestamp, match="more than 1048576 bytes"):
        parse_token(bytes(cms.MAX_SIGNED_DATA + 1))
