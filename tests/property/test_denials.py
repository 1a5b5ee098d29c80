"""Laws of denials: what nobody signed cannot help a signature that is denied, nor a key."""

from __future__ import annotations

import json
from base64 import b64encode, urlsafe_b64decode, urlsafe_b64encode
from functools import cache
from typing import Any

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key
from hypothesis import given
from hypothesis import strategies as st

from nv2.content.memory import MemoryStore
from nv2.errors import DenialListError
from nv2.oci import media_types as mt
from nv2.oci.descriptor import Descriptor
from nv2.pki.certificate import parse_certificate
from nv2.trust.denial import Denial, DenialKind, DenialList, parse_denials, signature_target, spki_hash
from nv2.trust.validations import Proven, prove
from nv2.trust.verdict import Outcome
from tests.world.ca import CA, Pair
from tests.world.signed import artifact, sealed

ROOT = CA("Root")
PAIR = ROOT.issue("build", key="EC-256")
TARGET: Descriptor = artifact(MemoryStore())
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""Of the group of P-256: with (r, s), (r, order - s) is a signature too."""

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
spaces = st.sampled_from(["", " ", "\n", "\t \r\n"])


def again(pair: Pair = PAIR) -> Pair:
    """Another certificate of the same key."""
    found = ROOT.issue("build", key="EC-256")
    assert found.leaf != pair.leaf
    assert parse_certificate(found.leaf).spki == parse_certificate(pair.leaf).spki
    return found


@cache
def envelope(media_type: str) -> bytes:
    return sealed(TARGET, PAIR, media_type=media_type)


@cache
def denied(kind: DenialKind) -> DenialList:
    """A list that denies the signature, or its key."""
    reason, since = "stolen", "2026-01-01T00:00:00Z"
    proven = [prove(name, envelope(name), TARGET) for name in (mt.JWS, mt.COSE)]
    key = spki_hash(parse_certificate(PAIR.leaf))
    targets = {
        DenialKind.SIGNATURE: [signature_target(each.content.envelope, each.chain) for each in proven],
        DenialKind.KEY: [(key,)],
        DenialKind.KEY_FOR_ARTIFACT: [(key, TARGET.digest)],
    }
    return DenialList(Denial(kind, target, reason, since) for target in targets[kind])


def is_denied(proven: Proven, kind: DenialKind) -> bool:
    finding = denied(kind).finding(proven.content.envelope, proven.chain, TARGET.digest)
    return finding.outcome is Outcome.FAILED


def mirrored(signature: bytes) -> bytes:
    """The other signature that fits."""
    half = len(signature) // 2
    r, s = signature[:half], int.from_bytes(signature[half:], "big")
    return r + (ORDER - s).to_bytes(half, "big")


@st.composite
def jws(draw: st.DrawFn) -> bytes:
    found: dict[str, Any] = json.loads(envelope(mt.JWS))
    header = dict(found["header"])
    if draw(st.booleans()):
        header["x5c"] = [b64encode(der).decode() for der in again().chain]
    header["io.cncf.notary.signingAgent"] = draw(texts)
    header |= draw(st.dictionaries(texts.filter(lambda key: "x5c" not in key and key.isdigit()), texts))
    if draw(st.booleans()):
        header["io.cncf.notary.timestampSignature"] = b64encode(draw(st.binary(min_size=1))).decode()
    if draw(st.booleans()):
        raw = urlsafe_b64decode(found["signature"] + "==")
        found["signature"] = urlsafe_b64encode(mirrored(raw)).rstrip(b"=").decode()
    found["header"] = {key: header[key] for key in draw(st.permutations(sorted(header)))}
    ordered = {key: found[key] for key in draw(st.permutations(sorted(found)))}
    separators = (f",{draw(spaces)}", f":{draw(spaces)}")
    return f"{json.dumps(ordered, separators=separators)}{draw(spaces)}".encode()


@st.composite
def cose(draw: st.DrawFn) -> bytes:
    tag = cbor2.loads(envelope(mt.COSE))
    protected, unprotected, payload, signature = tag.value
    unprotected = dict(unprotected)
    if draw(st.booleans()):
        unprotected[33] = list(again().chain)
    unprotected["io.cncf.notary.signingAgent"] = draw(texts)
    if draw(st.booleans()):
        unprotected["io.cncf.notary.timestampSignature"] = draw(st.binary(min_size=1))
    unprotected |= draw(st.dictionaries(st.integers(100, 10**6), texts | st.integers(0, 9), max_size=3))
    if draw(st.booleans()):
        signature = mirrored(signature)
    value = [protected, unprotected, payload, signature]
    return cbor2.dumps(cbor2.CBORTag(18, value))


FORMATS = {mt.JWS: jws(), mt.COSE: cose()}


@pytest.mark.parametrize("media_type", FORMATS)
@given(data=st.data())
def test_no_change_of_what_is_not_signed_helps_what_is_denied(media_type: str, data: st.DataObject) -> None:
    proven = prove(media_type, data.draw(FORMATS[media_type]), TARGET)
    for kind in (DenialKind.SIGNATURE, DenialKind.KEY, DenialKind.KEY_FOR_ARTIFACT):
        assert is_denied(proven, kind)


@pytest.mark.parametrize("media_type", FORMATS)
def test_the_same_content_signed_in_the_same_second_with_another_key_is_not_denied(media_type: str) -> None:
    proven = prove(
        media_type, sealed(TARGET, ROOT.issue("other", key="EC-256"), media_type=media_type), TARGET
    )
    for kind in (DenialKind.SIGNATURE, DenialKind.KEY, DenialKind.KEY_FOR_ARTIFACT):
        assert not is_denied(proven, kind)


@pytest.mark.parametrize("media_type", FORMATS)
def test_a_key_that_is_denied_for_one_artifact_may_sign_others(media_type: str) -> None:
    other = artifact(MemoryStore(), "other")
    proven = prove(media_type, sealed(other, PAIR, media_type=media_type), other)
    for kind, outcome in ((DenialKind.KEY_FOR_ARTIFACT, Outcome.PASSED), (DenialKind.KEY, Outcome.FAILED)):
        found = denied(kind).finding(proven.content.envelope, proven.chain, other.digest)
        assert found.outcome is outcome


def test_the_order_is_the_one_of_the_keys_that_are_used() -> None:
    key = load_der_public_key(parse_certificate(PAIR.leaf).spki)
    assert isinstance(key, ec.EllipticCurvePublicKey)
    assert key.curve.name == "secp256r1"


hashes = st.binary(min_size=32, max_size=32).map(bytes.hex)
digests = hashes.map(lambda text: f"sha256:{text}")
reasons = st.text(st.characters(categories=["L", "N", "P"]), min_size=1, max_size=40)
targets = st.one_of(
    st.tuples(st.just(DenialKind.KEY), st.tuples(hashes)),
    st.tuples(st.just(DenialKind.SIGNATURE), st.tuples(hashes, hashes)),
    st.tuples(st.just(DenialKind.KEY_FOR_ARTIFACT), st.tuples(hashes, digests)),
    st.tuples(st.just(DenialKind.ARTIFACT), st.tuples(digests)),
)
lists = st.lists(
    st.builds(
        lambda target, reason, who: Denial(*target, reason, "2026-01-02T15:04:05Z", who),
        targets,
        reasons,
        st.none() | reasons,
    ),
    max_size=5,
    unique_by=lambda denial: (denial.kind, denial.target),
).map(DenialList)


@given(lists)
def test_what_is_written_reads_the_same(found: DenialList) -> None:
    assert parse_denials(found.encode(), DenialListError).denials == found.denials


@given(lists, lists)
def test_taking_in_a_list_removes_nothing_and_twice_is_as_once(one: DenialList, other: DenialList) -> None:
    merged = one.merged(other.denials)
    assert merged.denials[: len(one.denials)] == one.denials
    assert {d.id for d in merged.denials} == {d.id for d in (*one.denials, *other.denials)}
    assert merged.merged(other.denials).denials == merged.denials
