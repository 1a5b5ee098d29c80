"""What one program signs the other verifies: envelopes × keys × places."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from nv2.server.registry import serve
from tests.interop.home import KEYS, Home, wabbit_home
from tests.world.images import image_layout, push_image

REGISTRIES = ("distribution31", "distribution28", "olareg", "embedded")
FORMATS = {"jws": "application/jose+json", "cose": "application/cose"}
LAYOUT_SCOPE = "local/layout"


class Place(NamedTuple):
    """Where the artifact is, in the words of both programs."""

    nv2: str
    notation: str
    layout: bool = False


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, notation: Path) -> Home:
    return wabbit_home(tmp_path_factory.mktemp("home"), notation)


@pytest.fixture(scope="session")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serve(tmp_path_factory.mktemp("embedded"), "127.0.0.1", 0) as registry:
        yield registry.address


def _place(request: pytest.FixtureRequest, name: str, repository: str, folder: Path) -> Place:
    if name == "layout":
        digest = image_layout(folder / "layout", repository)
        return Place(f"layout:{folder}/layout@{digest}", f"{folder}/layout@{digest}", layout=True)
    address = request.getfixturevalue(name)
    digest = push_image(address, repository)
    return Place(f"{address}/{repository}@{digest}", f"{address}/{repository}@{digest}")


@pytest.fixture(params=[*REGISTRIES, "layout"])
def where(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.peers
@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("envelope", FORMATS)
def test_notation_verifies_and_lists_what_nv2_signed(request, home, tmp_path, where, key, envelope):
    place = _place(request, where, f"signed-by-nv2/{key.lower()}-{envelope}", tmp_path)
    home.nv2("sign", "-k", key, "--signature-format", envelope, "-m", "a=b", place.nv2)
    scope = ("--oci-layout", "--scope", LAYOUT_SCOPE) if place.layout else ()
    verified = home.notation("verify", *scope, "-m", "a=b", place.notation)
    assert "Successfully verified signature" in verified.stdout
    listed = home.notation("list", *scope[:1], place.notation).stdout
    ours = [
        item["digest"] for item in json.loads(home.nv2("list", "-o", "json", place.nv2).stdout)["signatures"]
    ]
    assert len(ours) == 1
    assert ours[0] in listed


@pytest.mark.peers
@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("envelope", FORMATS)
def test_nv2_verifies_lists_and_inspects_what_notation_signed(request, home, tmp_path, where, key, envelope):
    place = _place(request, where, f"signed-by-notation/{key.lower()}-{envelope}", tmp_path)
    storage = ("--oci-layout",) if place.layout else ("--force-referrers-tag=false",)
    home.notation(
        "sign", "-k", key, "--signature-format", envelope, "-m", "a=b", "-e", "24h", *storage, place.notation
    )
    scope = ("--scope", LAYOUT_SCOPE) if place.layout else ()
    verdict = json.loads(home.nv2("verify", *scope, "-m", "a=b", "-o", "json", place.nv2).stdout)["results"][
        0
    ]
    assert verdict["verdict"] == "trusted"
    listed = home.notation("list", *storage[: 1 if place.layout else 0], place.notation).stdout
    assert verdict["signatures"][0]["digest"] in listed
    assert home.nv2("list", place.nv2).stdout.split()[-1] == verdict["signatures"][0]["digest"]
    ours = json.loads(home.nv2("inspect", "-o", "json", place.nv2).stdout)
    if not place.layout:
        theirs = json.loads(home.notation("inspect", "-o", "json", place.notation).stdout)
        _same_facts(ours, theirs)
    assert ours["signatures"][0]["signatureEnvelopeType"] == FORMATS[envelope]


def _same_facts(ours: dict, theirs: dict) -> None:
    """notation 1.3.2 names some keys otherwise and shows whole seconds; the facts are the same."""
    assert ours["mediaType"] == theirs["mediaType"]
    [mine], [other] = ours["signatures"], theirs["Signatures"]
    for same in (
        "digest",
        "signatureAlgorithm",
        "userDefinedAttributes",
        "unsignedAttributes",
        "signedArtifact",
    ):
        assert mine[same] == other[same], same
    assert mine["signatureEnvelopeType"] == other["mediaType"]
    assert [c["SHA256Fingerprint"] for c in mine["certificates"]] == [
        c["SHA256Fingerprint"] for c in other["certificates"]
    ]
    assert [(c["issuedTo"], c["issuedBy"]) for c in mine["certificates"]] == [
        (c["issuedTo"], c["issuedBy"]) for c in other["certificates"]
    ]
    for same in ("signingScheme", "expiry", "signingTime"):
        assert mine["signedAttributes"][same] == other["signedAttributes"][same], same
