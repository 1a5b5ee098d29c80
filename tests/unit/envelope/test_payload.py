from __future__ import annotations

import json
from typing import Any

import pytest

from nv2.envelope.payload import build_payload, parse_payload
from nv2.errors import MalformedEnvelope, UsageError
from nv2.oci.descriptor import describe

TARGET = describe(b"x", "text/plain", annotations={"a": "b"}, artifact_type="text/x")
LONG_S = "\u017fize"
"""`size` for a reader that folds case as Go does; a keyword of Python would be normalized."""

SOUND = {"mediaType": "text/plain", "digest": TARGET.digest, "size": 1}


def artifact(**changes: Any) -> bytes:
    return json.dumps({"targetArtifact": {**SOUND, **changes}}).encode()


def test_it_holds_four_fields_with_sorted_keys() -> None:
    assert build_payload(TARGET, {"c": "ü"}).decode() == (
        '{"targetArtifact":{"annotations":{"a":"b","c":"ü"},'
        f'"digest":"{TARGET.digest}","mediaType":"text/plain","size":1}}}}'
    )


def test_what_was_built_is_read_back() -> None:
    found = parse_payload(build_payload(TARGET, {"c": "d"}))
    assert found.same_content(TARGET)
    assert found.annotations == {"a": "b", "c": "d"}
    assert found.artifact_type is None


def test_reserved_metadata_is_refused() -> None:
    with pytest.raises(UsageError, match="reserved prefix"):
        build_payload(TARGET, {"io.cncf.notary.x": "y"})


def test_metadata_does_not_replace_annotations() -> None:
    with pytest.raises(UsageError, match="already an annotation"):
        build_payload(TARGET, {"a": "b"})


def test_metadata_must_be_unicode() -> None:
    with pytest.raises(UsageError, match="Unicode"):
        build_payload(TARGET, {"a2": "\udc80"})


def test_unknown_fields_are_ignored() -> None:
    data = json.dumps({"targetArtifact": {**SOUND, "urls": ["x"]}, "more": 1}).encode()
    assert parse_payload(data).digest == TARGET.digest


@pytest.mark.parametrize(
    ("data", "at"),
    [
        (b"", "payload"),
        (b"[]", "payload"),
        (b'"x"', "payload"),
        (b"{}", "payload.targetArtifact"),
        (b'{"targetArtifact":null}', "payload.targetArtifact"),
        (b'{"targetArtifact":[]}', "payload.targetArtifact"),
        (artifact() + b" {}", "payload"),
        (artifact()[:-1] + b',"targetArtifact":{}}', "payload"),
        (artifact()[:-1] + b',"TARGETARTIFACT":{}}', "payload"),
        (artifact()[:-1] + b',"target\xc3\xa0":NaN}', "payload"),
        (artifact(Size=2), "payload.targetArtifact"),
        (artifact(**{LONG_S: 2}), "payload.targetArtifact"),
        (artifact(MediaType="x"), "payload.targetArtifact"),
        (artifact(size=1.0), "payload.targetArtifact.size"),
        (artifact(size="1"), "payload.targetArtifact.size"),
        (artifact(size=True), "payload.targetArtifact.size"),
        (artifact(size=None), "payload.targetArtifact.size"),
        (artifact(size=-1), "payload.targetArtifact.size"),
        (artifact(size=2**63), "payload.targetArtifact.size"),
        (artifact(size=10**30), "payload"),
        (artifact(digest="sha256:00"), "payload.targetArtifact.digest"),
        (artifact(digest=TARGET.digest.upper()), "payload.targetArtifact.digest"),
        (artifact(digest=1), "payload.targetArtifact.digest"),
        (artifact(mediaType=None), "payload.targetArtifact.mediaType"),
        (artifact(annotations={"a": 1}), "payload.targetArtifact.annotations['a']"),
        (artifact(annotations=[]), "payload.targetArtifact.annotations"),
        (artifact(artifactType=1), "payload.targetArtifact.artifactType"),
        (artifact(urls=True), "payload.targetArtifact.urls"),
        (artifact(urls=[1]), "payload.targetArtifact.urls[0]"),
        (artifact(data="?"), "payload.targetArtifact.data"),
        (artifact(data=[]), "payload.targetArtifact.data"),
        (artifact(platform="linux"), "payload.targetArtifact.platform"),
        (artifact(platform={"os": 1}), "payload.targetArtifact.platform.os"),
        (artifact(platform={"OS": "linux"}), "payload.targetArtifact.platform"),
        (artifact(platform={"os.features": "x"}), "payload.targetArtifact.platform.os.features"),
        (artifact(URLs=[]), "payload.targetArtifact"),
        (b'{"x":' + b"[" * 100 + b"]" * 100 + b"}", "payload"),
    ],
)
def test_anything_else_is_refused_at_its_place(data: bytes, at: str) -> None:
    with pytest.raises(MalformedEnvelope) as caught:
        parse_payload(data)
    assert caught.value.at == at


@pytest.mark.parametrize("field", ["mediaType", "digest", "size"])
def test_the_three_fields_are_required(field: str) -> None:
    fields = {key: value for key, value in SOUND.items() if key != field}
    with pytest.raises(MalformedEnvelope, match="missing") as caught:
        parse_payload(json.dumps({"targetArtifact": fields}).encode())
    assert caught.value.at == f"payload.targetArtifact.{field}"


def test_the_fields_of_a_descriptor_that_nobody_uses_here_do_no_harm() -> None:
    platform = {"architecture": "amd64", "os": "linux", "os.features": ["x"], "more": 1}
    target = artifact(urls=["https://example.com"], data="AAA=", platform=platform, artifactType="a/b")
    assert parse_payload(target).digest == TARGET.digest
