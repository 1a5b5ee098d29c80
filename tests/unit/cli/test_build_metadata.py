"""What docker buildx wrote says which digest to sign."""

import json

import pytest

from nv2.cli.build_metadata import parse_build_metadata, references_built
from nv2.errors import UsageError
from nv2.oci.reference import parse

A, B = "sha256:" + "a" * 64, "sha256:" + "b" * 64


def _file(document):
    return json.dumps(document).encode()


BUILD = {"containerimage.digest": A, "image.name": "reg.io/app:v1,reg.io/app:latest", "buildx.build.ref": "x"}
BAKE = {
    "api": {"containerimage.digest": A, "image.name": "reg.io/api:v1"},
    "web": {"containerimage.digest": B, "image.name": "reg.io/web:v1"},
    "buildx.build.warnings": [],
}


def _shown(document, *wanted):
    built = parse_build_metadata(_file(document), "meta.json")
    return [str(r) for r in references_built(built, tuple(map(parse, wanted)), "meta.json")]


def test_a_build_is_signed_once_in_each_repository_by_digest():
    assert _shown(BUILD) == [f"reg.io/app@{A}"]


def test_a_named_reference_takes_the_digest_of_the_build():
    assert _shown(BUILD, "reg.io/app:v1") == [f"reg.io/app@{A}"]
    assert _shown(BUILD, "mirror.io/app:v1") == [f"mirror.io/app@{A}"]


def test_a_bake_file_is_told_apart_by_name():
    assert _shown(BAKE) == [f"reg.io/api@{A}", f"reg.io/web@{B}"]
    assert _shown(BAKE, "reg.io/web:v1") == [f"reg.io/web@{B}"]


@pytest.mark.parametrize(
    ("document", "wanted", "message"),
    [
        ({}, (), "no 'containerimage.digest' in it"),
        ({"containerimage.digest": A}, (), "no image names in it"),
        (BAKE, ("reg.io/other:v1",), "does not say which digest reg.io/other:v1 has"),
        (BUILD, (f"reg.io/app@{B}",), f"says {A}, not {B}"),
        (BUILD, ("layout:x:v1",), "--metadata-file goes with images in a registry"),
    ],
)
def test_what_cannot_be_told_is_refused(document, wanted, message):
    with pytest.raises(UsageError) as caught:
        _shown(document, *wanted)
    assert caught.value.message == message
