"""What nv2 takes from a signing plugin, and what it refuses (notation.md §5.3 item 6)."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from typing import Any

import pytest

from nv2.envelope import formats
from nv2.errors import Nv2Error, PluginError, SigningKeyError
from nv2.keys.plugin import plugin_key
from nv2.oci import media_types as mt
from nv2.oci.descriptor import describe
from nv2.programs.interface import Finished
from nv2.signing import Wish, envelope_of
from nv2.trust.validations import prove
from tests.world.ca import CA
from tests.world.plugins import ENVELOPE, RAW, Change, FakePlugin, encoded, envelope_for, said
from tests.world.signed import NOW

AUTHORITY = CA("Wabbit")
PAIR = AUTHORITY.issue("build", key="EC-256")
OTHER = AUTHORITY.issue("other", key="EC-256")
STRANGER = CA("Stranger").issue("stranger", key="EC-384")
IMAGE = describe(b"{}", mt.IMAGE_MANIFEST)
PLAIN = Wish()
ONLY_ENVELOPES = {"capabilities": [ENVELOPE]}


def made(plugin: FakePlugin, wish: Wish = PLAIN, **config: str) -> bytes:
    return envelope_of(IMAGE, plugin_key(plugin.installed(config), "k1"), wish, NOW)[0]


@pytest.mark.parametrize("media_type", [mt.JWS, mt.COSE])
@pytest.mark.parametrize("capabilities", [[RAW, ENVELOPE], [ENVELOPE]])
def test_what_a_plugin_signs_is_a_signature_of_the_artifact(media_type: str, capabilities: list[str]) -> None:
    plugin = FakePlugin(PAIR, get_plugin_metadata={"capabilities": capabilities})
    proven = prove(media_type, made(plugin, Wish(media_type)), IMAGE)
    assert proven.chain.leaf.subject == "CN=build,O=wabbit-networks.io,ST=WA,C=US"


def test_a_plugin_that_can_do_both_is_asked_for_a_raw_signature_once() -> None:
    plugin = FakePlugin(PAIR, get_plugin_metadata={"capabilities": [ENVELOPE, RAW]})
    made(plugin)
    assert [command for command, _ in plugin.asked] == [
        "get-plugin-metadata",
        "describe-key",
        "generate-signature",
    ]


def test_the_requests_are_those_of_the_contract() -> None:
    plugin = FakePlugin(PAIR)
    made(plugin, a="b")
    assert plugin.asked[0] == ("get-plugin-metadata", {"pluginConfig": {"a": "b"}})
    common = {"contractVersion": "1.0", "keyId": "k1", "pluginConfig": {"a": "b"}}
    assert plugin.asked[1] == ("describe-key", common)
    request = dict(plugin.asked[2][1])
    assert request.pop("payload")
    assert request == {**common, "keySpec": "EC-256", "hashAlgorithm": "SHA-256"}


def test_the_request_for_an_envelope_is_that_of_the_contract() -> None:
    plugin = FakePlugin(PAIR, get_plugin_metadata=ONLY_ENVELOPES)
    with pytest.raises(SigningKeyError, match="does not expire"):  # this plugin does not listen
        made(plugin, Wish(expiry=timedelta(hours=1)))
    request = plugin.asked[1][1]
    assert json.loads(base64.b64decode(request.pop("payload")))["targetArtifact"]["digest"] == IMAGE.digest
    assert request == {
        "contractVersion": "1.0",
        "keyId": "k1",
        "expiryDurationInSeconds": 3600,
        "payloadType": mt.PAYLOAD,
        "signatureEnvelopeType": mt.JWS,
    }


def test_the_signing_agent_names_the_plugin() -> None:
    envelope = prove(mt.JWS, made(FakePlugin(PAIR), Wish(signing_agent="nv2/1")), IMAGE).content.envelope
    assert envelope.unsigned.signing_agent == "nv2/1 acme/1.0.0"


def changed(**fields: Any) -> Change:
    """An envelope whose payload says something else of the artifact."""

    def answer(request: dict[str, Any]) -> dict[str, Any]:
        payload = json.loads(base64.b64decode(request["payload"]))
        payload["targetArtifact"].update(fields)
        return {"signatureEnvelope": encoded(envelope_for(request, PAIR, json.dumps(payload).encode()))}

    return answer


def test_an_envelope_may_have_annotations_that_the_plugin_added() -> None:
    plugin = FakePlugin(
        PAIR, get_plugin_metadata=ONLY_ENVELOPES, generate_envelope=changed(annotations={"more": "said"})
    )
    assert prove(mt.JWS, made(plugin), IMAGE).content.target.annotations == {"more": "said"}


CHAIN = {"certificateChain": [encoded(der) for der in OTHER.chain]}
BAD_JSON = Finished(0, b'{"keyId": "k1"} and more after the answer', b"")
# fmt: off
RAW_LIES: dict[str, tuple[dict[str, Change], str]] = {
    "wrong keyId of describe-key":   ({"describe_key": {"keyId": "k2"}},                          "about key 'k2', not 'k1'"),
    "wrong keySpec":                 ({"describe_key": {"keySpec": "EC-224"}},                    "'EC-224' is no key that can sign"),
    "keySpec of another key":        ({"describe_key": {"keySpec": "RSA-2048"}},                  "'ECDSA-SHA-256', where the key prescribes RSASSA-PSS-SHA-256"),
    "wrong keyId":                   ({"generate_signature": {"keyId": "k2"}},                    "about key 'k2', not 'k1'"),
    "wrong algorithm":               ({"generate_signature": {"signingAlgorithm": "ECDSA-SHA-1"}},"'ECDSA-SHA-1', where the key"),
    "signature by another key":      ({"generate_signature": CHAIN},                              "does not fit the signed content"),
    "signature that is none":        ({"generate_signature": {"signature": encoded(b"x" * 64)}},  "does not fit the signed content"),
    "signature of another size":     ({"generate_signature": {"signature": encoded(b"x")}},       "generated signature failed verification"),
    "no chain":                      ({"generate_signature": {"certificateChain": []}},           "empty certificateChain"),
    "chain of no certificates":      ({"generate_signature": {"certificateChain": ["AAAA"]}},     "generated signature failed"),
    "chain without its end":         ({"generate_signature": {"certificateChain": [encoded(PAIR.chain[0])]}}, "generated signature failed"),
    "no base64":                     ({"generate_signature": {"signature": "!"}},                 "is not base64"),
    "name lies":                     ({"get_plugin_metadata": {"name": "other"}},                 "must be 'notation-other' instead of 'notation-acme'"),
    "empty field":                   ({"get_plugin_metadata": {"url": ""}},                       "empty url"),
    "another contract":              ({"get_plugin_metadata": {"supportedContractVersions": ["2.0"]}}, "contract version 1.0 is not among"),
    "no capability":                 ({"get_plugin_metadata": {"capabilities": ["X"]}},           "does not have signing capabilities"),
    "more on stdout":                ({"describe_key": BAD_JSON},                                 "not JSON"),
    "an array":                      ({"describe_key": said([])},                                 "expected an object"),
    "duplicate keys":                ({"describe_key": Finished(0, b'{"keyId":"k1","keyId":"k1"}', b"")}, "duplicate key"),
    "error":                         ({"describe_key": Finished(1, b"", b'{"errorCode":"ACCESS_DENIED","errorMessage":"no\\u001b[2J"}')}, "describe-key: ACCESS_DENIED: no"),
    "missing error JSON":            ({"describe_key": Finished(1, b"", b"panic: oh")},           "ended with exit code 1, and said: panic: oh"),
    "nothing said":                  ({"describe_key": Finished(-9, b"", b"")},                   "was ended by signal 9, and said nothing"),
}
ENVELOPE_LIES: dict[str, tuple[Change, str]] = {
    "other format":                  ({"signatureEnvelopeType": mt.COSE},                         "where application/jose+json was asked for"),
    "no envelope":                   ({"signatureEnvelope": encoded(b"{}")},                      "generated signature failed verification"),
    "changed artifact":              (changed(size=7),                                            "signs another artifact"),
    "changed annotations":           (changed(annotations={"a": "changed"}),                      "annotation 'a' was changed"),
    "extra fields":                  (changed(extra=1),                                           "unknown field 'extra'"),
    "too many annotations":          ({"annotations": {str(n): "" for n in range(101)}},          "more than 100 entries"),
}
# fmt: on


@pytest.mark.parametrize("lie", RAW_LIES)
def test_a_signing_plugin_that_lies_is_one_error(lie: str) -> None:
    changes, says = RAW_LIES[lie]
    with pytest.raises(Nv2Error) as caught:
        made(FakePlugin(PAIR, **changes))
    assert says in str(caught.value)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("lie", ENVELOPE_LIES)
def test_a_plugin_that_makes_another_envelope_is_one_error(lie: str) -> None:
    change, says = ENVELOPE_LIES[lie]
    plugin = FakePlugin(PAIR, get_plugin_metadata=ONLY_ENVELOPES, generate_envelope=change)
    with pytest.raises(Nv2Error) as caught:
        made(plugin, Wish(user_metadata={"a": "b"}))
    assert says in str(caught.value)


def test_the_hash_for_a_blob_is_known_of_a_key_that_signs_bytes_only() -> None:
    assert plugin_key(FakePlugin(STRANGER).installed(), "k1").algorithm.hash == "sha384"
    plugin = FakePlugin(PAIR, get_plugin_metadata=ONLY_ENVELOPES)
    with pytest.raises(SigningKeyError, match="lacks the signature generator capability required for blob"):
        assert plugin_key(plugin.installed(), "k1").algorithm


def test_metadata_are_asked_once_also_when_that_fails() -> None:
    plugin = FakePlugin(PAIR, get_plugin_metadata=Finished(1, b"", b""))
    installed = plugin.installed()
    for _ in range(2):
        with pytest.raises(PluginError):
            installed.metadata()
    assert len(plugin.asked) == 1


def test_an_envelope_gets_the_timestamp_that_was_asked_for_unless_the_plugin_added_one() -> None:
    asked: list[bytes] = []

    def stamp(signature: bytes, hash_name: str, _: object) -> bytes:
        asked.append(signature)
        return f"stamped by {hash_name}".encode()

    def stamps_itself(request: dict[str, Any]) -> dict[str, str]:
        envelope = formats.parse(mt.JWS, envelope_for(request, PAIR))
        return {"signatureEnvelope": encoded(formats.with_timestamp(envelope, b"by the plugin").raw)}

    wish = Wish(timestamper=stamp)
    found = formats.parse(mt.JWS, made(FakePlugin(PAIR, get_plugin_metadata=ONLY_ENVELOPES), wish))
    assert (found.unsigned.timestamp, asked) == (b"stamped by sha256", [found.signature])
    plugin = FakePlugin(PAIR, get_plugin_metadata=ONLY_ENVELOPES, generate_envelope=stamps_itself)
    assert formats.parse(mt.JWS, made(plugin, wish)).unsigned.timestamp == b"by the plugin"
    assert len(asked) == 1
