from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from nv2.errors import MalformedManifest
from nv2.oci import media_types as mt
from nv2.oci.descriptor import describe
from nv2.oci.manifest import (
    EMPTY_CONFIG,
    build_signature_manifest,
    is_manifest,
    is_signature,
    parse_manifest,
    signature_manifest,
)

SUBJECT = describe(b"image", mt.IMAGE_MANIFEST)
ENVELOPE = describe(b"envelope", mt.JWS)
CREATED = datetime(2026, 1, 2, 15, 4, 5, tzinfo=UTC)


def layer(data: bytes) -> dict[str, Any]:
    return describe(data, mt.OCTET_STREAM).to_json()


def manifest(media_type: str = mt.IMAGE_MANIFEST, **fields: Any) -> bytes:
    return json.dumps({"schemaVersion": 2, "mediaType": media_type, **fields}).encode()


def test_an_image_manifest_shows_its_edges() -> None:
    data = manifest(config=layer(b"c"), layers=[layer(b"1"), layer(b"2")], subject=SUBJECT.to_json())
    found = parse_manifest(data, mt.IMAGE_MANIFEST)
    assert [blob.digest for blob in found.blobs] == [describe(x, "").digest for x in (b"c", b"1", b"2")]
    assert found.subject == SUBJECT
    assert found.manifests == ()


@pytest.mark.parametrize("media_type", sorted(mt.INDEXES))
def test_an_index_shows_its_manifests(media_type: str) -> None:
    data = manifest(media_type, manifests=[SUBJECT.to_json()], annotations={"a": "b"})
    found = parse_manifest(data, media_type)
    assert (found.manifests, found.blobs, found.annotations) == ((SUBJECT,), (), {"a": "b"})


def test_an_artifact_manifest_has_blobs_for_layers() -> None:
    data = manifest(
        mt.ARTIFACT_MANIFEST, artifactType=mt.SIGNATURE, blobs=[ENVELOPE.to_json()], subject=SUBJECT.to_json()
    )
    found = parse_manifest(data, mt.ARTIFACT_MANIFEST)
    assert is_signature(found)
    assert signature_manifest(found, "x").envelope == ENVELOPE


def test_a_document_without_media_type_is_what_it_came_as() -> None:
    assert parse_manifest(b'{"schemaVersion": 2}', mt.IMAGE_MANIFEST).media_type == mt.IMAGE_MANIFEST


@pytest.mark.parametrize(
    ("data", "at"),
    [
        (b"[]", "place"),
        (b"{", "place"),
        (b'{"layers": [], "layers": []}', "place"),
        (manifest(mt.IMAGE_INDEX), "place"),
        (manifest(layers={}), "place.layers"),
        (manifest(layers=[1]), "place.layers[0]"),
        (manifest(layers=[{}]), "place.layers[0].size"),
        (manifest(config=[]), "place.config"),
        (manifest(subject="x"), "place.subject"),
        (manifest(annotations={"a": 1}), "place.annotations['a']"),
        (manifest(artifactType=1), "place.artifactType"),
    ],
)
def test_malformed_manifests_are_refused_at_their_place(data: bytes, at: str) -> None:
    with pytest.raises(MalformedManifest) as caught:
        parse_manifest(data, mt.IMAGE_MANIFEST, at="place")
    assert caught.value.at == at


def test_the_kind_is_the_artifact_type_or_that_of_the_config() -> None:
    config = describe(b"{}", "application/x").to_json()
    assert parse_manifest(manifest(config=config), mt.IMAGE_MANIFEST).kind == "application/x"
    both = manifest(config=config, artifactType="application/y")
    assert parse_manifest(both, mt.IMAGE_MANIFEST).kind == "application/y"
    assert parse_manifest(manifest(), mt.IMAGE_MANIFEST).kind is None


@pytest.mark.parametrize("legacy", [False, True])
def test_a_signature_manifest_is_read_as_it_was_built(legacy: bool) -> None:
    built = build_signature_manifest(SUBJECT, ENVELOPE, ("aa", "bb"), CREATED, legacy=legacy)
    found = parse_manifest(built.data, mt.IMAGE_MANIFEST)
    assert is_signature(found)
    assert signature_manifest(found, "x")[:2] == (SUBJECT, ENVELOPE)
    assert found.annotations == {mt.THUMBPRINTS: '["aa","bb"]', mt.CREATED: "2026-01-02T15:04:05Z"}
    assert (found.artifact_type is None) is legacy
    assert built.config[1] == EMPTY_CONFIG
    assert found.config is not None
    assert found.config.same_content(built.config[0])
    built.descriptor.check(built.data)
    assert built.descriptor.artifact_type == mt.SIGNATURE


def test_the_subject_is_named_by_media_type_digest_and_size_alone() -> None:
    annotated = SUBJECT._replace(annotations={"a": "b"}, artifact_type="x")
    built = build_signature_manifest(annotated, ENVELOPE, (), CREATED)
    assert json.loads(built.data)["subject"] == SUBJECT.to_json()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"artifactType": "application/other"}, "not a signature"),
        ({"config": describe(b"{}", "application/x").to_json()}, "not a signature"),
        ({"subject": None}, "without a subject"),
        ({"layers": []}, "this one 0"),
        ({"layers": [ENVELOPE.to_json()] * 2}, "this one 2"),
    ],
)
def test_what_is_no_signature_is_refused(changes: dict[str, Any], words: str) -> None:
    built = json.loads(build_signature_manifest(SUBJECT, ENVELOPE, (), CREATED).data)
    document = {key: value for key, value in {**built, **changes}.items() if value is not None}
    found = parse_manifest(json.dumps(document).encode(), mt.IMAGE_MANIFEST)
    with pytest.raises(MalformedManifest, match=words) as caught:
        signature_manifest(found, "sha256:x")
    assert caught.value.at == "sha256:x"


def test_manifests_are_told_from_blobs_by_media_type() -> None:
    assert all(is_manifest(media_type) for media_type in mt.MANIFESTS)
    assert not is_manifest(mt.JWS)
