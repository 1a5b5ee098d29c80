from __future__ import annotations

import json
from base64 import b64encode, urlsafe_b64decode
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from nv2.envelope.envelope import ExtendedAttribute, Scheme
from nv2.envelope.formats import Envelope, parse
from nv2.errors import MalformedEnvelope, UsageError
from nv2.oci import media_types as mt
from tests.unit.envelope.forge import (
    AGENT,
    AUTHENTIC,
    EXPIRY,
    LATER,
    MISSING,
    PAYLOAD,
    SCHEME,
    SIGNING_TIME,
    TIMESTAMP,
    base64url,
    jws,
    jws_header,
    pair,
    sealed,
)


def read(data: bytes) -> Envelope:
    return parse(mt.JWS, data)


def refused(data: bytes, at: str | None, words: str = "") -> None:
    with pytest.raises(MalformedEnvelope) as caught:
        read(data)
    assert caught.value.at == at
    assert words in caught.value.message


def protected_of(data: bytes) -> dict[str, Any]:
    text = json.loads(data)["protected"]
    found: dict[str, Any] = json.loads(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    return found


def test_the_forged_envelope_is_sound_but_for_its_signature() -> None:
    assert read(jws()).unsigned.signing_agent == "forge"


def test_the_members_are_those_of_notation() -> None:
    document = json.loads(sealed(mt.JWS))
    assert set(document) == {"payload", "protected", "header", "signature"}
    assert set(document["header"]) == {"x5c", AGENT}


def test_the_protected_header_is_that_of_notation() -> None:
    assert protected_of(sealed(mt.JWS, expiry=LATER)) == {
        "alg": "ES256",
        "cty": mt.PAYLOAD,
        "crit": [SCHEME, EXPIRY],
        SCHEME: "notary.x509",
        SIGNING_TIME: "2026-01-02T15:04:05Z",
        EXPIRY: "2026-01-03T15:04:05Z",
    }


def test_the_time_of_a_signing_authority_is_critical() -> None:
    protected = protected_of(sealed(mt.JWS, scheme=Scheme.SIGNING_AUTHORITY))
    assert protected["crit"] == [SCHEME, AUTHENTIC]
    assert SIGNING_TIME not in protected


def test_a_numbered_attribute_cannot_be_sealed() -> None:
    with pytest.raises(UsageError, match="names, not numbers"):
        sealed(mt.JWS, extended=(ExtendedAttribute(100, "x", False),))


# --- the members ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("member", ["payload", "protected", "signature", "header"])
def test_no_member_may_be_missing(member: str) -> None:
    refused(jws(members={member: MISSING}), member, "missing")


@pytest.mark.parametrize("member", ["payload", "protected", "signature", "header"])
@pytest.mark.parametrize("value", [None, 1, ["a"]])
def test_members_have_their_types(member: str, value: object) -> None:
    refused(jws(members={member: value}), member, "expected")


def test_the_general_form_is_refused() -> None:
    refused(jws(members={"signatures": []}), "signatures", "one signature")


@pytest.mark.parametrize("member", ["Payload", "PROTECTED", "extra"])
def test_unknown_members_are_refused(member: str) -> None:
    refused(jws(members={member: "x"}), None, "unknown field")


def test_a_duplicate_member_is_refused() -> None:
    refused(jws()[:-1] + b',"payload":"e30"}', None, "duplicate key 'payload'")


def test_trailing_data_is_refused() -> None:
    refused(jws() + b"{}", None, "extra data")


def test_deep_nesting_is_refused() -> None:
    refused(b"[" * 100_000, None, "nested too deeply")
    refused(jws(header={"x": json.loads("[" * 40 + "]" * 40)}), None, "nested deeper")


@pytest.mark.parametrize("member", ["payload", "protected", "signature"])
@pytest.mark.parametrize(
    "change",
    [
        lambda text: text + "=",
        lambda text: text + "\n",
        lambda text: " " + text,
        lambda text: text[:4] + "\r\n" + text[4:],
        lambda text: text[:4] + "!" + text[4:],
        lambda text: text + "A" if len(text) % 4 == 0 else text[: len(text) // 4 * 4 + 1],
        lambda text: "é" + text,
    ],
)
def test_base64_that_is_not_canonical_is_refused(member: str, change: Any) -> None:
    text = json.loads(jws())[member]
    refused(jws(members={member: change(text)}), member, "base64")


def test_unused_bits_of_base64_must_be_zero() -> None:
    refused(jws(members={"signature": base64url(bytes(64))[:-1] + "B"}), "signature", "not canonical")


def test_standard_base64_is_not_base64url() -> None:
    refused(jws(members={"signature": b64encode(b"\xff" * 63).decode()}), "signature", "not canonical")


@pytest.mark.parametrize("member", ["payload", "signature", "protected"])
def test_empty_members_are_refused(member: str) -> None:
    refused(jws(members={member: ""}), member, "is empty")


# --- the unprotected header -------------------------------------------------------------------------------


def test_unknown_unprotected_members_are_ignored() -> None:
    assert read(jws(header={"com.example.x": {"y": 1}})).unsigned.signing_agent == "forge"


def test_a_timestamp_is_kept() -> None:
    assert read(jws(header={TIMESTAMP: b64encode(b"token").decode()})).unsigned.timestamp == b"token"


@pytest.mark.parametrize("chain", [MISSING, []])
def test_the_chain_must_be_there(chain: object) -> None:
    refused(jws(header={"x5c": chain}), "header.x5c", "missing")


@pytest.mark.parametrize(
    ("chain", "at"),
    [
        (None, "header.x5c"),
        ("MIIB", "header.x5c"),
        ([1], "header.x5c[0]"),
        (["MIIB", ""], "header.x5c[1]"),
        (["MIIB", "_-8="], "header.x5c[1]"),
        (["TQ"], "header.x5c[0]"),
        (["TR=="], "header.x5c[0]"),
        (["TQ==\n"], "header.x5c[0]"),
    ],
)
def test_the_chain_is_an_array_of_standard_base64(chain: object, at: str) -> None:
    refused(jws(header={"x5c": chain}), at)


@pytest.mark.parametrize("name", ["X5C", "x5\u0043", AGENT.upper(), "io.cncf.notary.\u017figningAgent"])
def test_other_spellings_of_an_unprotected_name_are_refused(name: str) -> None:
    refused(jws(header={name: "x"}), "header", "is spelled")


def test_a_name_in_both_headers_is_refused() -> None:
    refused(jws(header={"alg": "ES256"}), "header.alg", "protected header too")


def test_the_agent_must_be_text() -> None:
    refused(jws(header={AGENT: 1}), f"header.{AGENT}", "expected a string")


# --- the protected header ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "algorithm", ["none", "HS256", "RS256", "es256", "EdDSA", "", -7, None, ["ES256"], {}]
)
def test_other_algorithms_are_refused(algorithm: object) -> None:
    refused(jws({"alg": algorithm}), "protected.alg", "not acceptable")


@pytest.mark.parametrize("name", ["alg", "cty", "crit", SCHEME, SIGNING_TIME])
def test_no_standard_attribute_may_be_missing(name: str) -> None:
    refused(jws({name: MISSING}), f"protected.{name}", "is missing")


@pytest.mark.parametrize("name", ["ALG", "Crit", SCHEME.upper(), "io.cncf.notary.\u017figningTime"])
def test_other_spellings_of_a_protected_name_are_refused(name: str) -> None:
    refused(jws({name: "x"}), "protected", "is spelled")


def test_duplicate_protected_names_are_refused() -> None:
    protected = json.dumps(jws_header())[:-1] + ',"alg":"none"}'
    refused(jws(protected.encode()), "protected", "duplicate key 'alg'")


@pytest.mark.parametrize("protected", [b"[]", b"null", b"{", b"\xff", b'{"a":NaN}'])
def test_the_protected_header_must_be_an_object(protected: bytes) -> None:
    refused(jws(protected), "protected")


@pytest.mark.parametrize(
    ("critical", "at", "words"),
    [
        ([], "protected.crit", "at least one"),
        ("io.cncf.notary.signingScheme", "protected.crit", "an array"),
        (None, "protected.crit", "an array"),
        ([SCHEME, 1], "protected.crit[1]", "not in the protected header"),
        ([SCHEME, None], "protected.crit[1]", "expected a label"),
        ([SCHEME, SCHEME], "protected.crit[1]", "named twice"),
        ([SCHEME, "com.example.absent"], "protected.crit[1]", "not in the protected header"),
        ([SCHEME, EXPIRY], "protected.crit[1]", "not in the protected header"),
        ([SCHEME, "alg"], "protected.crit[1]", "cannot be critical"),
        ([SCHEME, "cty"], "protected.crit[1]", "cannot be critical"),
        ([SCHEME, "crit"], "protected.crit[1]", "cannot be critical"),
        ([SCHEME, "x5t#S256"], "protected.crit[1]", "cannot be critical"),
        ([SCHEME, SIGNING_TIME], "protected.crit[1]", "cannot be critical"),
        (["com.example.x"], "protected.crit", f"{SCHEME}' must be critical"),
    ],
)
def test_crit_names_what_is_there_once(critical: object, at: str, words: str) -> None:
    refused(jws({"crit": critical, "com.example.x": 1}), at, words)


def test_an_expiry_must_be_critical() -> None:
    refused(jws({EXPIRY: "2026-01-03T15:04:05Z"}), "protected.crit", "must be critical")


def test_unknown_critical_attributes_are_kept_with_their_flag() -> None:
    extended = read(jws({"crit": [SCHEME, "a"], "a": 1, "b": 2})).attributes.extended
    assert extended == (ExtendedAttribute("a", 1, True), ExtendedAttribute("b", 2, False))


# --- schemes and times ------------------------------------------------------------------------------------

AUTHORITY = {
    SCHEME: "notary.x509.signingAuthority",
    AUTHENTIC: "2026-01-02T15:04:05Z",
    SIGNING_TIME: MISSING,
    "crit": [SCHEME, AUTHENTIC],
}


def test_a_signing_authority_has_an_authentic_time() -> None:
    assert read(jws(AUTHORITY)).attributes.scheme is Scheme.SIGNING_AUTHORITY


@pytest.mark.parametrize(
    ("changes", "at", "words"),
    [
        ({SCHEME: "notary.x509.other"}, SCHEME, "unknown signing scheme"),
        ({SCHEME: None}, SCHEME, "expected text"),
        ({AUTHENTIC: "2026-01-02T15:04:05Z"}, AUTHENTIC, "not allowed"),
        ({**AUTHORITY, SIGNING_TIME: "2026-01-02T15:04:05Z"}, SIGNING_TIME, "not allowed"),
        ({**AUTHORITY, "crit": [SCHEME]}, "crit", "must be critical"),
        ({**AUTHORITY, AUTHENTIC: MISSING, "crit": [SCHEME]}, "crit", "must be critical"),
        ({SCHEME: "notary.x509.signingAuthority"}, "crit", "must be critical"),
    ],
)
def test_each_scheme_has_its_own_time(changes: dict[str, object], at: str, words: str) -> None:
    refused(jws(changes), f"protected.{at}", words)


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-02t15:04:05Z",
        "2026-01-02T15:04:05z",
        "2026-01-02 15:04:05Z",
        "2026-01-02T15:04:05",
        "2026-01-02T15:04Z",
        "2026-01-02T15:04:05,5Z",
        "2026-01-02T15:04:05.Z",
        "2026-01-02T15:04:60Z",
        "2026-02-30T15:04:05Z",
        "2026-01-02T24:00:00Z",
        "0000-01-01T00:00:00Z",
        "2026-01-02T15:04:05+0100",
        "2026-01-02T15:04:05+24:00",
        "2026-01-02T15:04:05+01:60",
        "2026-01-02T15:04:05Z\n",
        "\u0662026-01-02T15:04:05Z",
        "2026-W01-2T15:04:05Z",
        "9999-12-31T23:59:59-00:01",
        "0001-01-01T00:00:00+00:01",
        1767366245,
        None,
    ],
)
def test_times_that_go_would_not_read_are_refused(text: object) -> None:
    refused(jws({SIGNING_TIME: text}), f"protected.{SIGNING_TIME}", "time")


