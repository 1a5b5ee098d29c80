from __future__ import annotations

from datetime import timedelta
from typing import Any

import cbor2
import pytest
from cbor2 import CBORTag

from nv2.envelope.envelope import ExtendedAttribute, Scheme
from nv2.envelope.formats import Envelope, parse
from nv2.errors import MalformedEnvelope
from nv2.oci import media_types as mt
from tests.unit.envelope.forge import (
    AGENT,
    AUTHENTIC,
    EXPIRY,
    LATER,
    MISSING,
    NOW,
    PAYLOAD,
    SCHEME,
    SIGNING_TIME,
    TIMESTAMP,
    cose,
    cose_header,
    pair,
    sealed,
)


def read(data: bytes) -> Envelope:
    return parse(mt.COSE, data)


def refused(data: bytes, at: str | None, words: str = "") -> None:
    with pytest.raises(MalformedEnvelope) as caught:
        read(data)
    assert caught.value.at == at
    assert words in caught.value.message


def place(label: Any) -> str:
    return f"protected[{label!r}]"


def test_the_forged_envelope_is_sound_but_for_its_signature() -> None:
    assert read(cose()).unsigned.signing_agent == "forge"


def test_the_message_is_that_of_notation() -> None:
    message = cbor2.loads(sealed(mt.COSE, expiry=LATER, agent="agent"))
    protected, unprotected, payload, signature = message.value
    assert message.tag == 18
    assert unprotected == {33: pair().chain, AGENT: "agent"}
    assert (payload, len(signature)) == (PAYLOAD, 64)
    assert cbor2.loads(protected) == {
        1: -7,
        2: [SCHEME, EXPIRY],
        3: mt.PAYLOAD,
        SCHEME: "notary.x509",
        SIGNING_TIME: NOW,
        EXPIRY: LATER,
    }


def test_maps_are_written_in_the_deterministic_order_of_go_cose() -> None:
    raw = sealed(mt.COSE, expiry=LATER)
    protected = cbor2.loads(raw).value[0]
    labels = list(cbor2.loads(protected))
    assert labels == sorted(labels, key=cbor2.dumps)


def test_another_order_of_labels_is_read_too() -> None:
    backwards = cbor2.dumps(dict(reversed(cose_header().items())))
    assert read(cose(backwards)).attributes.signing_time == NOW


def test_the_signed_bytes_are_those_of_rfc_9052() -> None:
    envelope = read(sealed(mt.COSE))
    protected = cbor2.loads(envelope.raw).value[0]
    assert cbor2.loads(envelope.signed_bytes) == ["Signature1", protected, b"", PAYLOAD]


@pytest.mark.parametrize("tag", [17, 98, 61])
def test_the_tag_must_be_18(tag: int) -> None:
    refused(cose(tag=tag), None, "tag 18")


def test_an_untagged_message_is_refused() -> None:
    refused(cbor2.dumps(cbor2.loads(cose()).value), None, "tag 18")


@pytest.mark.parametrize("value", [[], [b"", {}, b""], {}, b"x", [b"", {}, b"", b"", b""]])
def test_the_message_is_an_array_of_four(value: object) -> None:
    refused(cbor2.dumps(CBORTag(18, value)), None, "array of 4")


def test_trailing_bytes_are_refused() -> None:
    refused(cose() + b"\x00", None, "1 bytes after the end")
    refused(cose(cbor2.dumps(cose_header()) + b"\x00"), "protected", "after the end")


@pytest.mark.parametrize("payload", [None, b"", "text", [1]])
def test_the_payload_must_be_inside(payload: object) -> None:
    refused(cose(payload=payload), "payload", "byte string")


@pytest.mark.parametrize("signature", [None, b"", "text"])
def test_the_signature_must_be_bytes(signature: object) -> None:
    refused(cose(signature=signature), "signature", "byte string")


