"""Laws of envelopes: what was sealed opens to the same; what was changed never opens, or is another chain."""

from __future__ import annotations

import functools
import json
from base64 import b64encode, urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nv2.envelope import cbor
from nv2.envelope.envelope import ExtendedAttribute, Scheme, SignedAttributes
from nv2.envelope.formats import FORMATS, MAX_ENVELOPE, Draft, SignedContent, build_payload, parse, seal
from nv2.errors import ArtifactError, InvalidCertificate, MalformedEnvelope
from nv2.oci import media_types as mt
from nv2.oci.descriptor import Descriptor, describe
from nv2.pki.certificate import parse_certificate
from nv2.pki.chain import Chain, parse_chain
from tests.world.ca import CA, Pair

formats = st.sampled_from(sorted(FORMATS))
kinds = st.sampled_from(["EC-256", "EC-384", "EC-521", "RSA-2048"])
text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
metadata = st.dictionaries(text.filter(lambda key: not key.startswith(mt.RESERVED_PREFIX)), text, max_size=5)
targets = st.builds(describe, st.binary(max_size=64), st.from_regex(r"[a-z]+/[a-z.+-]+", fullmatch=True))
seconds = st.integers(0, 2**33)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**18), 10**18) | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=6,
)
names = st.from_regex(r"com\.example\.[a-z]{1,8}", fullmatch=True)


@st.composite
def attributes(draw: st.DrawFn) -> SignedAttributes:
    signing_time = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=draw(seconds))
    expiry = draw(st.none() | st.integers(1, 2**20).map(lambda s: signing_time + timedelta(seconds=s)))
    extended = tuple(
        ExtendedAttribute(key, draw(values), draw(st.booleans()))
        for key in sorted(draw(st.sets(names, max_size=3)))
    )
    return SignedAttributes(mt.PAYLOAD, draw(st.sampled_from(Scheme)), signing_time, expiry, extended)


@functools.cache
def pair(kind: str = "EC-256") -> Pair:
    return CA("Root").intermediate("Middle").issue("build", key=kind)


@functools.cache
def sealed(media_type: str) -> bytes:
    now = datetime(2026, 1, 2, 15, 4, 5, tzinfo=UTC)
    target = describe(b"image", mt.IMAGE_MANIFEST)
    signed = SignedAttributes(mt.PAYLOAD, Scheme.X509, now, now + timedelta(days=1))
    return _seal(media_type, pair(), build_payload(target, {"a": "b"}), signed)


def _seal(
    media_type: str, signed: Pair, payload: bytes, about: SignedAttributes, agent: str = "nv2/0"
) -> bytes:
    signer = signed.signer()
    return seal(media_type, Draft(payload, about, agent), signer.chain, signer.algorithm, signer.sign).raw


def opened(media_type: str, data: bytes) -> tuple[SignedContent, Chain]:
    """As a verifier does: the key comes from the chain in the envelope."""
    envelope = parse(media_type, data)
    chain = parse_chain(envelope.unsigned.certificates)
    return envelope.open(chain.leaf.public_key), chain


@given(formats, kinds, targets, metadata, attributes(), text)
@settings(max_examples=40)
def test_what_was_sealed_opens_to_the_same(
    media_type: str, kind: str, target: Descriptor, extra: dict[str, str], about: SignedAttributes, agent: str
) -> None:
    data = _seal(media_type, pair(kind), build_payload(target, extra), about, agent)
    content, chain = opened(media_type, data)
    assert content.target.same_content(target)
    assert content.target.annotations == extra
    found = content.envelope.attributes
    assert found._replace(extended=()) == about._replace(extended=())
    assert sorted(found.extended, key=lambda a: a.key) == list(about.extended)
    assert (content.envelope.unsigned.signing_agent or "") == agent
    assert tuple(certificate.der for certificate in chain.certificates) == pair(kind).chain


# --- nothing may change -----------------------------------------------------------------------------------


def _flip(data: bytes, bit: int) -> bytes:
    at = bit // 8 % len(data)
    return data[:at] + bytes([data[at] ^ 1 << bit % 8]) + data[at + 1 :]


