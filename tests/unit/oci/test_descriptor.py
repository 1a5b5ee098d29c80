from __future__ import annotations

import pytest

from nv2.errors import ContentMismatch, MalformedManifest
from nv2.oci.descriptor import Descriptor, describe, parse_descriptor
from nv2.oci.digest import digest_of
from nv2.strict_json import Fields

SOUND = {"mediaType": "text/plain", "digest": digest_of(b"x"), "size": 1}


def parse(value: object) -> Descriptor:
    return parse_descriptor(Fields.of(value, "layers[0]", MalformedManifest))


def test_a_descriptor_is_read_and_written() -> None:
    full = {**SOUND, "annotations": {"a": "b"}, "artifactType": "text/x"}
    assert parse(full).to_json() == full
    assert parse(SOUND).to_json() == SOUND
    assert list(parse(SOUND).to_json()) == ["mediaType", "digest", "size"]


def test_unknown_fields_are_ignored() -> None:
    assert parse({**SOUND, "urls": [], "data": "eA=="}) == describe(b"x", "text/plain")


@pytest.mark.parametrize(
    ("change", "at"),
    [
        ({"size": -1}, "layers[0].size"),
        ({"size": 1.0}, "layers[0].size"),
        ({"size": True}, "layers[0].size"),
        ({"digest": "sha256:0"}, "layers[0].digest"),
        ({"digest": None}, "layers[0].digest"),
        ({"mediaType": 1}, "layers[0].mediaType"),
        ({"annotations": {"a": None}}, "layers[0].annotations['a']"),
        ({"artifactType": []}, "layers[0].artifactType"),
    ],
)
def test_fields_of_other_types_are_refused_at_their_place(change: dict[str, object], at: str) -> None:
    with pytest.raises(MalformedManifest) as caught:
        parse({**SOUND, **change})
    assert caught.value.at == at


@pytest.mark.parametrize("field", SOUND)
def test_three_fields_are_required(field: str) -> None:
    with pytest.raises(MalformedManifest, match="missing"):
        parse({key: value for key, value in SOUND.items() if key != field})


def test_content_is_checked_by_size_and_digest() -> None:
    descriptor = describe(b"x", "text/plain")
    descriptor.check(b"x")
    with pytest.raises(ContentMismatch, match="has 2 bytes instead of 1"):
        descriptor.check(b"xy")
    with pytest.raises(ContentMismatch, match="has digest"):
        descriptor.check(b"y")


def test_the_same_content_has_equal_type_digest_and_size() -> None:
    descriptor = describe(b"x", "text/plain")
    assert descriptor.same_content(descriptor._replace(annotations={"a": "b"}, artifact_type="t"))
    assert not descriptor.same_content(descriptor._replace(media_type="text/html"))
    assert not descriptor.same_content(descriptor._replace(size=2))
