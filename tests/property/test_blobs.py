"""Whatever the blob and however it is signed: it is trusted, and no other bytes and no other signature are."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from nv2.blob_verification import DetachedSignature, judge_blob
from nv2.content.blob_files import Blob
from nv2.notary.trust_in_memory import KeyTrust
from nv2.oci import media_types as mt
from nv2.oci.descriptor import Descriptor
from nv2.revocation import WithoutNetwork
from nv2.trust.verdict import ArtifactVerdict, Verdict
from tests.world.ca import CA, pem
from tests.world.signed import SIGNED_AT, sealed

NOW = datetime(2026, 6, 1, tzinfo=UTC)
KEYS = ("EC-256", "EC-384", "EC-521", "RSA-2048")
PAIRS = {kind: CA("Wabbit").issue("build", key=kind) for kind in KEYS}
FORMATS = (mt.JWS, mt.COSE)


class _Stream:
    """Bytes in pieces, cut anywhere."""

    def __init__(self, data: bytes, piece: int) -> None:
        self._data, self._piece = data, piece

    def read(self, size: int, /) -> bytes:
        found, self._data = self._data[: self._piece], self._data[self._piece :]
        return found


def described(data: bytes, kind: str) -> Descriptor:
    with Blob(_Stream(data, 1000)) as blob:
        return blob.describe([PAIRS[kind].signer().algorithm.hash], mt.OCTET_STREAM)[0]


def signed(data: bytes, kind: str, media_type: str) -> DetachedSignature:
    envelope = sealed(described(data, kind), PAIRS[kind], media_type=media_type, signing_time=SIGNED_AT)
    return DetachedSignature(envelope, media_type)


def judged(data: bytes, signature: DetachedSignature, kind: str, piece: int = 1000) -> ArtifactVerdict:
    trust = KeyTrust(pem([PAIRS[kind].leaf])).for_blobs(None)
    with Blob(_Stream(data, piece)) as blob:
        return judge_blob(blob, signature, trust, revocation=WithoutNetwork(), now=NOW)


ways = st.tuples(st.sampled_from(KEYS), st.sampled_from(FORMATS))


@given(st.binary(max_size=3000), st.binary(max_size=3000), ways, st.integers(1, 4000))
def test_the_signed_bytes_are_trusted_and_no_others(
    data: bytes, other: bytes, way: tuple[str, str], piece: int
) -> None:
    signature = signed(data, *way)
    assert judged(data, signature, way[0], piece).verdict is Verdict.TRUSTED
    assume(other != data)
    assert judged(other, signature, way[0], piece).verdict is Verdict.NOT_TRUSTED


@given(st.binary(min_size=1, max_size=3000), ways, st.data())
def test_a_blob_that_is_cut_lengthened_or_changed_in_one_byte_is_not_trusted(
    data: bytes, way: tuple[str, str], draw: st.DataObject
) -> None:
    signature = signed(data, *way)
    at, flip = draw.draw(st.integers(0, len(data) - 1)), draw.draw(st.integers(1, 255))
    for other in (
        data[:at],
        data + bytes([flip]),
        bytes([flip]) + data,
        data[:at] + bytes([data[at] ^ flip]) + data[at + 1 :],
    ):
        assert judged(other, signature, way[0]).verdict is Verdict.NOT_TRUSTED


@pytest.mark.parametrize("media_type", FORMATS)
@given(st.sampled_from(KEYS), st.data())
def test_no_changed_byte_of_a_signature_lets_it_sign_another_blob(
    media_type: str, kind: str, draw: st.DataObject
) -> None:
    signature = signed(b"tool", kind, media_type)
    at = draw.draw(st.integers(0, len(signature.data) - 1))
    changed = bytearray(signature.data)
    changed[at] ^= draw.draw(st.integers(1, 255))
    found = signature._replace(data=bytes(changed))
    assert judged(b"toot", found, kind).verdict is Verdict.NOT_TRUSTED
    verdict = judged(b"tool", found, kind)
    if verdict.verdict is Verdict.TRUSTED:  # it was a byte that nobody signs, such as the agent's name
        assert verdict.subject == described(b"tool", kind)


@given(st.sampled_from(KEYS), st.sampled_from(KEYS), st.sampled_from(FORMATS))
def test_the_digest_that_is_signed_must_be_of_the_hash_of_the_key(
    kind: str, other: str, media_type: str
) -> None:
    target = described(b"tool", other)
    signature = DetachedSignature(
        sealed(target, PAIRS[kind], media_type=media_type, signing_time=SIGNED_AT), media_type
    )
    same = PAIRS[kind].signer().algorithm.hash == PAIRS[other].signer().algorithm.hash
    expected = Verdict.TRUSTED if same else Verdict.NOT_TRUSTED
    assert judged(b"tool", signature, kind).verdict is expected
