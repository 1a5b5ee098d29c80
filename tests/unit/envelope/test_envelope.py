"""What both formats promise."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from nv2.envelope.algorithms import ALGORITHMS, BY_KEY
from nv2.envelope.envelope import ExtendedAttribute, Scheme
from nv2.envelope.formats import FORMATS, MAX_ENVELOPE, Draft, build_payload, parse, seal
from nv2.errors import InvalidCertificate, InvalidSignature, MalformedEnvelope, UsageError
from nv2.oci import media_types as mt
from tests.unit.envelope import forge
from tests.unit.envelope.forge import LATER, NOW, TARGET, attributes, pair, sealed
from tests.world.ca import CA

formats = pytest.mark.parametrize("media_type", FORMATS)


def test_every_format_that_has_a_name_is_read_and_no_other() -> None:
    assert list(FORMATS) == list(mt.ENVELOPES.values())


@formats
@pytest.mark.parametrize("kind", BY_KEY)
def test_what_was_sealed_with_any_key_opens_with_its_public_half(media_type: str, kind: str) -> None:
    signed = pair(kind)
    envelope = parse(media_type, sealed(media_type, signed))
    assert envelope.open(signed.public_key).target == TARGET
    assert envelope.algorithm == BY_KEY[kind]


@formats
def test_another_key_of_the_same_kind_does_not_open(media_type: str) -> None:
    envelope = parse(media_type, sealed(media_type))
    with pytest.raises(InvalidSignature, match="does not fit"):
        envelope.open(CA("Other").issue("other", key="EC-256").public_key)


@formats
@pytest.mark.parametrize("kind", [kind for kind in BY_KEY if kind != "EC-256"])
def test_a_key_of_another_kind_than_the_algorithm_does_not_open(media_type: str, kind: str) -> None:
    envelope = parse(media_type, sealed(media_type))
    with pytest.raises(InvalidSignature, match="not one of ECDSA-SHA-256"):
        envelope.open(pair(kind).public_key)


@formats
@pytest.mark.parametrize("kind", ["EC-224", "RSA-1024", "Ed25519", "EC-256K1"])
def test_a_key_that_prescribes_no_algorithm_does_not_open(media_type: str, kind: str) -> None:
    envelope = parse(media_type, sealed(media_type))
    with pytest.raises(InvalidCertificate, match="cannot sign"):
        envelope.open(pair(kind).public_key)


@formats
def test_times_are_cut_to_whole_seconds_of_utc(media_type: str) -> None:
    precise = NOW + timedelta(microseconds=999_999)
    envelope = parse(media_type, sealed(media_type, signing_time=precise, expiry=LATER))
    assert (envelope.attributes.signing_time, envelope.attributes.expiry) == (NOW, LATER)


@formats
@pytest.mark.parametrize("scheme", Scheme)
def test_attributes_come_back_as_they_were_signed(media_type: str, scheme: Scheme) -> None:
    extended = (
        ExtendedAttribute("com.example.a", "x", True),
        ExtendedAttribute("com.example.b", ["y"], False),
    )
    raw = sealed(media_type, scheme=scheme, expiry=LATER, extended=extended)
    found = parse(media_type, raw).attributes
    assert found._replace(extended=()) == attributes(scheme=scheme, expiry=LATER)
    assert sorted(found.extended) == sorted(extended)


@formats
def test_the_unsigned_attributes_are_kept_as_they_came(media_type: str) -> None:
    envelope = parse(media_type, sealed(media_type, agent="nv2/1 plugin/2"))
    assert envelope.unsigned.certificates == pair().chain
    assert envelope.unsigned.signing_agent == "nv2/1 plugin/2"
    assert envelope.unsigned.timestamp is None


@formats
def test_an_empty_signing_agent_is_left_out(media_type: str) -> None:
    assert parse(media_type, sealed(media_type, agent="")).unsigned.signing_agent is None


def _refused_drafts() -> dict[str, Callable[[], Draft]]:
    def draft(payload: bytes = forge.PAYLOAD, **changes: Any) -> Draft:
        return Draft(payload, attributes(**changes), "agent")

    return {
        "expiry not after signing": lambda: draft(expiry=NOW),
        "expiry in the same second": lambda: draft(expiry=NOW + timedelta(milliseconds=900)),
        "time without zone": lambda: draft(signing_time=NOW.replace(tzinfo=None)),
        "payload not an object": lambda: draft(payload=b"[]"),
        "empty payload": lambda: draft(payload=b""),
        "foreign content type": lambda: draft(content_type="text/plain"),
        "standard attribute as extended one": lambda: draft(
            extended=(ExtendedAttribute(forge.AUTHENTIC, "x", True),)
        ),
        "the same attribute twice": lambda: draft(extended=(ExtendedAttribute("a", "x", False),) * 2),
        "attribute that no format holds": lambda: draft(extended=(ExtendedAttribute("a", {1}, False),)),
        "text that is not unicode": lambda: draft(extended=(ExtendedAttribute("a", "\udcff", False),)),
    }


@formats
@pytest.mark.parametrize("case", _refused_drafts())
def test_what_cannot_be_sealed_is_the_callers_fault(media_type: str, case: str) -> None:
    signer = pair().signer()
    with pytest.raises(UsageError):
        seal(media_type, _refused_drafts()[case](), signer.chain, signer.algorithm, signer.sign)


@formats
def test_sealing_needs_a_chain(media_type: str) -> None:
    signer = pair().signer()
    draft = Draft(forge.PAYLOAD, attributes(), "agent")
    with pytest.raises(UsageError):
        seal(media_type, draft, (), signer.algorithm, signer.sign)


def test_an_unknown_media_type_is_named_with_those_that_are_known() -> None:
    with pytest.raises(MalformedEnvelope, match="text/plain") as caught:
        parse("text/plain", b"")
    assert mt.COSE in str(caught.value.hint)
    signer = pair().signer()
    with pytest.raises(UsageError, match="text/plain"):
        seal("text/plain", Draft(b"", attributes(), ""), (), ALGORITHMS[0], signer.sign)


@formats
def test_an_oversize_envelope_is_not_even_read(media_type: str) -> None:
    with pytest.raises(MalformedEnvelope, match=f"more than {MAX_ENVELOPE} bytes"):
        parse(media_type, b" " * (MAX_ENVELOPE + 1))


@formats
@pytest.mark.parametrize("data", [b"", b"{}", b"\xd2\x84", b"null", b"\xf6", b"hello"])
def test_what_is_no_envelope_is_refused(media_type: str, data: bytes) -> None:
    with pytest.raises(MalformedEnvelope):
        parse(media_type, data)


@formats
def test_large_user_metadata_survives(media_type: str) -> None:
    metadata = {f"key{i}": "ü" * 100 for i in range(1000)}
    raw = sealed(media_type, payload=build_payload(TARGET, metadata))
    assert parse(media_type, raw).open(pair().public_key).target.annotations == metadata
