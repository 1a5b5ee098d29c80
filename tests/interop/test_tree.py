"""`nv2 tree` of what notation signed and oras attached, on registries with and without the referrers API."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.interop import peers
from tests.interop.home import wabbit_home
from tests.world.images import push_image

pytestmark = pytest.mark.peers


@pytest.mark.parametrize("registry", ["distribution31", "distribution28", "olareg"])
def test_what_others_attached_is_in_the_tree_with_its_signer(
    request: pytest.FixtureRequest, tmp_path: Path, notation: Path, oras: Path, registry: str
) -> None:
    home = wabbit_home(tmp_path / "home", notation)
    address = request.getfixturevalue(registry)
    image = f"{address}/tree@{push_image(address, 'tree')}"
    (home.directory / "sbom.json").write_text("{}")
    attach = ("attach", "--plain-http", "--disable-path-validation", "--artifact-type", "application/sbom")
    peers.run(oras, *attach, image, str(home.directory / "sbom.json"), home=home.directory)
    found = json.loads(home.nv2("tree", "-o", "json", image).stdout)
    [sbom] = found["manifests"][0]["referrers"]
    home.notation("sign", "--force-referrers-tag=false", "-k", "EC-256", f"{address}/tree@{sbom}")
    found = json.loads(home.nv2("tree", "-o", "json", image).stdout)
    members = {member["digest"]: member for member in found["manifests"]}
    assert members[sbom]["artifactType"] == "application/sbom"
    [signature] = members[sbom]["referrers"]
    subject = "CN=EC-256,O=wabbit-networks.io,ST=WA,C=US"
    assert members[signature]["signer"] == {"subject": subject, "verified": False}
    assert (len(members), found["problems"]) == (3, [])
