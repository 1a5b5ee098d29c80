"""What other programs make of bundles, and of layouts that nv2 wrote as tar archives."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from nv2.oci import media_types as mt
from tests.interop import peers
from tests.interop.home import Home, wabbit_home
from tests.world.images import image_layout, push_image

pytestmark = pytest.mark.peers

SCOPE = "local/layout"
NUMBERS = itertools.count()
"""Repositories of a registry that all tests share."""


@pytest.fixture
def home(tmp_path: Path, notation: Path) -> Home:
    return wabbit_home(tmp_path / "home", notation)


@pytest.fixture
def bundle(home: Home, distribution31: str, tmp_path: Path) -> str:
    """One image with two signatures, the older manifest form and the newer."""
    image_layout(tmp_path / "image", "bundled")
    home.nv2("sign", "-k", "EC-256", f"layout:{tmp_path}/image:v1")
    outside = f"{distribution31}/bundled-{next(NUMBERS)}:v1"
    home.nv2("copy", f"layout:{tmp_path}/image:v1", outside)
    home.nv2("sign", "-k", "EC-384", outside)
    home.nv2("bundle", "create", outside, "--file", f"{tmp_path}/b.tar")
    return f"{tmp_path}/b.tar"


def discovered(oras: Path, home: Home, *words: str) -> list[str]:
    said = peers.run(oras, "discover", "--format", "json", *words, home=home.directory).stdout
    found = json.loads(said)
    return sorted(item["artifactType"] for item in found.get("referrers") or found["manifests"])


def test_oras_reads_a_bundle_and_carries_it_on(
    home: Home, bundle: str, oras: Path, distribution31: str
) -> None:
    assert discovered(oras, home, "--oci-layout", f"{bundle}:v1") == [mt.SIGNATURE, mt.SIGNATURE]
    target = f"{distribution31}/carried-by-oras:v1"
    words = ("cp", "-r", "--from-oci-layout", f"{bundle}:v1", "--to-plain-http", target)
    peers.run(oras, *words, home=home.directory)
    home.nv2("verify", target)
    home.notation("verify", target)


def test_skopeo_reads_a_bundle(
    home: Home, bundle: str, program: Callable[[str], Path], tmp_path: Path
) -> None:
    (tmp_path / "policy.json").write_text('{"default": [{"type": "insecureAcceptAnything"}]}')
    words = (
        "--policy",
        f"{tmp_path}/policy.json",
        "copy",
        "--preserve-digests",
        f"oci-archive:{bundle}:v1",
        f"oci:{tmp_path}/there:v1",
    )
    peers.run(program("skopeo"), *words, home=home.directory)
    listed = json.loads(home.nv2("bundle", "inspect", bundle, "-o", "json").stdout)
    arrived = json.loads((tmp_path / "there" / "index.json").read_bytes())
    assert arrived["manifests"][0]["digest"] == listed["artifacts"][0]["artifact"]["digest"]


def test_notation_reads_a_bundle_that_tar_unpacked(home: Home, bundle: str, tmp_path: Path) -> None:
    (tmp_path / "unpacked").mkdir()
    peers.run(Path("/bin/tar"), "-xf", bundle, "-C", f"{tmp_path}/unpacked", home=home.directory)
    digest = json.loads(home.nv2("bundle", "inspect", bundle, "-o", "json").stdout)["artifacts"][0][
        "artifact"
    ]["digest"]
    home.notation("verify", "--oci-layout", "--scope", SCOPE, f"{tmp_path}/unpacked@{digest}")
    listed = home.notation("list", "--oci-layout", f"{tmp_path}/unpacked@{digest}").stdout
    assert listed.count("sha256:") == 2, (
        "1.3.2 sees only the older form in layouts: the image, and one signature"
    )


def test_what_is_imported_verifies_in_notation(home: Home, bundle: str, distribution31: str) -> None:
    ended = home.nv2("bundle", "import", bundle, f"{distribution31}/inside", "-o", "json")
    home.notation("verify", json.loads(ended.stdout)["imported"][0]["destination"].partition("@")[0])


def test_oras_reads_both_tags_of_an_archive_that_nv2_wrote_twice(
    home: Home, distribution31: str, oras: Path, tmp_path: Path
) -> None:
    archive = f"{tmp_path}/images.tar"
    for name in ("first", "second"):
        push_image(distribution31, f"archived-{name}")
        home.nv2("sign", "-k", "EC-256", f"{distribution31}/archived-{name}:v1")
        home.nv2("copy", f"{distribution31}/archived-{name}:v1", f"layout:{archive}:{name}")
    tags = peers.run(oras, "repo", "tags", "--oci-layout", archive, home=home.directory).stdout
    assert tags.split() == ["first", "second"]
    for name in ("first", "second"):
        assert discovered(oras, home, "--oci-layout", f"{archive}:{name}") == [mt.SIGNATURE]