def _change_jws(part: str, change: Callable[[bytes], bytes]) -> bytes:
    document = json.loads(sealed(mt.JWS))
    if part == "leaf":
        chain = document["header"]["x5c"]
        chain[0] = b64encode(change(pair().leaf)).decode()
    else:
        raw = urlsafe_b64decode(document[part] + "==")
        document[part] = urlsafe_b64encode(change(raw)).rstrip(b"=").decode()
    return json.dumps(document).encode()


def _change_cose(part: str, change: Callable[[bytes], bytes]) -> bytes:
    protected, unprotected, payload, signature = cbor.decode(sealed(mt.COSE), MalformedEnvelope).value
    parts = {"protected": protected, "payload": payload, "signature": signature, "leaf": unprotected[33][0]}
    parts[part] = change(parts[part])
    unprotected[33][0] = parts["leaf"]
    return cbor.encode(cbor.Tag(18, [parts["protected"], unprotected, parts["payload"], parts["signature"]]))


CHANGE = {mt.JWS: _change_jws, mt.COSE: _change_cose}
parts = st.sampled_from(["payload", "protected", "signature", "leaf"])


def never_the_same(media_type: str, data: bytes) -> None:
    """It does not open; or, when only names of certificates changed, it is not the same chain."""
    try:
        _, chain = opened(media_type, data)
    except ArtifactError:
        return
    assert chain.thumbprints != opened(media_type, sealed(media_type))[1].thumbprints


@given(formats, parts, st.integers(0, 2**16))
@settings(max_examples=300)
def test_no_bit_of_what_was_signed_or_of_the_leaf_can_change(media_type: str, part: str, bit: int) -> None:
    never_the_same(media_type, CHANGE[media_type](part, lambda raw: _flip(raw, bit)))


@given(formats, parts, st.integers(0, 2**12), st.binary(min_size=1, max_size=4))
@settings(max_examples=200)
def test_nothing_can_be_inserted_or_cut_out(media_type: str, part: str, at: int, more: bytes) -> None:
    def insert(raw: bytes) -> bytes:
        return raw[: at % len(raw)] + more + raw[at % len(raw) :]

    def cut(raw: bytes) -> bytes:
        return raw[: at % len(raw)] + raw[at % len(raw) + len(more) :]

    for change in (insert, cut):
        never_the_same(media_type, CHANGE[media_type](part, change))


@pytest.mark.parametrize("media_type", FORMATS)
@pytest.mark.parametrize("part", ["payload", "protected", "signature"])
def test_every_byte_of_the_signed_parts_matters(media_type: str, part: str) -> None:
    seen: list[bytes] = []
    CHANGE[media_type](part, lambda raw: seen.append(raw) or raw)  # type: ignore[func-returns-value]
    for at in range(len(seen[0])):
        never_the_same(media_type, CHANGE[media_type](part, functools.partial(_flip, bit=8 * at)))


@given(formats, st.integers(0, 2**20))
@settings(max_examples=300)
def test_a_flipped_bit_anywhere_opens_to_the_same_content_or_not_at_all(media_type: str, bit: int) -> None:
    """What is not signed may change (the agent, certificates above the leaf), what is signed may not."""
    sound, chain = opened(media_type, sealed(media_type))
    try:
        content, other = opened(media_type, _flip(sealed(media_type), bit))
    except ArtifactError:
        return
    assert content.target == sound.target
    assert content.envelope.attributes == sound.envelope.attributes
    assert other.leaf == chain.leaf


# --- whatever comes in ------------------------------------------------------------------------------------


@given(formats, st.binary(max_size=200))
def test_any_bytes_are_an_envelope_or_malformed(media_type: str, data: bytes) -> None:
    try:
        parse(media_type, data)
    except MalformedEnvelope:
        return
    raise AssertionError("random bytes are no envelope")


@given(values, st.lists(st.tuples(st.sampled_from(["payload", "protected", "header", "signature"]), values)))
def test_any_json_is_an_envelope_or_malformed(value: Any, members: list[tuple[str, Any]]) -> None:
    for document in (value, dict(members), {**json.loads(sealed(mt.JWS)), **dict(members)}):
        data = json.dumps(document).encode()
        assert len(data) <= MAX_ENVELOPE
        try:
            parse(mt.JWS, data)
        except MalformedEnvelope:
            continue