def test_a_zone_that_is_none_is_quoted_not_explained_in_python() -> None:
    zone = "2026-01-02T15:04:05+24:00"
    refused(jws({SIGNING_TIME: zone}), f"protected.{SIGNING_TIME}", f"no such time: {zone}")


def test_the_first_second_of_the_calendar_is_gos_word_for_no_time() -> None:
    refused(jws({SIGNING_TIME: "0001-01-01T00:00:00Z"}), f"protected.{SIGNING_TIME}", "missing")


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-01-02T15:04:05.25Z", datetime(2026, 1, 2, 15, 4, 5, 250_000, UTC)),
        ("2026-01-02T15:04:05.999999999Z", datetime(2026, 1, 2, 15, 4, 5, 999_999, UTC)),
        ("2026-01-02T15:04:05+01:30", datetime(2026, 1, 2, 13, 34, 5, tzinfo=UTC)),
        ("2026-01-02T15:04:05-08:00", datetime(2026, 1, 2, 23, 4, 5, tzinfo=UTC)),
    ],
)
def test_fractions_and_zones_are_read_as_notation_does(text: str, instant: datetime) -> None:
    assert read(jws({SIGNING_TIME: text})).attributes.signing_time == instant


def test_the_zone_of_a_time_is_kept_for_showing() -> None:
    found = read(jws({SIGNING_TIME: "2026-01-02T15:04:05-08:00"})).attributes.signing_time
    assert found.tzinfo == timezone(-timedelta(hours=8))


@pytest.mark.parametrize(
    "expiry", ["2026-01-02T15:04:05Z", "2026-01-02T15:04:04Z", "2026-01-02T16:04:05+01:00"]
)
def test_the_expiry_must_be_after_the_signing_time(expiry: str) -> None:
    refused(jws({EXPIRY: expiry, "crit": [SCHEME, EXPIRY]}), f"protected.{EXPIRY}", "not after")


# --- the payload ------------------------------------------------------------------------------------------


def test_the_content_type_must_be_that_of_the_specification() -> None:
    refused(jws({"cty": "application/json"}), None, "application/json")


def test_a_malformed_payload_is_refused_when_parsing() -> None:
    refused(jws(payload=b"{}"), "payload.targetArtifact", "missing")


def test_the_signed_bytes_are_those_of_rfc_7515() -> None:
    raw = sealed(mt.JWS)
    document = json.loads(raw)
    envelope = read(raw)
    assert envelope.signed_bytes == f"{document['protected']}.{document['payload']}".encode()
    assert envelope.payload == PAYLOAD
    assert envelope.unsigned.certificates == pair().chain
