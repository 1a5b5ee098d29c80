"""The contents of a bundle, and the trust policy in it: what is written is read again, and nothing looser is."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from nv2.bundling import evidence
from nv2.bundling.contents import MAX_TAG, TRUST, Contents, Image, build_contents, layout_tags, parse_contents
from nv2.bundling.trust_manifest import CarriedTrust, StoreFile, pack_trust, unpack_trust
from nv2.errors import MalformedManifest
from nv2.oci import media_types as mt
from nv2.oci.descriptor import Descriptor, describe
from nv2.oci.reference import is_tag, parse_registry

CREATED = datetime(2026, 11, 22, 10, 30, tzinfo=UTC)
FIRST, SECOND = (describe(text, mt.IMAGE_MANIFEST) for text in (b"first", b"second"))


def image(name: str, descriptor: Descriptor = FIRST) -> Image:
    return Image(parse_registry(name), descriptor)


FULL = Contents(
    CREATED,
    (
        image("a.example/app:v1"),
        image("a.example/app:latest"),
        image(f"b.example/app@{SECOND.digest}", SECOND),
    ),
    (describe(b"signature", mt.IMAGE_MANIFEST, artifact_type=mt.SIGNATURE),),
    describe(b"evidence", mt.IMAGE_MANIFEST, artifact_type=evidence.ARTIFACT_TYPE),
    describe(b"trust", mt.IMAGE_MANIFEST, artifact_type=TRUST),
)


def test_what_is_written_is_read_again() -> None:
    data, index = build_contents(FULL)
    index.check(data)
    assert parse_contents(data, "here") == FULL


def test_two_sets_of_evidence_are_refused() -> None:
    document = json.loads(build_contents(FULL)[0])
    document["manifests"].append(document["manifests"][-2])
    with pytest.raises(MalformedManifest, match="two of a kind"):
        parse_contents(json.dumps(document).encode(), "here")


def test_an_image_is_not_called_by_a_tag_under_which_registries_keep_lists() -> None:
    """An import would overwrite the list of what refers to another artifact."""
    data, _ = build_contents(Contents(CREATED, (image(f"a.example/app:sha256-{'0' * 64}"),)))
    with pytest.raises(MalformedManifest, match="where clients look"):
        parse_contents(data, "here")


def test_contents_that_no_reader_would_take_are_not_written() -> None:
    images = tuple(image(f"registry.example.com/{'long/' * 40}app:v{number}") for number in range(12_000))
    with pytest.raises(MalformedManifest, match="take more than"):
        build_contents(Contents(CREATED, images))


def test_a_tag_stays_where_one_repository_has_it() -> None:
    images = (image("a.example/app:v1"), image("a.example/app:v2", SECOND))
    assert layout_tags(images) == [(FIRST, "v1"), (SECOND, "v2")]


def test_the_same_tag_of_two_repositories_is_told_apart_by_their_names() -> None:
    images = (image("a.example:5000/app:v1"), image("b.example/team/app:v1", SECOND))
    assert layout_tags(images) == [(FIRST, "a.example.5000.app-v1"), (SECOND, "b.example.team.app-v1")]


def test_every_tag_is_one() -> None:
    long = "long/" * 40 + "app"
    tags = layout_tags((image(f"a.example/{long}:v1"), image("b.example/app:v1", SECOND)))
    assert all(is_tag(tag) and len(tag) <= MAX_TAG for _, tag in tags)


ROOT = StoreFile("ca", "acme", "root.crt")
CARRIED = CarriedTrust(b'{"version": "1.0"}', {ROOT: b"certificate"})


def unpacked(manifest: bytes, blobs: list[tuple[Descriptor, bytes]]) -> CarriedTrust:
    known = {descriptor.digest: data for descriptor, data in blobs}
    return unpack_trust(manifest, lambda descriptor: known[descriptor.digest], "here")


def test_a_policy_with_its_stores_is_read_again() -> None:
    assert unpacked(*pack_trust(CARRIED)) == CARRIED


@pytest.mark.parametrize(
    "title",
    [
        "truststore/x509/ca/../root.crt",
        "truststore/x509/ca/acme/..",
        "truststore/x509/ca/acme/../../../root.crt",
        "/etc/passwd",
        "truststore/x509/other/acme/root.crt",
        "truststore/x509/ca/acme/sub/root.crt",
        "trustpolicy.oci.json",
        "",
    ],
)
def test_a_file_that_would_lie_anywhere_else_is_refused(title: str) -> None:
    manifest, blobs = pack_trust(CARRIED)
    document = json.loads(manifest)
    document["layers"][1]["annotations"]["org.opencontainers.image.title"] = title
    with pytest.raises(MalformedManifest):
        unpacked(json.dumps(document).encode(), blobs)


def _no_policy(document: dict[str, Any]) -> None:
    del document["layers"][0]


def _two_policies(document: dict[str, Any]) -> None:
    document["layers"].append(document["layers"][0])


def _twice(document: dict[str, Any]) -> None:
    document["layers"].append(document["layers"][1])


def _too_long(document: dict[str, Any]) -> None:
    document["layers"][1]["size"] = 5 * 1024 * 1024


def _too_many(document: dict[str, Any]) -> None:
    document["layers"] *= 600


def _another_type(document: dict[str, Any]) -> None:
    document["artifactType"] = "application/other"


@pytest.mark.parametrize("change", [_no_policy, _two_policies, _twice, _too_long, _too_many, _another_type])
def test_a_manifest_of_trust_that_says_too_much_or_too_little_is_refused(change: Any) -> None:
    manifest, blobs = pack_trust(CARRIED)
    document = json.loads(manifest)
    change(document)
    with pytest.raises(MalformedManifest):
        unpacked(json.dumps(document).encode(), blobs)
