"""Signing, in memory."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from nv2.content.memory import MemoryStore
from nv2.envelope.formats import parse
from nv2.errors import InvalidCertificate, InvalidSignature, SigningKeyError, UsageError
from nv2.keys.plugin import plugin_key
from nv2.oci import media_types as mt
from nv2.oci.manifest import parse_manifest
from nv2.pki.chain import Chain, parse_chain
from nv2.signing import Wish, check_expiry, envelope_of, sign
from tests.world.ca import CA, MemorySigner
from tests.world.plugins import ENVELOPE, RAW, FakePlugin
from tests.world.signed import SIGNED_AT, artifact

NOW = datetime(2026, 6, 1, 12, 0, 0, 987654, tzinfo=UTC)
PAIR = CA("Wabbit").issue("build", "EC-256")


@pytest.mark.parametrize("media_type", [mt.JWS, mt.COSE])
def test_a_signature_says_what_was_wished(media_type: str) -> None:
    store = MemoryStore()
    subject = artifact(store)
    wish = Wish(media_type, timedelta(hours=1), {"stage": "production"}, "somebody")
    manifest = sign(store, subject, PAIR.signer(), wish, NOW)
    assert store.referrers(subject).descriptors == (manifest,)
    parsed = parse_manifest(store.fetch(manifest, 10_000), manifest.media_type)
    assert parsed.subject is not None
    assert parsed.subject.same_content(subject)
    [layer] = parsed.layers
    envelope = parse(media_type, store.fetch(layer, 10_000))
    opened = envelope.open(parse_chain(envelope.unsigned.certificates).leaf.public_key)
    assert opened.target.same_content(subject)
    assert opened.target.annotations == {"stage": "production"}
    assert envelope.attributes.signing_time == NOW.replace(microsecond=0)
    assert envelope.attributes.expiry == NOW.replace(microsecond=0) + timedelta(hours=1)


def test_the_artifact_is_not_touched() -> None:
    store = MemoryStore()
    subject = artifact(store)
    store.tag(subject, "v1")
    before = store.fetch(subject, 10_000)
    sign(store, subject, PAIR.signer(), Wish(), NOW)
    assert store.resolve("v1") == subject
    assert store.fetch(subject, 10_000) == before


@pytest.mark.parametrize("expiry", [timedelta(0), timedelta(seconds=-1), timedelta(milliseconds=1500)])
def test_an_expiry_is_a_positive_number_of_seconds(expiry: timedelta) -> None:
    with pytest.raises(UsageError):
        check_expiry(expiry)


@pytest.mark.parametrize("now", [NOW.replace(year=2024), NOW.replace(year=2046)])
def test_a_certificate_that_is_not_valid_now_does_not_sign(now: datetime) -> None:
    with pytest.raises(InvalidCertificate):
        envelope_of(artifact(MemoryStore()), PAIR.signer(), Wish(), now)


def test_a_signer_that_signs_with_another_key_is_found_out_before_anything_is_stored() -> None:
    store = MemoryStore()
    subject = artifact(store)
    before = dict(store.contents)
    liar = MemorySigner(PAIR.chain, CA("Wabbit").issue("another", "EC-256").key)
    with pytest.raises(InvalidSignature):
        sign(store, subject, liar, Wish(), NOW)
    assert store.contents == before


def test_refused_metadata_stores_nothing() -> None:
    store = MemoryStore()
    subject = artifact(store)
    before = dict(store.contents)
    with pytest.raises(UsageError):
        sign(store, subject, PAIR.signer(), Wish(user_metadata={"io.cncf.notary.x": "y"}), NOW)
    assert store.contents == before


def test_a_chain_that_is_ruled_out_here_signs_nothing_and_its_key_is_not_asked() -> None:
    class Untouched(MemorySigner):
        def sign(self, data: bytes) -> bytes:
            raise AssertionError("the key was asked")

    store = MemoryStore()
    subject = artifact(store)
    asked = []

    def refusal(chain: Chain, digest: str) -> str:
        asked.append((chain.leaf.thumbprint, digest))
        return "it was stolen"

    wish = Wish(refusal=refusal)
    with pytest.raises(SigningKeyError, match="not signed: it was stolen"):
        sign(store, subject, Untouched(PAIR.chain, PAIR.key), wish, NOW)
    assert asked == [(parse_chain(PAIR.chain).leaf.thumbprint, subject.digest)]
    assert store.referrers(subject).descriptors == ()


@pytest.mark.parametrize("capability", [RAW, ENVELOPE])
def test_what_a_plugin_signed_with_a_chain_that_is_ruled_out_is_not_attached(capability: str) -> None:
    plugin = FakePlugin(PAIR, get_plugin_metadata={"capabilities": [capability]})
    store = MemoryStore()
    subject = artifact(store)
    with pytest.raises(SigningKeyError, match="not signed: it was stolen"):
        sign(
            store, subject, plugin_key(plugin.installed(), "k"), Wish(refusal=lambda *_: "it was stolen"), NOW
        )
    assert store.referrers(subject).descriptors == ()


def test_annotations_of_a_plugin_reach_the_manifest_and_replace_none_of_ours() -> None:
    extra = {"com.example.job": "4711", mt.THUMBPRINTS: "[]", mt.CREATED: "never"}
    plugin = FakePlugin(
        PAIR,
        get_plugin_metadata={"capabilities": [ENVELOPE]},
        generate_envelope={"annotations": extra},
    )
    store = MemoryStore()
    subject = artifact(store)
    at = SIGNED_AT + timedelta(minutes=1)
    manifest = sign(store, subject, plugin_key(plugin.installed(), "k"), Wish(), at)
    found = json.loads(store.fetch(manifest, 10_000))["annotations"]
    assert found.pop("com.example.job") == "4711"
    assert json.loads(found.pop(mt.THUMBPRINTS)) == list(parse_chain(PAIR.chain).thumbprints)
    assert list(found) == [mt.CREATED] and found[mt.CREATED] != "never"
