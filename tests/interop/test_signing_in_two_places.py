"""Signed where the key is, attached where the registry is, and signed with all that belongs to it: notation verifies it all."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from nv2.server.registry import serve
from tests.interop import peers
from tests.interop.home import Home, wabbit_home
from tests.world.images import push_image

pytestmark = pytest.mark.peers


@pytest.fixture
def home(tmp_path: Path, notation: Path) -> Home:
    return wabbit_home(tmp_path / "home", notation)


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[str]:
    with serve(tmp_path / "registry", "127.0.0.1", 0) as served:
        yield served.address


@pytest.mark.parametrize("word", ["jws", "cose"])
def test_what_oras_describes_and_nv2_signs_and_attaches_notation_verifies(
    home: Home, registry: str, oras: Path, word: str
) -> None:
    image = f"{registry}/app@{push_image(registry, 'app')}"
    described = peers.run(
        oras, "manifest", "fetch", "--plain-http", "--descriptor", image, home=home.directory
    )
    (home.directory / "image.json").write_text(described.stdout)
    files = ("--descriptor", "image.json", "--signature-file", "image.sig")
    home.nv2("sign", "-k", "EC-256", "--signature-format", word, *files)
    assert home.notation("verify", image, check=False).returncode == 1
    home.nv2("attach", "image.sig", image)
    home.notation("verify", image)
    home.nv2("verify", image)


def test_notation_verifies_each_that_was_signed_recursively(home: Home, registry: str, oras: Path) -> None:
    def run(*words: str) -> str:
        return peers.run(oras, *words, home=home.directory).stdout

    name = f"{registry}/app"
    images = [f"{name}@{push_image(registry, 'app', text=text)}" for text in ("amd64", "arm64")]
    children = [image.partition("@")[2] for image in images]
    run("manifest", "index", "create", "--plain-http", f"{name}:all", *children)
    index = run("resolve", "--plain-http", f"{name}:all").strip()
    (home.directory / "sbom.json").write_text("{}")
    for subject in (f"{name}@{index}", images[0]):
        run("attach", "--plain-http", "--artifact-type", "application/spdx+json", subject, "sbom.json")
    signed = home.nv2("sign", "--recursive", "-k", "EC-256", "-o", "json", f"{name}@{index}").stdout
    (result,) = json.loads(signed)["results"]
    digests = [each["artifact"]["digest"] for each in result["signed"]]
    assert len(digests) == 5 and digests[-1] == index
    for digest in digests:
        home.notation("verify", f"{name}@{digest}")