def test_the_protected_header_is_a_byte_string_with_a_map() -> None:
    _, *rest = cbor2.loads(cose()).value
    refused(cbor2.dumps(CBORTag(18, [cose_header(), *rest])), "protected", "byte string")
    refused(cose(b""), "protected", "not empty")
    refused(cose(b"\x80"), "protected", "expected a map")


def test_duplicate_labels_are_refused_in_both_headers() -> None:
    refused(cose(b"\xa2\x01\x26\x01\x26"), "protected", "duplicate label 1")
    protected = cbor2.dumps(cose_header())
    unprotected = b"\xa2\x18\x21\x80\x18\x21\x80"
    data = b"\xd2\x84" + cbor2.dumps(protected) + unprotected + cbor2.dumps(PAYLOAD) + cbor2.dumps(bytes(64))
    refused(data, None, "duplicate label 33")


def test_a_label_in_both_headers_is_refused() -> None:
    refused(cose(header={3: "text/plain"}), "unprotected[3]", "protected header too")


@pytest.mark.parametrize("algorithm", [-257, 5, -8, 0, -7.0, "ES256", None, [-7], {}, b"x", True])
def test_other_algorithms_are_refused(algorithm: object) -> None:
    refused(cose({1: algorithm}), place(1), "not acceptable")


@pytest.mark.parametrize("label", [1, 2, 3, SCHEME, SIGNING_TIME])
def test_no_standard_attribute_may_be_missing(label: Any) -> None:
    refused(cose({label: MISSING}), place(label), "is missing")


def test_the_content_type_is_text() -> None:
    refused(cose({3: 50}), place(3), "expected text")


@pytest.mark.parametrize(
    ("critical", "at", "words"),
    [
        ([], "", "at least one"),
        (SCHEME, "", "an array"),
        ([SCHEME, b"x"], "[1]", "expected a label"),
        ([SCHEME, True], "[1]", "expected a label"),
        ([SCHEME, CBORTag(1, 1)], "[1]", "expected a label"),
        ([SCHEME, SCHEME], "[1]", "named twice"),
        ([SCHEME, 100], "[1]", "not in the protected header"),
        ([SCHEME, 1], "[1]", "cannot be critical"),
        ([SCHEME, 3], "[1]", "cannot be critical"),
        ([99], "", "must be critical"),
    ],
)
def test_crit_names_what_is_there_once(critical: object, at: str, words: str) -> None:
    refused(cose({2: critical, 99: "x"}), place(2) + at, words)


def test_the_signing_time_may_be_critical_as_in_notation() -> None:
    assert read(cose({2: [SCHEME, SIGNING_TIME]})).attributes.signing_time == NOW


def test_extended_attributes_have_numbers_or_names() -> None:
    found = read(cose({2: [SCHEME, 99], 99: [1, b"x"], "a": 1.5})).attributes.extended
    assert {(a.key, a.critical) for a in found} == {(99, True), ("a", False)}
    assert ExtendedAttribute("a", 1.5, False) in found


AUTHORITY = {
    SCHEME: "notary.x509.signingAuthority",
    SIGNING_TIME: MISSING,
    AUTHENTIC: CBORTag(1, 1767366245),
    2: [SCHEME, AUTHENTIC],
}


def test_a_signing_authority_has_an_authentic_time() -> None:
    assert read(cose(AUTHORITY)).attributes.scheme is Scheme.SIGNING_AUTHORITY


@pytest.mark.parametrize(
    ("changes", "label", "words"),
    [
        ({SCHEME: "other"}, SCHEME, "unknown signing scheme"),
        ({SCHEME: b"notary.x509"}, SCHEME, "expected text"),
        ({AUTHENTIC: CBORTag(1, 1767366245)}, AUTHENTIC, "not allowed"),
        ({**AUTHORITY, SIGNING_TIME: CBORTag(1, 1767366245)}, SIGNING_TIME, "not allowed"),
        ({**AUTHORITY, 2: [SCHEME]}, 2, "must be critical"),
        ({EXPIRY: CBORTag(1, 1767366246)}, 2, "must be critical"),
        ({EXPIRY: CBORTag(1, 1767366245), 2: [SCHEME, EXPIRY]}, EXPIRY, "not after"),
    ],
)
def test_each_scheme_has_its_own_time(changes: dict[Any, object], label: Any, words: str) -> None:
    refused(cose(changes), place(label), words)