json_headers = st.dictionaries(
    st.sampled_from(
        ["alg", "cty", "crit"]
        + [f"io.cncf.notary.{name}" for name in ("signingScheme", "signingTime", "expiry")]
    )
    | text,
    values,
    max_size=4,
)


@given(json_headers)
def test_any_protected_header_is_read_or_malformed(changes: dict[str, Any]) -> None:
    document = json.loads(sealed(mt.JWS))
    protected = json.loads(urlsafe_b64decode(document["protected"] + "=="))
    changed = json.dumps({**protected, **changes}).encode()
    document["protected"] = urlsafe_b64encode(changed).rstrip(b"=").decode()
    try:
        parse(mt.JWS, json.dumps(document).encode())
    except MalformedEnvelope:
        return


cbor_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**64), 2**64 - 1) | st.binary(max_size=8) | text | st.floats(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.integers(-300, 300) | text, inner, max_size=3)
        | st.builds(cbor2.CBORTag, st.integers(0, 70_000), inner)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.integers(-5, 40) | st.sampled_from(["io.cncf.notary.signingTime"]), cbor_values))
def test_any_cose_header_is_read_or_malformed(changes: dict[Any, Any]) -> None:
    protected, unprotected, payload, signature = cbor2.loads(sealed(mt.COSE)).value
    for place in (0, 1):
        headers = [dict(_untimed(cbor2.loads(protected))), dict(unprotected)]
        headers[place].update(changes)
        message = [cbor2.dumps(headers[0]), headers[1], payload, signature]
        try:
            parse(mt.COSE, cbor2.dumps(cbor2.CBORTag(18, message)))
        except MalformedEnvelope:
            continue


def _untimed(header: Any) -> dict[Any, Any]:
    """cbor2 reads times and writes them as text: say the tag again."""
    return {
        key: cbor2.CBORTag(1, int(value.timestamp())) if isinstance(value, datetime) else value
        for key, value in header.items()
    }


# --- CBOR -------------------------------------------------------------------------------------------------

plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.binary(max_size=300) | text,
    lambda inner: st.lists(inner, max_size=30) | st.dictionaries(st.integers(-300, 300) | text, inner),
    max_leaves=10,
)


@given(plain)
def test_cbor_is_read_as_it_was_written_and_as_cbor2_reads_it(value: Any) -> None:
    data = cbor.encode(value)
    assert cbor.decode(data, MalformedEnvelope) == value
    assert cbor2.dumps(cbor2.loads(data)) == data


@given(plain, st.integers(0, 2**16))
def test_whatever_cbor_is_accepted_is_the_only_spelling_but_for_order(value: Any, bit: int) -> None:
    data = _flip(cbor.encode(value), bit)
    try:
        found = cbor.decode(data, MalformedEnvelope)
        again = cbor.encode(found)
    except (MalformedEnvelope, TypeError):
        return
    assert len(again) == len(data)
    assert sorted(again) == sorted(data)


@given(st.binary(max_size=60))
def test_any_bytes_are_cbor_or_refused(data: bytes) -> None:
    try:
        found = cbor.decode(data, MalformedEnvelope)
    except MalformedEnvelope:
        return
    if not _has_tag(found):  # cbor2 also judges what a tag means
        cbor2.loads(data)


def _has_tag(value: Any) -> bool:
    match value:
        case cbor.Tag():
            return True
        case dict():
            return any(_has_tag(item) for item in value.values())
        case list() | tuple():
            return any(_has_tag(item) for item in value)
    return False


# --- certificates -----------------------------------------------------------------------------------------


@given(st.integers(0, 2**14), st.binary(min_size=1, max_size=3))
@settings(max_examples=300)
def test_any_bytes_are_a_certificate_or_refused(at: int, more: bytes) -> None:
    der = CA("Fuzz").certificate
    at %= len(der)
    for data in (more, _flip(der, 8 * at), der[:at] + more + der[at + len(more) :], der[:at]):
        try:
            found = parse_certificate(data)
            _ = found.key_kind
            found.verify_child(found)
        except InvalidCertificate:
            continue
        assert data == der