@pytest.mark.parametrize(
    "value",
    [
        1767366245,
        CBORTag(0, "2026-01-02T15:04:05Z"),
        CBORTag(1, "1767366245"),
        CBORTag(1, None),
        CBORTag(1, True),
        CBORTag(1, CBORTag(1, 1)),
        CBORTag(1, 2**63 - 1),
        CBORTag(1, -(2**63)),
        CBORTag(1, float("nan")),
        CBORTag(1, float("inf")),
        "2026-01-02T15:04:05Z",
    ],
)
def test_a_time_is_tag_1_with_a_number(value: object) -> None:
    refused(cose({SIGNING_TIME: value}), place(SIGNING_TIME))


def test_fractions_of_seconds_are_read_as_notation_does() -> None:
    found = read(cose({SIGNING_TIME: CBORTag(1, 1767366245.5)})).attributes.signing_time
    assert found == NOW + timedelta(milliseconds=500)


@pytest.mark.parametrize(
    ("chain", "at"),
    [
        (MISSING, ""),
        ([], ""),
        (pair().leaf, ""),
        ({}, ""),
        (["text"], "[0]"),
        ([pair().leaf, b""], "[1]"),
    ],
)
def test_the_chain_is_an_array_of_byte_strings(chain: object, at: str) -> None:
    refused(cose(header={33: chain}), f"unprotected[33]{at}")


def test_a_timestamp_is_kept_and_must_be_bytes() -> None:
    assert read(cose(header={TIMESTAMP: b"token"})).unsigned.timestamp == b"token"
    refused(cose(header={TIMESTAMP: "token"}), f"unprotected[{TIMESTAMP!r}]")


def test_an_agent_that_is_not_text_is_no_agent() -> None:
    assert read(cose(header={AGENT: 1})).unsigned.signing_agent is None


@pytest.mark.parametrize("value", [CBORTag(1, 1), [CBORTag(99, "x")], {"a": [CBORTag(99, b"")]}])
def test_tags_are_refused_in_the_unprotected_header_as_in_notation(value: object) -> None:
    refused(cose(header={"x": value}), "unprotected['x']", "a tag is not expected")


@pytest.mark.parametrize("label", [5, 6, 7, 9, 11, 12])
def test_registered_parameters_without_a_use_are_refused(label: int) -> None:
    refused(cose({label: b"x"}), f"protected[{label}]", "not expected")
    refused(cose(header={label: b"x"}), f"unprotected[{label}]", "not expected")


@pytest.mark.parametrize("value", ["text", " a/b", "a/b/c", "", b"a/b", -1, None, True])
def test_a_type_is_a_media_type_or_its_number(value: object) -> None:
    refused(cose({16: value}), "protected[16]", "media type")


def test_a_key_id_is_bytes() -> None:
    refused(cose(header={4: "x"}), "unprotected[4]", "byte string")
    assert read(cose({4: b"x", 16: "a/b"})).attributes.extended[0].key == 4
    assert read(cose({16: 50})).attributes.extended[0].value == 50


def test_unknown_unprotected_labels_are_ignored() -> None:
    assert read(cose(header={"x": [1], 99: b""})).unsigned.certificates == pair().chain


def test_a_date_in_an_attribute_that_is_none_is_refused() -> None:
    refused(cose({"when": [CBORTag(0, "tomorrow")]}), "protected['when']", "tag 0 on something else")
    assert read(cose({"when": CBORTag(0, "2026-12-01T00:00:00Z")})).attributes.extended[0].key == "when"
